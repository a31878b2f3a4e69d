"""Train baseline networks of faces and hearts: one training loop, one format of weights."""

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from facewarp.core.weights import WEIGHTS, write_tensors
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_json
from facewarp.training import checkpoint
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.interrupt import DeferredInterrupt
from facewarp.training.optimizer import learning_rate, make_optimizer, update_ema
from facewarp.training.run_log import TableLog

OPTIMIZERS, PRECISIONS = ("muon", "adamw", "adam"), ("float32", "bfloat16")
_WARM_UP = 50  # steps, at most
_CHECKPOINT_EVERY = 50  # steps


class BaselineNetwork(nn.Module):
    """A network to compare with.

    Attributes:
        settings: what it was built with, as JSON has it.
    """

    settings: Mapping[str, Any]

    @property
    def for_half_precision(self) -> Sequence[nn.Module]:
        """Layers that lose nothing in bfloat16; their outputs are float32 again."""
        return ()


Net = TypeVar("Net", bound=BaselineNetwork)
Terms = Callable[[Batch, torch.Generator], dict[str, Tensor]]


@dataclass(frozen=True)
class BaselineSettings:
    """Settings of a baseline's training.

    Attributes:
        steps: optimisation steps.
        batch: pairs a step.
        lr: first learning rate, which falls along a cosine (by adam: stays).
        optimizer: ``"muon"``, ``"adamw"`` or ``"adam"``.
        precision: ``"bfloat16"`` for the layers that lose nothing by it, or ``"float32"``.
        seed: of weights, views and random numbers of the training.

    Raises:
        FacewarpError: no such optimiser or precision.
    """

    steps: int = 4000
    batch: int = 8
    lr: float = 1e-3
    optimizer: str = "adamw"
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse unknown names before any data are read."""
        for kind, word, words in (
            ("optimiser", self.optimizer, OPTIMIZERS),
            ("precision", self.precision, PRECISIONS),
        ):
            if word not in words:
                what, fix = f"there is no {kind} {word!r}", f"Give one of {', '.join(words)}."
                raise FacewarpError(what, fix=fix)

    def train_config(self, name: str, base: TrainConfig) -> TrainConfig:
        """Return the configuration that our own trainer would have.

        Args:
            name: of the baseline.
            base: a preset whose data, views and weight decay are taken.
        """
        return replace(
            base,
            preset=name,
            optimizer=self.optimizer,  # type: ignore[arg-type]
            precision=self.precision,  # type: ignore[arg-type]
            batch=self.batch,
            steps=self.steps,
            lr=self.lr,
            decay=1.0,
            seed=self.seed,
            warmup=min(_WARM_UP, self.steps // 10),
            ema=0.99,
            checkpoint_every=_CHECKPOINT_EVERY,
        )


def train_baseline_network(
    net: BaselineNetwork,
    terms: Terms,
    batches: Batches,
    folder: Path,
    config: TrainConfig,
    about: Mapping[str, str],
    *,
    resume: bool = False,
    advance: Callable[[int, float], None] = lambda step, loss: None,
) -> Path:
    """Train a baseline network, from the first step or from its checkpoint.

    Each step seeds its own random numbers, so that a resumed run equals an uninterrupted one.
    ``folder`` receives ``config.json``, ``log.csv``, ``checkpoint.safetensors`` and, after the
    last step, ``model.safetensors``: the moving average of the weights.

    Args:
        net: a new network, or one with the same settings.
        terms: gives the loss terms of a batch, with a random generator; their sum is minimised.
        batches: of the training set.
        folder: made where it is not there.
        config: of the training; ``preset`` is the baseline's name.
        about: goes into ``config.json`` and the weights.
        resume: go on from the checkpoint.
        advance: called after each step with its number and loss.

    Returns:
        The weights file.

    Raises:
        FacewarpError: a run is in the way or none is there, the loss is not finite, or the folder
            can't be written to.
        KeyboardInterrupt: by Ctrl-C, after the step that is running, with a checkpoint left.
    """
    average = deepcopy(net).eval()
    optimizer = make_optimizer(config, net)
    path, done = folder / checkpoint.NAME, 0
    if resume:
        done = checkpoint.load_checkpoint(path, net, average, optimizer).step
    elif path.exists():
        fix = "Go on with --resume, or choose another --out."
        raise FacewarpError("a run is here already", folder, fix)
    write_json(folder / checkpoint.CONFIG, _record(config, net, about))
    batches.start = done
    log, pairs = TableLog(folder / checkpoint.LOG, done), iter(batches)
    net.train()
    if config.precision == "bfloat16":
        for layer in net.for_half_precision:
            _in_half_precision(layer)

    def keep(step: int) -> None:
        progress = checkpoint.Progress(step, step, 0.0)
        checkpoint.save_checkpoint(path, net, average, optimizer, progress)

    try:
        with DeferredInterrupt() as interrupt:
            for step in range(done + 1, config.steps + 1):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(config, step - 1)
                random = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
                found = _step(net, terms(next(pairs), random), optimizer, config.clip, step)
                update_ema(average, net, min(config.ema, step / (10 + step)))
                log.write({"step": step, **found})
                advance(step, found["loss"])
                if step % config.checkpoint_every == 0 or step == config.steps:
                    keep(step)
                try:
                    interrupt.check()
                except KeyboardInterrupt as stop:
                    keep(step)
                    stop.add_note(f"step {step} is kept in {folder}; --resume goes on from it")
                    raise
    finally:
        log.close()
        pairs.close()  # type: ignore[attr-defined]
    about = {**about, "steps": str(config.steps), "optimizer": config.optimizer}
    save_network(average, config.preset, folder / WEIGHTS, about)
    return folder / WEIGHTS


def begun_with(
    folder: Path, name: str, steps: int | None = None
) -> tuple[BaselineSettings, dict[str, Any]]:
    """Read the settings of a run that was begun, and those of its network.

    Args:
        folder: of the run.
        name: of the baseline it must belong to.
        steps: in place of what it was begun with; all else stays.

    Raises:
        FacewarpError: there is no run, or it is another baseline's.
    """
    try:
        record = json.loads((folder / checkpoint.CONFIG).read_text("utf-8"))
        kept = {key: record[key] for key in asdict(BaselineSettings())}
        of, network = record["baseline"], dict(record["network"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FacewarpError(
            "there is no run to resume", folder, "Train without --resume."
        ) from error
    if of != name:
        raise FacewarpError(f"the run is of {of}", folder, "Name that baseline.")
    return BaselineSettings(**{**kept, "steps": steps or kept["steps"]}), network


def save_network(net: BaselineNetwork, name: str, path: Path, about: Mapping[str, str]) -> None:
    """Write a baseline's weights, whole or not at all."""
    tensors = {key: value.contiguous() for key, value in net.state_dict().items()}
    metadata = {"baseline": name, "settings": json.dumps(dict(net.settings)), **about}
    write_tensors(tensors, path, metadata)


