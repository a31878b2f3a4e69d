"""Rivals on hearts that are networks: built, trained, saved and read again by one code."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facewarp.core.geometry import Shape
from facewarp.errors import FacewarpError
from facewarp.training import checkpoint
from facewarp.training.baselines.krebs import KrebsAutoencoder
from facewarp.training.baselines.network_training import (
    LOG,
    WEIGHTS,
    read_network,
    save_network,
)
from facewarp.training.baselines.voxelmorph import VoxelMorph
from facewarp.training.files import write_json
from facewarp.training.heart_data import HeartData
from facewarp.training.interrupt import DeferredInterrupt
from facewarp.training.logs import TableLog
from facewarp.training.optimiser import learning_rate, make_optimizer
from facewarp.training.presets import PRESETS, TrainConfig

HeartNetwork = VoxelMorph | KrebsAutoencoder
NETWORKS = ("voxelmorph", "krebs")
VIEW = (16, 96, 96)  # what VoxelMorph, all convolutions, is trained on; Krebs sees the whole grid
CONFIG = "config.json"


@dataclass(frozen=True)
class RivalSettings:
    """A rival's training.

    Attributes:
        steps: optimisation steps.
        batch: pairs a step; each is registered in a direction drawn at random.
        lr: first learning rate, which falls along a cosine.
        optimizer: ``"muon"``, ``"adamw"`` or ``"adam"``.
        seed: of weights, views, directions and the autoencoder's numbers.
    """

    steps: int = 5000
    batch: int = 1
    lr: float = 6e-3
    optimizer: str = "muon"
    seed: int = 0

    def train_config(self, name: str) -> TrainConfig:
        """The same as our own trainer has it: patients, views and optimiser are those of ours."""
        base = PRESETS["acdc"]
        if self.optimizer not in ("muon", "adamw", "adam"):
            what, fix = f"there is no optimiser {self.optimizer!r}", "Give muon, adamw or adam."
            raise FacewarpError(what, fix=fix)
        return replace(
            base,
            preset=name,
            optimizer=self.optimizer,  # type: ignore[arg-type]
            batch=self.batch,
            steps=self.steps,
            lr=self.lr,
            seed=self.seed,
            warmup=min(50, self.steps // 10),
            ema=0.99,
            augment=0.6,  # images alone teach them: noise of its own in each phase is no help
            view_shape=VIEW if name == "voxelmorph" else (),
            checkpoint_every=50,
        )


def build(name: str, settings: Mapping[str, Any]) -> HeartNetwork:
    """A rival's network by its name, and the settings its weights were saved with."""
    return VoxelMorph(**settings) if name == "voxelmorph" else KrebsAutoencoder(**settings)


def new_network(name: str, settings: RivalSettings) -> HeartNetwork:
    """A network to be trained, on the grid of the preset ``acdc``; the seed draws its weights."""
    torch.manual_seed(settings.seed)
    shape: Shape = PRESETS["acdc"].model.grid_shape
    return build(name, {"shape": shape} if name == "krebs" else {})


def train(
    net: HeartNetwork,
    name: str,
    data: HeartData,
    folder: Path,
    settings: RivalSettings,
    *,
    resume: bool = False,
    workers: int = 1,
    advance: Callable[[int, float], None] = lambda step, loss: None,
) -> Path:
    """Train a rival, from the first step or where its checkpoint left off.

    Every step draws from its own number, so that a run that was stopped goes on as it would have.
    ``folder`` receives ``config.json``, ``log.csv``, ``checkpoint.safetensors`` and, after the
    last step, ``model.safetensors``: the moving average of the weights.

    Args:
        net: a new network, or one with the same settings.
        name: of the rival.
        data: the patients.
        folder: made where it is not there.
        settings: of the training.
        resume: go on from the checkpoint.
        workers: threads that make views.
        advance: called after each step with its number and loss.

    Returns:
        The weights file.

    Raises:
        FacewarpError: a run is in the way or none is there, the loss is not finite, or the folder
            can't be written to.
        KeyboardInterrupt: by Ctrl-C, after the step that is running, with a checkpoint left.
    """
    config = settings.train_config(name)
    average = build(name, net.settings)
    average.load_state_dict(net.state_dict())
    optimizer = make_optimizer(config, net)
    path, done = folder / checkpoint.NAME, 0
    if resume:
        done = checkpoint.load_checkpoint(path, net, average, optimizer).step
    elif path.exists():
        fix = "Go on with --resume, or choose another --out."
        raise FacewarpError("a run is here already", folder, fix)
    about = {"training_data": data.description}
    write_json(folder / CONFIG, {"baseline": name, **settings.__dict__, "about": about})
    views = data.batches(config, workers)
    views.start = done
    log, batches = TableLog(folder / LOG, done), iter(views)
    net.train()

    def keep(step: int) -> None:
        progress = checkpoint.Progress(step, step, 0.0)
        checkpoint.save_checkpoint(path, net, average, optimizer, progress)

    try:
        with DeferredInterrupt() as interrupt:
            for step in range(done + 1, settings.steps + 1):
                for group in optimizer.param_groups:
                    group["lr"] = learning_rate(config, step - 1)
                terms = _step(net, next(batches), optimizer, config, step)
                _follow(average, net, min(config.ema, step / (10 + step)))
                log.write({"step": step, **terms})
                advance(step, terms["loss"])
                if step % config.checkpoint_every == 0:
                    keep(step)
                try:
                    interrupt.check()
                except KeyboardInterrupt as stop:
                    keep(step)
                    stop.add_note(f"step {step} is kept in {folder}; --resume goes on from it")
                    raise
    finally:
        log.close()
        batches.close()  # type: ignore[attr-defined]
    said = {**about, "steps": str(settings.steps), "optimizer": settings.optimizer}
    save_network(average, name, net.settings, folder / WEIGHTS, said)
    return folder / WEIGHTS


def load(path: Path, name: str) -> HeartNetwork:
    """Read a rival's weights.

    Raises:
        FacewarpError: no such file, of something else, or MONAI is missing and it needs it.
    """
    return read_network(path, name, build)


def _step(
    net: HeartNetwork,
    batch: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    config: TrainConfig,
    step: int,
) -> dict[str, float]:
    random = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    fixed, moving = batch["fixed"], batch["moving"]
    turned = torch.rand(len(fixed), generator=random).reshape(-1, 1, 1, 1, 1) < 0.5
    fixed, moving = torch.where(turned, moving, fixed), torch.where(turned, fixed, moving)
    terms = net.terms(fixed, moving, random)
    loss = torch.stack(list(terms.values())).sum()
    if not torch.isfinite(loss):
        raise FacewarpError(f"the loss is not finite at step {step}", fix="Lower --lr.")
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
    optimizer.step()
    return {"loss": loss.item(), **{name: float(term.detach()) for name, term in terms.items()}}


@torch.no_grad()
def _follow(average: HeartNetwork, net: HeartNetwork, decay: float) -> None:
    for mean, value in zip(average.parameters(), net.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
