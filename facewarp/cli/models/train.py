"""`facewarp train`: train a face or heart model, and resume its training."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from facewarp.cli.console import Output, output_of
from facewarp.cli.model_options import known_model
from facewarp.cli.models.train_baseline import baseline
from facewarp.cli.models.train_options import (
    Extra,
    HeartProcessChoice,
    HeartRunChoice,
    OcclusionRunChoice,
    ProcessChoice,
    RunChoice,
    parse_held_out,
)
from facewarp.cli.option_groups import existing, option_groups, parse_share

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

train = typer.Typer(help="Train a model on annotated photographs or scans.", no_args_is_help=True)
train.command()(baseline)


@train.command()
@option_groups
def helen(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing,
            help="NAME.jpg with NAME.pts, Smith's layout, or a folder with trainset/ and afw/.",
        ),
    ],
    *,
    run: RunChoice,
    extra: Extra = None,
    celebamask: Annotated[
        Path | None,
        typer.Option(callback=existing, help="Train on CelebAMask-HQ's images/ and masks/ too."),
    ] = None,
    celebamask_share: Annotated[
        float,
        typer.Option(
            parser=parse_share, metavar="SHARE", help="Share of the views from it, 0 to 1."
        ),
    ] = 0.3,
    process: ProcessChoice,
) -> None:
    """Train on photographs with 68 points, or with Smith's part labels of Helen.

    Of a folder with trainset/ and afw/ in it both are trained on, and nothing else. Every 24th
    photograph of the training set is kept for validation; a test set is never read.

    Examples:
      facewarp train helen --data helen
      facewarp train helen --data helen --preset face-details --out runs/details
      facewarp train helen --data helen --resume
    """

    def photographs(config: "TrainConfig") -> "DetailData | FaceData":
        from facewarp.training.dataloading.face_data import helen_training_data

        found = helen_training_data(
            data,
            extra=extra or (),
            celebamask=celebamask,
            celebamask_share=celebamask_share,
            hold_out=process.validate,
        )
        return found if config.model.steps else _details(found)

    _train(output_of(ctx), run, process, "face", "helen", photographs)


@train.command("celebamask")
@option_groups
def celebamask_(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing, help="A folder with images/ and masks/, or with such a train/ in it."
        ),
    ],
    *,
    run: RunChoice,
    extra: Extra = None,
    process: ProcessChoice,
) -> None:
    """Train on photographs of CelebAMask-HQ, with their masks made by hand.

    Every 24th photograph is kept for validation; val/ is never read.

    Examples:
      facewarp train celebamask --data celebamask
      facewarp train celebamask --data celebamask --start-from face --steps 2000
    """

    def photographs(config: "TrainConfig") -> "DetailData | FaceData":
        from facewarp.training.dataloading.face_data import celebamask_training_data

        found = celebamask_training_data(data, extra=extra or (), hold_out=process.validate)
        return found if config.model.steps else _details(found)

    _train(output_of(ctx), run, process, "face", "celebamask", photographs)


@train.command()
@option_groups
def acdc(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing, help="The challenge's patients: folders with Info.cfg, at any depth."
        ),
    ],
    *,
    run: HeartRunChoice,
    held_out: Annotated[
        range | None,
        typer.Option(
            parser=parse_held_out,
            metavar="FIRST-LAST",
            help="Of every 20 patients, those that choose the weights; the others are trained on. "
            "--preset acdc-slices only.",
            show_default="18-20",
        ),
    ] = None,
    process: HeartProcessChoice,
) -> None:
    """Train on cine MRI of ACDC: end-diastole and end-systole, with their labels.

    Of every 20 patients 1 to 14 are trained on and 15 to 17 choose the weights. 18 to 20 and the
    challenge's own test patients, 101 to 150, are never read. The part network of single slices,
    --preset acdc-slices, learns from 1 to 17 and is chosen by 18 to 20 (--held-out).

    Examples:
      facewarp train acdc --data acdc
      facewarp train acdc --data acdc --preset acdc-slices --held-out 18-20
    """

    def patients(config: "TrainConfig") -> "HeartData | SliceData":
        if not config.model.steps:
            from facewarp.training.dataloading.slice_data import slice_training_data

            return slice_training_data(data, held_out=held_out, hold_out=process.validate)
        if held_out is not None:
            raise typer.BadParameter("only --preset acdc-slices takes it", param_hint="--held-out")
        from facewarp.training.dataloading.heart_data import heart_training_data

        return heart_training_data(data, config.model, hold_out=process.validate)

    _train(output_of(ctx), run, process, "heart", "acdc", patients)


@train.command()
@option_groups
def occlusion(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing,
            help="CelebAMask-HQ's images/ and masks/, or a folder with such a train/.",
        ),
    ],
    *,
    run: OcclusionRunChoice,
    helen: Annotated[
        Path | None,
        typer.Option(
            callback=existing,
            help="Train on NAME.jpg with NAME.pts too, or on trainset/ and afw/ in it.",
        ),
    ] = None,
    screen: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            callback=known_model,
            help="A network trained without --helen: its photographs with something before the "
            "face, as far as that network sees it, are left out.",
        ),
    ] = None,
    process: ProcessChoice,
) -> None:
    """Train the network that finds what hides a face: hands, hair, glasses, microphones.

    Objects of known alpha, made by the program, are put before the photographs' faces. Every 24th
    photograph is kept for validation; val/ and testset/ are never read.

    Examples:
      facewarp train occlusion --data celebamask --out runs/first
      facewarp train occlusion --data celebamask --helen helen --screen runs/first
    """

    def photographs(_: "TrainConfig") -> "MatteData":
        from facewarp.core.weights import find_weights, load_weights
        from facewarp.training.occlusion.matte_data import matte_training_data
        from facewarp.training.occlusion.matte_scores import matte_of

        matte = matte_of(load_weights(find_weights(screen))[0]) if screen else None
        return matte_training_data(data, helen, screen=matte, hold_out=process.validate)

    _train(output_of(ctx), run, process, "occlusion", "occlusion", photographs)


def _details(photographs: "FaceData") -> "DetailData":
    """Return the same photographs for a part network of eyes and mouth."""
    from facewarp.training.details.data import detail_training_data

    return detail_training_data(photographs)


def _train(
    output: Output,
    run: RunChoice,
    process: ProcessChoice,
    kind: "Kind",
    dataset: str,
    read: "Read",
) -> None:
    """Train in each process of a group; only the first prints."""
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
    from facewarp.training.run import unit_of

    config = trainer.config
    checks = data.held_out and trainer.team.leads
    validator = _validator(data, config, trainer.folder) if checks else None

    def validate(net: "GuidedRegistration", step: int) -> dict[str, float]:
        assert validator is not None
        scores = validator(net, step)
        best = "" if scores["dice_mean"] < trainer.best else ", the best so far"
        if "iou" in scores:
            _tell(output, f"step {step}: {_occlusion_told(scores)}{best}")
            return scores
        if not config.model.steps:
            told = _details_told if "dice_lips" in scores else _slices_told
            _tell(output, f"step {step}: {told(scores)}{best}")
            return scores
        px, mm = scores.get("contour_px"), scores.get("hd95_mm")
        own = f", own parts {scores['parts_dice']:.1f}" if config.model.guided else ""
        away = f"contour {px:.2f} px" if px is not None else f"HD95 {mm:.1f} mm"
        _tell(
            output,
            f"step {step}: validation Dice {scores['dice_mean']:.1f} (unregistered "
            f"{scores['dice_initial']:.1f}{own}), {away}, "
            f"folds {scores['folds_percent']:.2f} %{best}",
        )
        return scores

    total = config.batch * (config.steps - trainer.step)
    unit = unit_of(config)
    with output.progress("training", total=max(total, 0), unit=unit) as advance:
        times: list[float] = []

        def watch(report: "StepReport") -> None:
            loss = report.terms["loss"]
            advance(config.batch, description=f"step {report.step}, loss {loss:.3f}")
            times.append(report.seconds)
            if report.step % config.checkpoint_every == 0:
                if not output.stderr.is_terminal:  # no bar is drawn there
                    speed = config.batch * len(times) / sum(times)
                    left = (config.steps - report.step) * sum(times) / len(times) / 60
                    _tell(
                        output,
                        f"step {report.step}: loss {loss:.3f}, {speed:.1f} {unit}/s, "
                        f"{left:.0f} min left",
                    )
                times.clear()

        trainer.run(validate if validator else None, watch)


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
