"""A training run, from its settings and its data to its weights; of faces and of hearts."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import torch

from facewarp.core.engines.device import present_device
from facewarp.core.weights import file_sha256, find_weights
from facewarp.errors import FacewarpError
from facewarp.training import checkpoint
from facewarp.training.config.overrides import with_overrides
from facewarp.training.config.paper_variants import at_size
from facewarp.training.config.presets import PRESETS, preset
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.distributed import ProcessGroup
from facewarp.training.trainer import CONFIG, WEIGHTS, BatchSource, Trainer


class TrainingData(Protocol):
    """What a model is trained on: photographs of faces, or hearts."""

    @property
    def description(self) -> str:
        """One line: what it is, and how many."""
        ...

    @property
    def size(self) -> int:
        """How many photographs or patients are trained on."""
        ...

    def batches(self, config: TrainConfig, workers: int) -> BatchSource:
        """Random views, made by so many threads."""
        ...


@dataclass(frozen=True)
class RunResult:
    """What a finished run left.

    Attributes:
        out: its folder.
        steps: optimisation steps done, those before a resumption included.
        best_validation_dice: percent, of the weights that were kept; NaN without validation.
        seconds: time of this part of the run.
        weights: the weights file.
        weights_sha256: its hash.
    """

    out: Path
    steps: int
    best_validation_dice: float
    seconds: float
    weights: Path
    weights_sha256: str


def run_config(
    folder: Path,
    preset_name: str | None,
    settings: Mapping[str, str],
    *,
    resume: bool,
    kind: str = "face",
    default: str = "face",
    size: str | None = None,
) -> TrainConfig:
    """The settings of a run: a preset's, or those the run was begun with when it is resumed.

    Args:
        folder: the run's folder.
        preset_name: the preset; None for the default, or for the run's own.
        settings: what to change, see `facewarp.training.config.overrides.with_overrides`.
        resume: go on with what is in `folder`.
        kind: of the model that the data are for, ``"face"`` or ``"heart"``.
        default: the preset of a new run.
        size: of what a new run's network works on, see `paper_variants.at_size`.

    Raises:
        FacewarpError: a run is in the way, or none is there to be resumed; another preset than
            the run's, or one for other data; a setting that doesn't exist; a folder that can't
            be written to.
    """
    _check_writable(folder)
    saved = folder / CONFIG
    if not resume:
        if (folder / checkpoint.NAME).exists():
            raise FacewarpError(
                "a run is here already", folder, "Go on with --resume, or choose another --out."
            )
        start = _of_kind(preset(preset_name or default), kind, "--preset")
        if size is not None:
            start = replace(start, model=at_size(start.model, size))
        return with_overrides(start, settings)
    if size is not None:
        raise FacewarpError("a run keeps its size", "--size", "Leave it out to go on.")
    if not saved.is_file():
        raise FacewarpError("there is no run to resume", folder, "Train without --resume.")
    config = TrainConfig.from_json(saved.read_text("utf-8"))
    if preset_name not in (None, config.preset):
        raise FacewarpError(
            f"the run is of preset {config.preset!r}", folder, "Leave --preset out to go on."
        )
    return _of_kind(with_overrides(config, settings), kind, folder)


def for_epochs(config: TrainConfig, epochs: float, size: int, processes: int = 1) -> TrainConfig:
    """The same settings for so many rounds through `size` photographs or patients.

    Args:
        config: the settings.
        epochs: rounds; of the optimiser ``"adam"`` the learning rate decays in each.
        size: how many photographs or patients a round has: as many pairs.
        processes: that share a step.
    """
    steps = max(1, round(epochs * size / (config.batch * processes)))
    return replace(config, steps=steps, epochs=epochs)


def prepare(
    config: TrainConfig,
    data: TrainingData,
    folder: Path,
    *,
    resume: bool = False,
    workers: int = 1,
    team: ProcessGroup | None = None,
    device: str = "cpu",
    start_from: str | None = None,
) -> Trainer:
    """A trainer, at the last checkpoint if the run is resumed.

    Args:
        config: the settings.
        data: what to train on.
        folder: the run's folder.
        resume: load its checkpoint.
        workers: threads that make batches.
        team: the processes that train together.
        device: where.
        start_from: a trained model to begin a new run with, a shipped one's name or a path.

    Raises:
        FacewarpError: there is no such device; see also `Trainer.load_checkpoint`.
    """
    team = team or ProcessGroup()
    whole = replace(config, batch=config.batch * team.size)
    about = {"training_data": data.description}
    if resume:
        about = {**_about(folder), **about}
    elif start_from is not None:
        about["started_from"] = file_sha256(find_weights(start_from))
    present_device(device)
    trainer = Trainer(config, data.batches(whole, workers), folder, about, team=team, device=device)
    if resume:
        trainer.load_checkpoint()
    elif start_from is not None:
        trainer.start_from(find_weights(start_from))
    return trainer


def wastes_matrix_units(config: TrainConfig, device: str) -> bool:
    """Whether half precision would be quicker: the processor has units for it that lie idle."""
    told: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and config.precision == "float32" and bool(told.get("amx_bf16"))


def trained_on(folder: Path) -> str | None:
    """The description of the data a run was begun with, if it is recorded."""
    return _about(folder).get("training_data")


def result_of(trainer: Trainer, seconds: float) -> RunResult:
    """What a trainer that has run left behind, having taken `seconds`."""
    weights = trainer.folder / WEIGHTS
    best = trainer.best if math.isfinite(trainer.best) else math.nan
    return RunResult(trainer.folder, trainer.step, best, seconds, weights, file_sha256(weights))


def _about(folder: Path) -> dict[str, str]:
    about: dict[str, str] = json.loads((folder / CONFIG).read_text("utf-8")).get("about", {})
    return about


def _of_kind(config: TrainConfig, kind: str, where: str | Path) -> TrainConfig:
    if config.model.kind != kind:
        what = f"the preset {config.preset!r} is for a {config.model.kind} model, not a {kind}'s"
        fitting = ", ".join(name for name, p in PRESETS.items() if p.model.kind == kind)
        raise FacewarpError(what, where, f"Choose one of {fitting}.")
    return config


def _check_writable(folder: Path) -> None:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise FacewarpError("can't write here", folder, "Choose another folder with --out.")
