"""Run a training, from options and data to weights; of faces and of hearts.

`plan_run` checks the options before any data are read, `start_run` makes the trainer,
`describe_run` says what it will do, `result_of` what it left.
"""

import json
import math
import os
from collections.abc import Mapping, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

import torch

from facewarp.cardiac.motion.slice_parts import SLICES
from facewarp.core.engines.torch_engine import present_device
from facewarp.core.weights import WEIGHTS, file_sha256, find_weights, load_weights
from facewarp.errors import FacewarpError
from facewarp.face.details.patches import KIND as DETAILS
from facewarp.face.occlusion.network import OCCLUSION
from facewarp.training import checkpoint
from facewarp.training.config.overrides import with_overrides
from facewarp.training.config.paper_variants import at_size
from facewarp.training.config.presets import PRESETS, preset
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.distributed import ProcessGroup
from facewarp.training.optimizer import learning_rate
from facewarp.training.trainer import BatchSource, Trainer

Kind = Literal["face", "heart", "occlusion"]
DEFAULT_PRESETS: Mapping[Kind, str] = {
    "face": "face",
    "heart": "acdc",
    "occlusion": "face-occlusion",
}
MODEL_KINDS: Mapping[str, tuple[str, ...]] = {
    "face": ("face", DETAILS),
    "heart": ("heart", SLICES),
    "occlusion": (OCCLUSION,),
}
UNITS: Mapping[Kind, str] = {
    "face": "photographs",
    "heart": "patients",
    "occlusion": "photographs",
}


class TrainingData(Protocol):
    """A training set: photographs of faces, or hearts."""

    @property
    def description(self) -> str:
        """One line: what it is, and how many."""
        ...

    @property
    def size(self) -> int:
        """How many photographs or patients are trained on."""
        ...

    @property
    def held_out(self) -> Sized:
        """The photographs or patients kept out of training, for validation."""
        ...

    def batches(self, config: TrainConfig, workers: int) -> BatchSource:
        """Return augmented views, made by `workers` threads."""
        ...


