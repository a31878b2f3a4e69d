"""Training of the rivals that are networks: one loop, one file of weights."""

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from facewarp.errors import FacewarpError
from facewarp.training.baselines.flownet import FlowConfig, FlowNet
from facewarp.training.baselines.spline_flownet import SplineFlowNet
from facewarp.training.files import replacing, unwritable
from facewarp.training.logs import TableLog

Batch = dict[str, Tensor]
Net = TypeVar("Net", bound=nn.Module)
NETWORKS = ("flownets", "flownetc", "spline-flownet")
WEIGHTS, LOG = "model.safetensors", "log.csv"
_CLIP = 5.0


def build(name: str, settings: Mapping[str, Any]) -> FlowNet | SplineFlowNet:
    """A rival's network by its name, and the settings its weights were saved with."""
    if name == "spline-flownet":
        return SplineFlowNet(**settings)
    return FlowNet(FlowConfig(**settings))


def settings_of(name: str, width: int) -> dict[str, Any]:
    """The settings of a new network that is so wide."""
    return {"width": width} if name == "spline-flownet" else {"kind": name, "width": width}


def train_network(
    net: nn.Module,
    loss: Callable[[Batch], Tensor],
    batches: Iterable[Batch],
    folder: Path,
    *,
    steps: int,
    lr: float = 1e-3,
    advance: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Adam with a learning rate that falls along a cosine; ``log.csv`` gets a row a step.

    Args:
        net: what learns.
        loss: its objective on a batch.
        batches: without end.
        folder: where the log goes.
        steps: how many.
        lr: the first.
        advance: called after each step.

    Raises:
        FacewarpError: the loss is not finite, or the folder can't be written to.
    """
    optimizer = torch.optim.Adam(net.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    log = TableLog(folder / LOG, 0)
    net.train()
    try:
        for step, batch in enumerate(islice(batches, steps), start=1):
            value = loss(batch)
            if not torch.isfinite(value):
                what = f"the loss is not finite at step {step}"
                raise FacewarpError(what, folder, "Lower --lr.")
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), _CLIP)
            optimizer.step()
            schedule.step()
            log.write({"step": step, "loss": value.item()})
            advance(step, value.item())
    finally:
        log.close()
    net.eval()


def save_network(
    net: nn.Module, name: str, settings: Mapping[str, Any], path: Path, about: Mapping[str, str]
) -> None:
    """Write a rival's weights, whole or not at all."""
    tensors = {key: value.contiguous() for key, value in net.state_dict().items()}
    metadata = {"baseline": name, "settings": json.dumps(dict(settings)), **about}
    with replacing(path) as temporary:
        try:
            save_file(tensors, temporary, metadata)
        except SafetensorError as error:
            raise unwritable(path, error) from error


def load_network(path: Path, name: str) -> FlowNet | SplineFlowNet:
    """Read a rival's weights; raises as `read_network` does."""
    return read_network(path, name, build)


def read_network(path: Path, name: str, make: Callable[[str, dict[str, Any]], Net]) -> Net:
    """Build a rival's network and put its weights in, ready to be run.

    Args:
        path: a file of `save_network`.
        name: the rival it must be of.
        make: builds the network by name and settings.

    Raises:
        FacewarpError: no such file, of something else, or what ``make`` raises.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("baseline") != name:
                raise KeyError(name)
            net = make(name, json.loads(metadata["settings"]))
            net.load_state_dict({key: file.get_tensor(key) for key in file.keys()})  # noqa: SIM118
    except FacewarpError:
        raise
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        fix = f"Train it: facewarp train baseline {name} --data DIR."
        raise FacewarpError(f"these are no weights of {name}", path, fix) from error
    return net.eval()
