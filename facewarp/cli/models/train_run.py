"""A run of `facewarp train`: read the data, train, and tell how it goes."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from facewarp.cli.console import Output
from facewarp.cli.models.train_options import ProcessChoice, RunChoice

if TYPE_CHECKING:
    from facewarp.core.networks.guided_registration import GuidedRegistration
    from facewarp.training.config.train_config import TrainConfig
    from facewarp.training.dataloading.face_data import FaceData
    from facewarp.training.dataloading.heart_data import HeartData
    from facewarp.training.dataloading.slice_data import SliceData
    from facewarp.training.details.data import DetailData
    from facewarp.training.distributed import ProcessGroup
    from facewarp.training.occlusion.matte_data import MatteData
    from facewarp.training.run import Kind, RunOptions, RunResult
    from facewarp.training.trainer import StepReport, Trainer, Validate

    Data = DetailData | FaceData | HeartData | MatteData | SliceData
    Read = Callable[[TrainConfig], Data]


def train_in_group(
    output: Output,
    run: RunChoice,
    process: ProcessChoice,
    kind: "Kind",
    dataset: str,
    read: "Read",
) -> None:
    """Train in each process of a group; only the first prints.

    Args:
        output: what people and programs are told by.
        run: options of the run.
        process: of the process.
        kind: of the network.
        dataset: name of the command, as checkpoints carry it.
        read: reads the data for a configuration.
    """
    run.check(dataset)

    import torch

    from facewarp.system.memory import keep_freed_memory
    from facewarp.training.distributed import ProcessGroup

    keep_freed_memory()
    if process.threads is not None:
        torch.set_num_threads(process.threads)
    group = ProcessGroup.join(process.device)
    if not group.leads:
        output = Output(quiet=True)
    try:
        _train_in(group, output, run.options(kind, dataset, process), read)
    finally:
        group.leave()


def _train_in(group: "ProcessGroup", output: Output, options: "RunOptions", read: "Read") -> None:
    from facewarp.system.atomic_folder import locked
    from facewarp.training.run import (
        UNITS,
        changed_data,
        describe_run,
        plan_run,
        result_of,
        start_run,
    )

    config = plan_run(options)
    with locked(options.folder) if group.leads else nullcontext():
        output.say(f"Reading {UNITS[options.kind]} ...")
        data = read(config)
        if before := changed_data(options, data):
            output.warn(f"the run was begun with {before}; now it is {data.description}")
        trainer = start_run(options, config, data, group)
        for sentence in describe_run(options, trainer, data):
            output.say(escape(sentence))
        began = time.perf_counter()
        _run(output, trainer, data)
        if group.leads:
            result = result_of(trainer, time.perf_counter() - began)
            output.emit_json(result)
            output.say(_ending(result))


def _validator(data: "Data", config: "TrainConfig", folder: Path) -> "Validate":
    from facewarp.training.dataloading.face_data import FaceData
    from facewarp.training.details.data import DetailData

    if isinstance(data, FaceData):
        from facewarp.training.validation.faces import Validator

        return Validator(data.held_out, folder)
    from facewarp.training.occlusion.matte_data import MatteData

    if isinstance(data, MatteData):
        from facewarp.training.occlusion.matte_scores import MatteValidator

        return MatteValidator(data.held_out, folder)
    if isinstance(data, DetailData):
        from facewarp.training.validation.details import DetailValidator

        return DetailValidator(data.held_out, folder)
    if not config.model.steps:
        from facewarp.training.validation.slices import SliceValidator

        return SliceValidator(data.held_out, folder)
    from facewarp.training.validation.hearts import HeartValidator

    return HeartValidator(data.held_out, folder, whole=not config.view_shape)


def _run(output: Output, trainer: "Trainer", data: "Data") -> None:
    """Train to the end, and tell each validation and, without a bar, how fast it goes."""
    from facewarp.training.run import unit_of

    config = trainer.config
    checks = data.held_out and trainer.team.leads
    validator = _validator(data, config, trainer.folder) if checks else None

    def validate(net: "GuidedRegistration", step: int) -> dict[str, float]:
        assert validator is not None
        scores = validator(net, step)
        best = "" if scores["dice_mean"] < trainer.best else ", the best so far"
        _tell(output, f"step {step}: {_told(scores, config)}{best}")
        return scores

    total = config.batch * (config.steps - trainer.step)
    pace = _Pace(config, unit_of(config))
    with output.progress("training", total=max(total, 0), unit=pace.unit) as advance:

        def watch(report: "StepReport") -> None:
            loss = report.terms["loss"]
            advance(config.batch, description=f"step {report.step}, loss {loss:.3f}")
            told = pace(report)
            if told and not output.stderr.is_terminal:  # no bar is drawn there
                _tell(output, told)

        trainer.run(validate if validator else None, watch)


class _Pace:
    """Tells at every checkpoint how fast the steps since the last one were.

    Args:
        config: of the training.
        unit: what is counted a second.
    """

    def __init__(self, config: "TrainConfig", unit: str) -> None:
        self._config, self.unit = config, unit
        self._times: list[float] = []

    def __call__(self, report: "StepReport") -> str:
        """Take in a step; return a sentence at a checkpoint, "" at other steps."""
        config, times = self._config, self._times
        times.append(report.seconds)
        if report.step % config.checkpoint_every:
            return ""
        each = sum(times) / len(times)
        times.clear()
        return (
            f"step {report.step}: loss {report.terms['loss']:.3f}, "
            f"{config.batch / each:.1f} {self.unit}/s, "
            f"{(config.steps - report.step) * each / 60:.0f} min left"
        )


def _told(scores: dict[str, float], config: "TrainConfig") -> str:
    """Return what a validation found, in words."""
    if "iou" in scores:
        return _occlusion_told(scores)
    if not config.model.steps:
        return _details_told(scores) if "dice_lips" in scores else _slices_told(scores)
    px, mm = scores.get("contour_px"), scores.get("hd95_mm")
    own = f", own parts {scores['parts_dice']:.1f}" if config.model.guided else ""
    away = f"contour {px:.2f} px" if px is not None else f"HD95 {mm:.1f} mm"
    return (
        f"validation Dice {scores['dice_mean']:.1f} (unregistered "
        f"{scores['dice_initial']:.1f}{own}), {away}, folds {scores['folds_percent']:.2f} %"
    )


def _occlusion_told(scores: dict[str, float]) -> str:
    return (
        f"IoU of what is hidden {scores['iou']:.1f} %, false alarms on free faces "
        f"{scores['false_alarms']:.2f} %, mean error of the matte {scores['error']:.2f} %"
    )


def _slices_told(scores: dict[str, float]) -> str:
    return (
        f"validation Dice {scores['dice_mean']:.1f} (RV {scores['dice_rv']:.1f}, myocardium "
        f"{scores['dice_myo']:.1f}, LV {scores['dice_lv']:.1f}), LV EDV {scores['edv_mae_ml']:.1f} "
        f"ml off (bias {scores['edv_bias_ml']:+.1f}), EF {scores['ef_mae']:.1f} points "
        f"(bias {scores['ef_bias']:+.1f})"
    )


def _details_told(scores: dict[str, float]) -> str:
    return (
        f"validation Dice {scores['dice_mean']:.1f} (lips {scores['dice_lips']:.1f}, inner mouth "
        f"{scores['dice_inner_mouth']:.1f}, eyes {scores['dice_eye']:.1f}), openings off by "
        f"{scores['mouth_mae_px']:.2f} px (slope {scores['mouth_slope']:.2f}), eyes by "
        f"{scores['eye_mae_px']:.2f} px (slope {scores['eye_slope']:.2f})"
    )


def _tell(output: Output, text: str) -> None:
    """Print a line above the progress bar."""
    if not output.quiet:
        output.stderr.print(text, soft_wrap=True)


def _ending(result: "RunResult") -> str:
    best = result.best_validation_dice
    dice = f", best validation Dice {best:.2f}" if best == best else ""
    minutes = (
        f"{result.seconds / 60:.0f} min" if result.seconds >= 90 else f"{result.seconds:.0f} s"
    )
    return (
        f"Trained {result.steps} steps in {minutes}{dice}.\n"
        f"Weights: {result.weights} (sha256 {result.weights_sha256[:12]})"
    )
