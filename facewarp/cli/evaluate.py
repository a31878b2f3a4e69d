"""``facewarp eval``: measure a face model on photographs, or a heart model on cine MRI."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.compare import (
    Compared,
    Figures,
    FlowNet,
    Landmarker,
    Methods,
    Runs,
    compare_faces,
)
from facewarp.cli.compare_hearts import HeartMethods, compare_hearts
from facewarp.cli.console import Output, output_of
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.datasets.photo import FacePhoto
    from facewarp.training.evaluate import FaceEvaluation
    from facewarp.training.evaluate_hearts import HeartEvaluation

evaluate = typer.Typer(
    help="Measure a model on annotated photographs or scans.", no_args_is_help=True
)

Model = Annotated[str, typer.Option(help="A shipped name, a weights file or a run's folder.")]
Seed = Annotated[int, typer.Option(min=0, help="Of the crops.")]
Limit = Annotated[int | None, typer.Option(min=2, help="Only the first photographs.")]
PairsCsv = Annotated[Path | None, typer.Option(help="Write a row per pair to this CSV file.")]
HeartLimit = Annotated[int | None, typer.Option(min=1, help="Only the first patients.")]
Picture = Annotated[
    Path | None, typer.Option(help="Draw the best, the median and the worst pair as PNG.")
]
Engine = Annotated[
    str,
    typer.Option(metavar="NAME", help="What runs the model: torch, onnx, openvino, openvino-int8."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of torch.", show_default="torch's own")
]


@evaluate.command()
def helen(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            help="NAME.jpg with NAME.pts, a folder with such a testset/, or Smith's layout."
        ),
    ],
    model: Model = "face",
    seed: Seed = 0,
    limit: Limit = None,
    pairs_csv: PairsCsv = None,
    picture: Picture = None,
    engine: Engine = "torch",
    threads: Threads = None,
    methods: Methods = None,
    runs: Runs = Path("runs"),
    figures: Figures = None,
    landmarker: Landmarker = None,
    flownet: FlowNet = None,
) -> None:
    """Measure on photographs with 68 points, or with Smith's part labels of Helen.

    In name order each photograph is registered to the one before it, the first to the last;
    crops are cut at random, the same for a seed. Dice is the mean over the parts present in a
    pair, then over pairs. With --methods all, rivals and presets are measured on the same pairs;
    those not trained yet are named with the command that trains them.
    """
    from facewarp.training.face_data import helen_test_photos

    output = output_of(ctx)
    output.say("Reading photographs ...")
    split, photos = helen_test_photos(data)
    _evaluate(
        output,
        "helen",
        data,
        split,
        photos[:limit],
        model,
        seed,
        pairs_csv,
        picture,
        engine,
        threads,
        Compared(methods, runs, figures, landmarker, flownet) if methods else None,
    )


@evaluate.command()
def celebamask(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="A folder with images/ and masks/, or with such a val/ in it.")
    ],
    model: Model = "face",
    seed: Seed = 0,
    limit: Limit = None,
    pairs_csv: PairsCsv = None,
    picture: Picture = None,
    engine: Engine = "torch",
    threads: Threads = None,
    methods: Methods = None,
    runs: Runs = Path("runs"),
    figures: Figures = None,
    landmarker: Landmarker = None,
    flownet: FlowNet = None,
) -> None:
    """Measure on photographs of CelebAMask-HQ, with their masks made by hand.

    Pairs and Dice are those of ``facewarp eval helen``.
    """
    from facewarp.training.face_data import celebamask_test_photos

    output = output_of(ctx)
    output.say("Reading photographs ...")
    split, photos = celebamask_test_photos(data)
    _evaluate(
        output,
        "celebamask",
        data,
        split,
        photos[:limit],
        model,
        seed,
        pairs_csv,
        picture,
        engine,
        threads,
        Compared(methods, runs, figures, landmarker, flownet) if methods else None,
    )


class HeartProtocolName(StrEnum):
    """The protocols of ``facewarp eval acdc``."""

    PAPER = "paper"
    MEMWARP = "memwarp"


@evaluate.command()
def acdc(
    ctx: typer.Context,
    data: Annotated[
        Path, typer.Option(help="The challenge's patients: folders with Info.cfg, at any depth.")
    ],
    protocol: Annotated[
        HeartProtocolName, typer.Option(help="Whose measurements to repeat.")
    ] = HeartProtocolName.MEMWARP,
    model: Model = "heart",
    patients: Annotated[
        str | None,
        typer.Option(
            metavar="LIST|all",
            help="Numbers, e.g. 18-20,38.",
            show_default="the protocol's",
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a row per patient to this CSV file.")
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(
            help="Plot found against true volumes into this folder, as PNG; with --methods tables, "
            "figures and a page."
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the best, the median and the worst patient as PNG.")
    ] = None,
    threads: Threads = None,
    methods: HeartMethods = None,
    runs: Runs = Path("runs"),
    limit: HeartLimit = None,
) -> None:
    """Measure on cine MRI of ACDC: end-diastole and end-systole, with their labels.

    paper: end-systole to end-diastole, cubes of 1.56 mm, patients 15 to 20 of every 20. memwarp:
    both ways, 1.8 x 1.8 x 10 mm, patients 18 to 20 of every 20, or the challenge's own test
    patients where they are. Volumes and ejection fraction are those of ``facewarp cine``. With
    --methods all, rivals are measured on the same patients; those not trained yet, or not
    installed, are named with the command that helps.
    """
    import torch

    from facewarp.core.model import load
    from facewarp.training.evaluate_hearts import evaluate_hearts, write_patients_csv
    from facewarp.training.heart_protocols import PROTOCOLS

    output = output_of(ctx)
    if threads is not None:
        torch.set_num_threads(threads)
    way = PROTOCOLS[protocol.value]
    split, folders = way.patients(data, patients)
    if limit is not None and limit < len(folders):
        split, folders = f"{split}, the first {limit}", folders[:limit]
    if methods is not None:
        if picture is not None:
            what = "--picture is of one model; --figures draws the methods' slices"
            raise FacewarpError(what, "--picture", "Leave it out.")
        compare_hearts(output, methods, runs, model, folders, way, split, out, figures)
        return
    loaded = load(model)
    with output.progress("evaluating acdc", total=len(folders), unit="patients") as advance:
        found, scores, volumes = evaluate_hearts(loaded, folders, way, split=split, advance=advance)
    written = [path for path in (out, picture) if path is not None]
    if out is not None:
        write_patients_csv(out, scores, volumes)
    if picture is not None:
        from facewarp.training.files import write_png
        from facewarp.training.heart_figures import sheet
        from facewarp.training.heart_validate import pictures_of

        write_png(picture, sheet(pictures_of(loaded, folders, scores, way)))
    if figures is not None:
        from facewarp.training.heart_figures import write_volume_plots

        origin = f"facewarp eval acdc, {split}; weights {found.weights_sha256[:12]}"
        written += write_volume_plots(figures, volumes, f"{len(folders)} patients of ACDC", origin)
    output.emit_json({**found.to_dict(), "model": model, "data": data})
    output.say(_heart_table(found))
    output.say(_heart_facts(found, model))
    for path in written:
        output.say(f"Written: {escape(str(path))}")


def _evaluate(
    output: Output,
    dataset: str,
    data: Path,
    split: str,
    photos: "list[FacePhoto]",
    model: str,
    seed: int,
    pairs_csv: Path | None,
    picture: Path | None,
    engine: str,
    threads: int | None,
    compared: Compared | None,
) -> None:
    """What both commands do: register, measure, tell."""
    import torch

    from facewarp.core.model import load
    from facewarp.training.datasets.crops import load_test_crops
    from facewarp.training.evaluate import evaluate_faces, write_pairs_csv

    if threads is not None:
        torch.set_num_threads(threads)
    crops = load_test_crops(photos, seed)
    if compared is not None:
        compare_faces(output, compared, crops, model, dataset, split, seed)
        return
    loaded = load(model, engine=engine)
    with output.progress(f"evaluating {dataset}", total=len(crops), unit="pairs") as advance:
        found, scores = evaluate_faces(loaded, crops, dataset, seed, split=split, advance=advance)
    if pairs_csv is not None:
        write_pairs_csv(pairs_csv, scores)
    if picture is not None:
        from facewarp.training.figures import sheet
        from facewarp.training.files import write_png
        from facewarp.training.validate import example_pictures

        write_png(picture, sheet(example_pictures(loaded, crops, scores)))
    runs = loaded.engine.summary
    output.emit_json({**found.to_dict(), "model": model, "data": data, "engine": runs})
    output.say(_table(found))
    output.say(_facts(found, model, runs))
    for written in (pairs_csv, picture):
        if written is not None:
            output.say(f"Written: {escape(str(written))}")


def _table(found: "FaceEvaluation") -> Table:
    table = Table(title=f"{found.dataset} {found.split}: {found.n_pairs} pairs")
    table.add_column("part")
    table.add_column("Dice %", justify="right")
    table.add_column("contour px", justify="right")
    for part, dice in found.dice_per_part.items():
        distance = found.contour_per_part_px[part]
        table.add_row(part.replace("_", " "), _number(dice, 1), _number(distance, 2))
    table.add_section()
    table.add_row("[bold]mean[/]", f"[bold]{found.dice_mean:.1f}[/]", _number(found.contour_px, 2))
    before = (_number(found.dice_initial, 1), _number(found.contour_initial_px, 2))
    table.add_row("unregistered", *before, style="dim")
    return table


def _facts(found: "FaceEvaluation", model: str, engine: str) -> str:
    facts = {
        "Dice": f"{found.dice_mean:.1f} %, standard deviation over pairs {found.dice_std:.1f}",
        "landmarks": f"{_number(found.landmark_px, 2)} px of the crop off"
        if found.landmark_px == found.landmark_px
        else "none in this data set",
        "Jacobian": f"standard deviation {found.jacobian_std:.3f}",
        "folds": f"{found.folds_percent:.3f} % of the pixels",
        "own parts": f"Dice {_number(found.parts_dice, 1)} %, the network's without registration",
        "time": f"{1000 * found.seconds_per_pair:.1f} ms a pair (median)",
        "crops": f"seed {found.seed}",
        "model": f"{escape(model)}, {found.parameters / 1e6:.2f} M parameters",
        "sha256": found.weights_sha256,
        "engine": engine,
        "machine": escape(found.machine),
    }
    return "\n".join(f"[bold]{name:<10}[/] {text}" for name, text in facts.items())


def _number(value: float, digits: int) -> str:
    return "-" if value != value else f"{value:.{digits}f}"


def _heart_table(found: "HeartEvaluation") -> Table:
    table = Table(title=f"acdc, {found.protocol}: {found.n_pairs} patients")
    for name in ("", "RV", "myocardium", "LV", "mean", "HD95 mm"):
        table.add_column(name, justify="right" if name else "left")
    parts = (found.dice_rv, found.dice_myo, found.dice_lv)
    mean = f"[bold]{found.dice_mean:.1f}[/]"
    table.add_row("Dice %", *(_number(n, 1) for n in parts), mean, _number(found.hd95_mm, 2))
    initial = (_number(found.dice_initial, 1), _number(found.hd95_initial_mm, 2))
    table.add_row("unregistered", "", "", "", *initial, style="dim")
    return table


def _heart_facts(found: "HeartEvaluation", model: str) -> str:
    v = found.volumes
    ways = "both directions" if found.directions == 2 else "end-systole to end-diastole"
    facts = {
        "patients": f"{found.split}; {ways}",
        "Dice": f"{found.dice_mean:.1f} %, standard deviation over patients {found.dice_std:.1f}",
        "Jacobian": f"standard deviation {found.jacobian_std:.3f}",
        "SDlogJ": f"{found.sdlogj:.3f} of J + 3; {found.sdlogj_strict:.3f} of J itself",
        "folds": f"{found.folds_percent:.3f} % of the voxels",
        "own parts": f"Dice {_number(found.parts_dice, 1)} %, the network's without registration",
        "LV": _ventricle(
            (v.edv_mae_ml, v.edv_bias_ml),
            (v.esv_mae_ml, v.esv_bias_ml),
            (v.ef_mae, v.ef_bias, v.ef_correlation),
        ),
        "RV": _ventricle(
            (v.rv_edv_mae_ml, v.rv_edv_bias_ml),
            (v.rv_esv_mae_ml, v.rv_esv_bias_ml),
            (v.rv_ef_mae, v.rv_ef_bias, v.rv_ef_correlation),
        ),
        "time": f"{1000 * found.seconds_per_pair:.0f} ms a patient (median)",
        "model": f"{escape(model)}, {found.parameters / 1e6:.2f} M parameters",
        "sha256": found.weights_sha256,
        "machine": escape(found.machine),
    }
    return "\n".join(f"[bold]{name:<10}[/] {text}" for name, text in facts.items())


def _ventricle(
    edv: tuple[float, float], esv: tuple[float, float], ef: tuple[float, float, float]
) -> str:
    """Mean absolute errors of volumes and ejection fraction, and their biases."""
    return (
        f"EDV {_number(edv[0], 1)} ml off (bias {_signed(edv[1])}), ESV {_number(esv[0], 1)} ml "
        f"({_signed(esv[1])}), EF {_number(ef[0], 1)} points ({_signed(ef[1])}), "
        f"r = {_number(ef[2], 3)}"
    )


def _signed(value: float) -> str:
    return "-" if value != value else f"{value:+.1f}"