@dataclass(frozen=True)
class RunOptions:
    """Options of a training run.

    Attributes:
        folder: of the run.
        kind: of the model that the data are for.
        preset: its name; None for the default, or for the run's own when it is resumed.
        settings: of the preset to change, see `overrides.with_overrides`.
        epochs: length of the training, in place of the setting ``steps``.
        size: of what a new run's network works on, see `paper_variants.at_size`.
        resume: continue the run in `folder` from its checkpoint.
        start_from: a trained model to begin a new run with, a shipped one's name or a path.
        workers: threads that make batches.
        device: ``"cpu"`` or ``"cuda"``.
    """

    folder: Path
    kind: Kind = "face"
    preset: str | None = None
    settings: Mapping[str, str] = field(default_factory=dict)
    epochs: float | None = None
    size: str | None = None
    resume: bool = False
    start_from: str | None = None
    workers: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class RunResult:
    """What a finished run left.

    Attributes:
        out: its folder.
        steps: optimization steps done, including those before a resumption.
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


_MAX_EPOCHS = 1e6


def plan_run(options: RunOptions) -> TrainConfig:
    """Check the options of a run, and return its configuration; no data are read for it.

    Raises:
        FacewarpError: there is no such device or model, two options contradict one another, or
            as `run_config` does.
    """
    present_device(options.device)
    if options.epochs is not None and "steps" in options.settings:
        what = "steps and epochs both say how long to train"
        raise FacewarpError(what, "--epochs", "Give one of them.")
    if options.epochs is not None and not 0 < options.epochs < _MAX_EPOCHS:
        what = f"{options.epochs:g} epochs can't be trained"
        raise FacewarpError(what, "--epochs", f"Give less than {_MAX_EPOCHS:g}.")
    most = 4 * (os.cpu_count() or 1)
    if not 1 <= options.workers <= most:
        what = f"{options.workers} threads can't make batches here"
        raise FacewarpError(what, "--workers", f"Give 1 to {most}.")
    if options.resume and options.start_from is not None:
        what = "a run that is resumed has weights of its own"
        raise FacewarpError(what, "--start-from", "Give one of the two.")
    config = run_config(
        options.folder,
        options.preset,
        options.settings,
        resume=options.resume,
        kind=options.kind,
        default=DEFAULT_PRESETS[options.kind],
        size=options.size,
    )
    if options.start_from is not None:
        load_weights(find_weights(options.start_from))
    return config


def start_run(
    options: RunOptions, config: TrainConfig, data: TrainingData, group: ProcessGroup
) -> Trainer:
    """Return the trainer of a planned run.

    Args:
        options: of the run.
        config: by `plan_run`.
        data: to train on.
        group: the processes that train together.

    Raises:
        FacewarpError: as `prepare` does.
    """
    if options.epochs is not None:
        config = for_epochs(config, options.epochs, data.size, group.size)
    return prepare(
        config,
        data,
        options.folder,
        resume=options.resume,
        workers=options.workers,
        team=group,
        device=options.device,
        start_from=options.start_from,
    )


def describe_run(options: RunOptions, trainer: Trainer, data: TrainingData) -> list[str]:
    """Describe a run that is about to start, in sentences: length, learning rate, validation."""
    config, processes = trainer.config, trainer.team.size
    together = f" in each of {processes} processes" if processes > 1 else ""
    resumed = f", from step {trainer.step} on" if options.resume else ""
    epochs = config.steps * config.batch * processes / data.size
    first, last = (learning_rate(config, step) for step in (config.warmup, config.steps - 1))
    lines = [
        f"Training preset {config.preset} on {data.description}: {config.steps} steps of "
        f"{config.batch} {unit_of(config)}{together}{resumed}, into {options.folder}",
        f"That is {epochs:.3g} rounds through them; the learning rate is {first:.2g} at first and "
        f"{last:.2g} at last.",
    ]
    if wastes_matrix_units(config, options.device):
        lines.append("This processor trains about 1.5 times as fast with --set precision=bfloat16.")
    if held_out := len(data.held_out):
        lines.append(
            f"Validating on {held_out} {UNITS[options.kind]} of the training set that are kept "
            "out of training; the test set is not touched."
        )
    return lines


def unit_of(config: TrainConfig) -> str:
    """Return what a batch is counted in."""
    if config.model.steps:
        return "pairs"
    return "views" if config.model.kind.startswith("face") else "slices"


def run_config(
    folder: Path,
    preset_name: str | None,
    settings: Mapping[str, str],
    *,
    resume: bool,
    kind: Kind = "face",
    default: str = "face",
    size: str | None = None,
) -> TrainConfig:
    """Return the configuration of a run: a preset's, or its own when the run is resumed.

    Args:
        folder: the run's folder.
        preset_name: the preset; None for the default, or for the run's own.
        settings: what to change, see `overrides.with_overrides`.
        resume: continue the run in `folder`.
        kind: of the model that the data are for, ``"face"`` or ``"heart"``.
        default: the preset of a new run.
        size: of what a new run's network works on, see `paper_variants.at_size`.

    Raises:
        FacewarpError: a run is in the way, or none is there to be resumed; another preset than
            the run's, or one for other data; a setting that doesn't exist; a folder that can't
            be written to.
    """
    _check_writable(folder)
    saved = folder / checkpoint.CONFIG
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
    try:
        config = TrainConfig.from_json(saved.read_text("utf-8"))
    except (ValueError, AttributeError, RecursionError, OSError) as error:
        what = "the run's configuration can't be read"
        raise FacewarpError(what, saved, "Restore it, or train anew elsewhere.") from error
    if preset_name not in (None, config.preset):
        raise FacewarpError(
            f"the run is of preset {config.preset!r}", folder, "Leave --preset out to go on."
        )
    return _of_kind(with_overrides(config, settings), kind, folder)


def for_epochs(config: TrainConfig, epochs: float, size: int, processes: int = 1) -> TrainConfig:
    """Return the configuration for a training of `epochs` rounds through the data.

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
    """Make the trainer of a run, at its last checkpoint if it is resumed.

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
    """Whether bfloat16 would train faster: the processor has matrix units for it that lie idle."""
    units: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return device == "cpu" and config.precision == "float32" and bool(units.get("amx_bf16"))


def changed_data(options: RunOptions, data: TrainingData) -> str | None:
    """Return the description of the data a resumed run was begun with, where they have changed."""
    before = _about(options.folder).get("training_data") if options.resume else None
    return None if before == data.description else before


def result_of(trainer: Trainer, seconds: float) -> RunResult:
    """Return what a trainer that has run for `seconds` left."""
    weights = trainer.folder / WEIGHTS
    best = trainer.best if math.isfinite(trainer.best) else math.nan
    return RunResult(trainer.folder, trainer.step, best, seconds, weights, file_sha256(weights))


def _about(folder: Path) -> dict[str, str]:
    about: dict[str, str] = json.loads((folder / checkpoint.CONFIG).read_text("utf-8")).get(
        "about", {}
    )
    return about


def _of_kind(config: TrainConfig, kind: str, where: str | Path) -> TrainConfig:
    if config.model.kind not in MODEL_KINDS[kind]:
        what = f"the preset {config.preset!r} is for a {config.model.kind} model, not a {kind}'s"
        fitting = ", ".join(n for n, p in PRESETS.items() if p.model.kind in MODEL_KINDS[kind])
        raise FacewarpError(what, where, f"Choose one of {fitting}.")
    return config


def _check_writable(folder: Path) -> None:
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise FacewarpError("can't write here", folder, "Choose another folder with --out.")