def read_network(path: Path, name: str, make: Callable[[str, dict[str, Any]], Net]) -> Net:
    """Build a baseline's network with its weights, ready for inference.

    Args:
        path: a file of `save_network`.
        name: of the baseline it must belong to.
        make: builds the network from name and settings.

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


def _record(config: TrainConfig, net: BaselineNetwork, about: Mapping[str, str]) -> dict[str, Any]:
    settings = {key: getattr(config, key) for key in asdict(BaselineSettings())}
    return {
        "baseline": config.preset,
        **settings,
        "network": dict(net.settings),
        "about": dict(about),
    }


def _step(
    net: nn.Module,
    terms: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    clip: float,
    step: int,
) -> dict[str, float]:
    loss = torch.stack(list(terms.values())).sum()
    if not torch.isfinite(loss):
        raise FacewarpError(f"the loss is not finite at step {step}", fix="Lower --lr.")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
    optimizer.step()
    return {"loss": loss.item(), **{name: float(term.detach()) for name, term in terms.items()}}


def _in_half_precision(layer: nn.Module) -> None:
    forward = layer.forward

    def half(*inputs: Tensor) -> Tensor | list[Tensor]:
        with torch.autocast(inputs[0].device.type, torch.bfloat16):
            found: Tensor | list[Tensor] = forward(*inputs)
        return found.float() if isinstance(found, Tensor) else [one.float() for one in found]

    layer.forward = half
