"""`facewarp eval`: measure a face model on photographs; hearts are in `evaluate_hearts`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output, output_of
from facewarp.cli.hearts.evaluate_phantoms import phantom
from facewarp.cli.model_options import ENGINE_NAMES, Thorough, Threads
from facewarp.cli.models.compare import ComparisonOptions, check_outputs, compare_faces
from facewarp.cli.models.evaluate_hearts import ModelName, acdc, mnms, mnms2, number
from facewarp.cli.option_groups import existing, option_groups
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.datasets.photo import FacePhoto
    from facewarp.training.evaluation.faces import FaceEvaluation

evaluate = typer.Typer(
    help="Measure a model on annotated photographs or scans.", no_args_is_help=True
)


@dataclass(frozen=True)
class FaceEvaluationOptions:
    """Options of the evaluation of a face model."""

    model: ModelName = "face"
    seed: Annotated[int, typer.Option(min=0, help="Of the crops.")] = 0
    limit: Annotated[int | None, typer.Option(min=2, help="Only the first photographs.")] = None
    pairs_csv: Annotated[
        Path | None, typer.Option(help="Write a row per pair to this CSV file.")
    ] = None
    picture: Annotated[
        Path | None, typer.Option(help="Write the best, the median and the worst pair as PNG.")
    ] = None
    engine: Annotated[
        str, typer.Option(metavar="NAME", help=f"What runs the model: {ENGINE_NAMES}.")
    ] = "torch"
    thorough: Thorough = False
    threads: Threads = None


@evaluate.command()
@option_groups
def helen(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing,
            help="NAME.jpg with NAME.pts, a folder with such a testset/, or Smith's layout.",
        ),
    ],
    *,
    options: FaceEvaluationOptions,
    compared: ComparisonOptions,
) -> None:
    """Measure on photographs with 68 points, or with Smith's part labels of Helen.

    In name order each photograph is registered to the one before it, the first to the last;
    crops are cut at random, the same for a seed. Dice is the mean over the parts present in a
    pair, then over pairs. With --methods all, baselines and presets are measured on the same pairs;
    those not trained yet are named with the command that trains them.

    Examples:
      facewarp eval helen --data helen
      facewarp eval helen --data helen --model runs/helen-face --thorough
      facewarp eval helen --data helen --methods all --figures comparison/
    """
    from facewarp.training.dataloading.face_data import helen_test_photos

    _evaluate(output_of(ctx), "helen", data, helen_test_photos, options, compared)


@evaluate.command()
@option_groups
def celebamask(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing, help="A folder with images/ and masks/, or with such a val/ in it."
        ),
    ],
    *,
    options: FaceEvaluationOptions,
    compared: ComparisonOptions,
) -> None:
    """Measure on photographs of CelebAMask-HQ, with their masks made by hand.

    Pairs and Dice are those of `facewarp eval helen`.

    Examples:
      facewarp eval celebamask --data celebamask
      facewarp eval celebamask --data celebamask --thorough --json
    """
    from facewarp.training.dataloading.face_data import celebamask_test_photos

    _evaluate(output_of(ctx), "celebamask", data, celebamask_test_photos, options, compared)


for _command in (acdc, mnms, mnms2, phantom):
    evaluate.command()(_command)


def _evaluate(
    output: Output,
    dataset: str,
    data: Path,
    read: "Callable[[Path], tuple[str, list[FacePhoto]]]",
    options: FaceEvaluationOptions,
    compared: ComparisonOptions,
) -> None:
    """Register the pairs of a dataset, measure, and print the result."""
    import torch

    from facewarp.core.model import load
    from facewarp.training.datasets.crops import load_test_crops
    from facewarp.training.evaluation.faces import evaluate_faces, write_pairs_csv

    check_outputs((options.pairs_csv, options.picture), compared.figures)
    output.say("Reading photographs ...")
    split, photos = read(data)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    crops = load_test_crops(photos[: options.limit], options.seed)
    if compared.methods is not None:
        if options.thorough:
            what, fix = "methods are compared by one look at each face", "Leave one of the two out."
            raise FacewarpError(what, "--thorough --methods", fix)
        compare_faces(output, compared, crops, options.model, dataset, split, options.seed)
        return
    loaded = load(options.model, engine=options.engine)
    if options.thorough:
        from facewarp.face.tracking.augmented_inference import with_augmentation

        loaded = with_augmentation(loaded)
    with output.progress(f"evaluating {dataset}", total=len(crops), unit="pairs") as advance:
        found, scores = evaluate_faces(
            loaded, crops, dataset, options.seed, split=split, advance=advance
        )
    if options.pairs_csv is not None:
        write_pairs_csv(options.pairs_csv, scores)
    if options.picture is not None:
        from facewarp.drawing.png import write_png
        from facewarp.training.validation.face_sheets import sheet
        from facewarp.training.validation.faces import example_pictures

        write_png(options.picture, sheet(example_pictures(loaded, crops, scores)))
    runs = loaded.engine.summary
    output.emit_json({**found.to_dict(), "model": options.model, "data": data, "engine": runs})
    output.say(_table(found))
    output.say(_facts(found, options.model, runs))
    for written in (options.pairs_csv, options.picture):
        if written is not None:
            output.say(f"Written: {escape(str(written))}")


def _table(found: "FaceEvaluation") -> Table:
    table = Table(title=f"{found.dataset} {found.split}: {found.n_pairs} pairs")
    table.add_column("part")
    table.add_column("Dice %", justify="right")
    table.add_column("contour px", justify="right")
    for part, dice in found.dice_per_part.items():
        distance = found.contour_per_part_px[part]
        table.add_row(part.replace("_", " "), number(dice, 1), number(distance, 2))
    table.add_section()
    table.add_row("[bold]mean[/]", f"[bold]{found.dice_mean:.1f}[/]", number(found.contour_px, 2))
    before = (number(found.dice_initial, 1), number(found.contour_initial_px, 2))
    table.add_row("unregistered", *before, style="dim")
    return table


def _facts(found: "FaceEvaluation", model: str, engine: str) -> str:
    facts = {
        "Dice": f"{found.dice_mean:.1f} %, standard deviation over pairs {found.dice_std:.1f}",
        "landmarks": f"{number(found.landmark_px, 2)} px of the crop off"
        if found.landmark_px == found.landmark_px
        else "none in this data set",
        "Jacobian": f"standard deviation {found.jacobian_std:.3f}",
        "folds": f"{found.folds_percent:.3f} % of the pixels",
        "own parts": f"Dice {number(found.parts_dice, 1)} %, the network's without registration",
        "time": f"{1000 * found.seconds_per_pair:.1f} ms a pair (median)",
        "crops": f"seed {found.seed}",
        "model": f"{escape(model)}, {found.parameters / 1e6:.2f} M parameters",
        "sha256": found.weights_sha256,
        "engine": engine,
        "machine": escape(found.machine),
    }
    return "\n".join(f"[bold]{name:<10}[/] {text}" for name, text in facts.items())
