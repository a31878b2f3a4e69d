"""A training run, from its settings and its data to its weights; of faces and of hearts."""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from facewarp.core.weights import file_sha256
from facewarp.errors import FacewarpError
from facewarp.training import checkpoint
from facewarp.training.presets import PRESETS, TrainConfig, preset, with_settings
from facewarp.training.trainer import CONFIG, WEIGHTS, BatchSource, Trainer


class TrainingData(Protocol):
    """What a model is trained on: photographs of faces, or hearts."""

    @property
    def description(self) -> str:
        """One line: what it is, and how many."""
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
) -> TrainConfig:
    """The settings of a run: a preset's, or those the run was begun with when it is resumed.

    Args:
        folder: the run's folder.
        preset_name: the preset; None for the default, or for the run's own.
        settings: what to change, see `facewarp.training.presets.with_settings`.
        resume: go on with what is in `folder`.
        kind: of the model that the data are for, ``"face"`` or ``"heart"``.
        default: the preset of a new run.

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
        return with_settings(start, settings)
    if not saved.is_file():
        raise FacewarpError("there is no run to resume", folder, "Train without --resume.")
    config = TrainConfig.from_json(saved.read_text("utf-8"))
    if preset_name not in (None, config.preset):
        raise FacewarpError(
            f"the run is of preset {config.preset!r}", folder, "Leave --preset out to go on."
        )
    return _of_kind(with_settings(config, settings), kind, folder)


def prepare(
    config: TrainConfig,
    data: TrainingData,
    folder: Path,
    *,
    resume: bool = False,
    workers: int = 1,
) -> Trainer:
    """A trainer, at the last checkpoint if the run is resumed.

    Args:
        config: the settings.
        data: what to train on.
        folder: the run's folder.
        resume: load its checkpoint.
        workers: threads that make batches.
    """
    batches = data.batches(config, workers)
    trainer = Trainer(config, batches, folder, {"training_data": data.description})
    if resume:
        trainer.load_checkpoint()
    return trainer


def trained_on(folder: Path) -> str | None:
    """The description of the data a run was begun with, if it is recorded."""
    about = json.loads((folder / CONFIG).read_text("utf-8")).get("about", {})
    return about.get("training_data")


def result_of(trainer: Trainer, seconds: float) -> RunResult:
    """What a trainer that has run left behind, having taken `seconds`."""
    weights = trainer.folder / WEIGHTS
    best = trainer.best if math.isfinite(trainer.best) else math.nan
    return RunResult(trainer.folder, trainer.step, best, seconds, weights, file_sha256(weights))


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
