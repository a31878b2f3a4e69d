"""Checkpoints: everything that exact resumption needs, as safetensors and without pickle."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from facewarp.core.weights import write_tensors
from facewarp.errors import FacewarpError

NAME, CONFIG, LOG = "checkpoint.safetensors", "config.json", "log.csv"  # files of a run
_MOMENTS = "moments"  # in the state: how many tensors of the optimizer belong to the checkpoint
_DIVERGED = 1e12  # no weight, statistic or moment of a training that goes well is as large


@dataclass(frozen=True)
class Progress:
    """Progress of a run.

    Attributes:
        step: number of optimization steps done.
        checked: step of the last validation.
        best: its best score so far.
    """

    step: int
    checked: int
    best: float


def save_checkpoint(
    path: Path,
    net: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file.
        net: the network as trained.
        average: the moving average of its weights.
        optimizer: the optimiser with its moments.
        progress: of the run.

    Raises:
        FacewarpError: the file can't be written.
    """
    tensors = {f"net.{n}": t for n, t in net.state_dict().items()}
    tensors |= {f"average.{n}": t for n, t in average.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{n}": torch.as_tensor(v) for n, v in state.items()}
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool((tensor.abs() < _DIVERGED).all()):
            what = f"the training has diverged ({name}); the checkpoint before is kept"
            raise FacewarpError(what, path, "Go on from it with --resume and a smaller --set lr=.")
    plain = {n: t.clone(memory_format=torch.contiguous_format) for n, t in tensors.items()}
    state = {**asdict(progress), _MOMENTS: len(_under(tensors, "optimizer."))}
    write_tensors(plain, path, {"state": json.dumps(state)})


def load_checkpoint(
    path: Path,
    net: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Progress:
    """Load a checkpoint into networks and optimizer.

    Raises:
        FacewarpError: no such file, damaged, or of a network of other layers; nothing was changed
            then. Buffers (grids, splines) may have been rebuilt.
    """
    if not path.is_file():
        raise FacewarpError("there is no checkpoint to resume", path, "Train without --resume.")
    try:
        with safe_open(path, framework="pt") as file:
            state = json.loads(file.metadata()["state"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if not isinstance(state, dict):
                raise TypeError("no state")
    except (SafetensorError, OSError, TypeError, KeyError, ValueError, RecursionError) as error:
        raise FacewarpError(
            "this is not a readable checkpoint", path, "Remove it and train anew."
        ) from error
    held = {name: value.shape for name, value in _under(tensors, "net.").items()}
    if held != {name: value.shape for name, value in net.state_dict().items()}:
        raise FacewarpError(
            "the checkpoint is of another network",
            path,
            "Resume with the preset and the settings it was begun with.",
        )
    if state.get("step") and _lacks_moments(tensors, state, optimizer):
        what = "the checkpoint holds no state of the optimizer, or not all of it"
        raise FacewarpError(what, path, "Remove it and train anew, or begin with --start-from.")
    try:
        return _restored(tensors, state, net, average, optimizer)
    except (RuntimeError, IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise FacewarpError(
            "this is not a readable checkpoint", path, "Remove it and train anew."
        ) from error


def _lacks_moments(
    tensors: dict[str, Tensor], state: dict[str, Any], optimizer: torch.optim.Optimizer
) -> bool:
    """Return whether moments of the optimizer are missing: it would go on with new ones."""
    held: dict[str, set[str]] = {}
    for name in _under(tensors, "optimizer."):
        index, _, moment = name.partition(".")
        held.setdefault(index, set()).add(moment)
    if state.get(_MOMENTS, -1) not in (-1, sum(map(len, held.values()))):
        return True
    groups = optimizer.state_dict()["param_groups"]
    kinds = [[held[str(i)] for i in group["params"] if str(i) in held] for group in groups]
    return not held or any(one != group[0] for group in kinds for one in group)


def _restored(
    tensors: dict[str, Tensor],
    state: dict[str, float],
    net: nn.Module,
    average: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Progress:
    net.load_state_dict(_under(tensors, "net."))
    average.load_state_dict(_under(tensors, "average."))
    saved: dict[int, dict[str, Tensor]] = {}
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    for name, value in _under(tensors, "optimizer.").items():
        index, key = name.split(".", 1)
        if value.ndim:  # laid out in memory as the parameter is: the same rounding as before
            value = torch.empty_like(parameters[int(index)]).copy_(value)
        else:
            value = value.clone()  # one that is read as it lies keeps the file open
        saved.setdefault(int(index), {})[key] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": saved, "param_groups": groups})
    step = int(state["step"])
    return Progress(step, int(state.get("checked", step)), float(state["best"]))


def _under(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
