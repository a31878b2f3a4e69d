"""`facewarp train`: train a face or heart model, and resume its training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facewarp.cli.console import output_of
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
from facewarp.cli.models.train_run import train_in_group
from facewarp.cli.option_groups import existing, option_groups, parse_share

if TYPE_CHECKING:
    from facewarp.training.config.train_config import TrainConfig
    from facewarp.training.dataloading.face_data import FaceData
    from facewarp.training.dataloading.heart_data import HeartData
    from facewarp.training.dataloading.slice_data import SliceData
    from facewarp.training.details.data import DetailData
    from facewarp.training.occlusion.matte_data import MatteData

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

    train_in_group(output_of(ctx), run, process, "face", "helen", photographs)


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

    train_in_group(output_of(ctx), run, process, "face", "celebamask", photographs)


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

    train_in_group(output_of(ctx), run, process, "heart", "acdc", patients)


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

    train_in_group(output_of(ctx), run, process, "occlusion", "occlusion", photographs)


def _details(photographs: "FaceData") -> "DetailData":
    """Return the same photographs for a part network of eyes and mouth."""
    from facewarp.training.details.data import detail_training_data

    return detail_training_data(photographs)
