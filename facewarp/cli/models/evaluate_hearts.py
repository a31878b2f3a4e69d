"""`facewarp eval acdc|mnms|mnms2`: measure a heart model, or many methods, on cine MRI."""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.cine import LabelOrderName
from facewarp.cli.console import Output, output_of
from facewarp.cli.model_options import Refine, Threads, known_model
from facewarp.cli.models.compare import Runs, check_outputs
from facewarp.cli.models.compare_hearts import HeartMethods, compare_hearts
from facewarp.cli.models.shift_hearts import check_shift_options, shift_hearts
from facewarp.cli.option_groups import existing, option_groups
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.core.model import Model
    from facewarp.training.datasets.hearts import ReadPatient
    from facewarp.training.evaluation.heart_protocols import HeartProtocol
    from facewarp.training.evaluation.hearts import HeartEvaluation

ModelName = Annotated[
    str,
    typer.Option(help="A shipped name, a weights file or a run's folder.", callback=known_model),
]
Shift = Annotated[
    str | None,
    typer.Option(
        metavar="LIST|all",
        help="Measure on made shifts too: KIND or KIND:mild|middle|strong, with commas; kinds are "
        "bias, noise, ghosting, blur, contrast, axes, coverage, thick, slice, matrix. With --out "
        "an interrupted run goes on.",
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first patients.")]


class HeartProtocolName(StrEnum):
    """The protocols of `facewarp eval acdc`."""

    PAPER = "paper"
    MEMWARP = "memwarp"


@dataclass(frozen=True)
class HeartEvaluationOptions:
    """The model that is measured, how, and what is written."""

    protocol: Annotated[HeartProtocolName, typer.Option(help="Whose measurements to repeat.")] = (
        HeartProtocolName.MEMWARP
    )
    model: ModelName = "heart"
    out: Annotated[Path | None, typer.Option(help="Write a row per patient to this CSV file.")] = (
        None
    )
    figures: Annotated[
        Path | None,
        typer.Option(
            help="Plot found against true volumes into this folder, as PNG; with --methods tables, "
            "figures and a page, with --shift the reliability of confidence."
        ),
    ] = None
    picture: Annotated[
        Path | None, typer.Option(help="Write the best, the median and the worst patient as PNG.")
    ] = None
    refine: Refine = True
    threads: Threads = None
    methods: HeartMethods = None
    runs: Runs = Path("runs")
    shift: Shift = None
    seed: Annotated[int, typer.Option(min=0, help="Of the shifts.")] = 0
    limit: Limit = None
    label_order: Annotated[
        LabelOrderName,
        typer.Option(help="Whose order the labels' ids are in; auto: as anatomy says."),
    ] = LabelOrderName.AUTO


Named = Annotated[
    str | None,
    typer.Option(metavar="LIST|all", help="Names, e.g. A0S9V9,A1D9Z7.", show_default="test set"),
]


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
    patients: Annotated[
        str | None,
        typer.Option(
            metavar="LIST|all",
            help="Numbers, e.g. 18-20,38.",
            show_default="the protocol's",
        ),
    ] = None,
    options: HeartEvaluationOptions,
) -> None:
    """Measure on cine MRI of ACDC: end-diastole and end-systole, with their labels.

    paper: end-systole to end-diastole, cubes of 1.56 mm, patients 15 to 20 of every 20. memwarp:
    both ways, 1.8 x 1.8 x 10 mm, patients 18 to 20 of every 20, or the challenge's own test
    patients where they are. Volumes and ejection fraction are those of `facewarp cine`. With
    --methods all, baselines are measured on the same patients; those not trained yet, or not
    installed, are named with the command that helps.

    Examples:
      facewarp eval acdc --data acdc
      facewarp eval acdc --data acdc --patients 18-20 --out rows.csv
      facewarp eval acdc --data acdc --shift all --out shifts.csv
      facewarp eval acdc --data acdc --shift noise,blur:strong --limit 3
    """
    from facewarp.training.evaluation.heart_protocols import PROTOCOLS

    chosen = PROTOCOLS[options.protocol.value].patients(data, patients)
    _measure(output_of(ctx), "acdc", data, chosen, options)


@option_groups
def mnms(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing, help="M&Ms as distributed: NAME/NAME_sa_gt.nii.gz, at any depth."
        ),
    ],
    *,
    patients: Named = None,
    options: HeartEvaluationOptions,
) -> None:
    """Measure on M&Ms: the two labelled phases of each cine, of several vendors.

    Patients are those of the folder Testing where there is one, else all. ED and ES are those of
    the table beside the folders, or the phases that are labelled; ids are read in the challenge's
    order, or in what anatomy says. Grids and measures are those of `facewarp eval acdc`.

    Examples:
      facewarp eval mnms --data mnms
      facewarp eval mnms --data mnms --patients A0S9V9,A1D9Z7 --out rows.csv
    """
    from facewarp.training.datasets.mnms import mnms_patients

    _measure(output_of(ctx), "mnms", data, mnms_patients(data, patients), options)


@option_groups
def mnms2(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Option(
            callback=existing, help="M&Ms-2 as distributed: NNN/NNN_SA_ED_gt.nii.gz, at any depth."
        ),
    ],
    *,
    patients: Named = None,
    options: HeartEvaluationOptions,
) -> None:
    """Measure on M&Ms-2: end-diastole and end-systole of the short axis.

    Patients are 201 to 360, the challenge's test patients, where they are, else all. Grids and
    measures are those of `facewarp eval acdc`.

    Examples:
      facewarp eval mnms2 --data mnms2
      facewarp eval mnms2 --data mnms2 --patients 201,202 --out rows.csv
    """
    from facewarp.training.datasets.mnms import mnms2_patients

    _measure(output_of(ctx), "mnms2", data, mnms2_patients(data, patients), options)


def _measure(
    output: Output,
    dataset: str,
    data: Path,
    chosen: tuple[str, list[Path]],
    options: HeartEvaluationOptions,
) -> None:
    """Do what all commands do: compare methods, shift the scans, or measure one model.

    Args:
        output: of the command.
        dataset: its name.
        data: its folder.
        chosen: words for the patients, and their folders.
        options: of the command.
    """
    import torch

    from facewarp.core.model import load
    from facewarp.training.datasets.hearts import load_patient
    from facewarp.training.evaluation.heart_protocols import PROTOCOLS

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    way, (split, folders) = PROTOCOLS[options.protocol.value], chosen
    out, picture, figures = options.out, options.picture, options.figures
    check_outputs((out, picture), figures)
    model, limit = options.model, options.limit
    read = partial(load_patient, label_order=options.label_order.value)
    if limit is not None and limit < len(folders):
        split, folders = f"{split}, the first {limit}", folders[:limit]
    if options.shift is not None:
        check_shift_options(options.methods, picture)
    if options.methods is not None:
        if picture is not None:
            what = "--picture is of one model; --figures draws the methods' slices"
            raise FacewarpError(what, "--picture", "Leave it out.")
        compare_hearts(
            output, options.methods, options.runs, model, folders, way, split, out, figures, read
        )
        return
    loaded = load(model)
    if options.shift is not None:
        about = {"dataset": dataset, "protocol": way.name, "split": split, "model": model}
        shift_hearts(
            *(output, options.shift, loaded, folders, way, {**about, "data": data}),
            read=read,
            seed=options.seed,
            refined=options.refine,
            out=out,
            figures=figures,
        )
        return
    _evaluate(output, (dataset, data), loaded, (split, folders), way, read, options)


def _evaluate(
    output: Output,
    dataset: tuple[str, Path],
    model: "Model",
    chosen: tuple[str, list[Path]],
    way: "HeartProtocol",
    read: "ReadPatient",
    options: HeartEvaluationOptions,
) -> None:
    """Measure one model: register, write what is asked for, tell.

    Args:
        output: of the command.
        dataset: its name and its folder.
        model: a heart model.
        chosen: words for the patients, and their folders.
        way: how registration is measured.
        read: reads a patient's folder.
        options: of the command.
    """
    from facewarp.training.datasets.hearts import TITLES
    from facewarp.training.evaluation.hearts import evaluate_hearts, write_patients_csv

    (name, data), (split, folders) = dataset, chosen
    out, picture, figures = options.out, options.picture, options.figures
    with output.progress(f"evaluating {name}", total=len(folders), unit="patients") as advance:
        found, scores, volumes = evaluate_hearts(
            model,
            folders,
            way,
            split=split,
            refined=options.refine,
            read=read,
            advance=advance,
        )
    written = [path for path in (out, picture) if path is not None]
    if out is not None:
        write_patients_csv(out, scores, volumes)
    if picture is not None:
        from facewarp.drawing.png import write_png
        from facewarp.training.validation.heart_sheets import sheet
        from facewarp.training.validation.hearts import pictures_of

        write_png(picture, sheet(pictures_of(model, folders, scores, way, read)))
    if figures is not None:
        from facewarp.training.validation.heart_sheets import write_volume_plots

        origin = f"facewarp eval {name}, {split}; weights {found.weights_sha256[:12]}"
        whose = f"{len(folders)} patients of {TITLES[name]}"
        written += write_volume_plots(figures, volumes, whose, origin)
    output.emit_json({**found.to_dict(), "model": options.model, "data": data})
    output.say(_heart_table(found))
    output.say(_group_table(found))
    output.say(_heart_facts(found, options.model))
    for path in written:
        output.say(f"Written: {escape(str(path))}")


def number(value: float, digits: int) -> str:
    """Return a number as text, a dash where there is none."""
    return "-" if value != value else f"{value:.{digits}f}"


def _heart_table(found: "HeartEvaluation") -> Table:
    table = Table(title=f"{found.dataset}, {found.protocol}: {found.n_pairs} patients")
    for name in ("", "RV", "myocardium", "LV", "mean", "HD95 mm"):
        table.add_column(name, justify="right" if name else "left")
    parts = (found.dice_rv, found.dice_myo, found.dice_lv)
    mean = f"[bold]{found.dice_mean:.1f}[/]"
    table.add_row("Dice %", *(number(n, 1) for n in parts), mean, number(found.hd95_mm, 2))
    initial = (number(found.dice_initial, 1), number(found.hd95_initial_mm, 2))
    table.add_row("unregistered", "", "", "", *initial, style="dim")
    own = (found.parts_dice_rv, found.parts_dice_myo, found.parts_dice_lv, found.parts_dice)
    table.add_row("own parts", *(number(n, 1) for n in own), "")
    return table


def _group_table(found: "HeartEvaluation") -> Table:
    """Means and errors by diagnosis."""
    table = Table(title="By diagnosis: Dice %, errors with (bias)")
    names = ("", "n", "Dice", "own parts", "LV EDV ml", "LV ESV ml", "EF", "RV EF", "mass g")
    for name in names:
        table.add_column(name, justify="right" if name else "left")
    for group, v in found.by_group.items():
        errors = (("edv", "_ml"), ("esv", "_ml"), ("ef", ""), ("rv_ef", ""), ("mass", "_g"))
        cells = [
            f"{number(v[f'{name}_mae{unit}'], 1)} ({_signed(v[f'{name}_bias{unit}'])})"
            for name, unit in errors
        ]
        dice = (number(v["dice_mean"], 1), number(v["parts_dice"], 1))
        table.add_row(escape(group) or "-", str(int(v["n_pairs"])), *dice, *cells)
    return table


def _heart_facts(found: "HeartEvaluation", model: str) -> str:
    v = found.volumes
    ways = "both directions" if found.directions == 2 else "end-systole to end-diastole"
    facts = {
        "patients": f"{found.split}; {ways}",
        "Dice": f"{found.dice_mean:.1f} %, standard deviation over patients {found.dice_std:.1f}",
        "Jacobian": f"standard deviation {found.jacobian_std:.3f}",
        "SDlogJ": f"{found.sdlogj:.3f} of J + 3; {found.sdlogj_strict:.3f} of J itself",
        "folds": f"{found.folds_percent:.3f} % of the voxels; within the heart "
        f"{number(found.heart_folds_percent, 3)} %, digitally "
        f"{number(found.heart_digital_folds_percent, 3)} %",
        "inverse": f"{number(found.wall_inverse_error_mm, 2)} mm inverse-consistency error in the "
        f"wall, {'refined' if found.refined else 'the network alone'}",
        "own parts": f"Dice {number(found.parts_dice, 1)} %, the network's without registration",
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
        "mass": f"{number(v.mass_mae_g, 1)} g off (bias {_signed(v.mass_bias_g)})",
        "confidence": f"own parts expected at a Dice of {number(v.expected_dice, 1)} %, EF within "
        f"{number(v.expected_ef_error, 1)} points on average",
        "time": f"{1000 * found.seconds_per_pair:.0f} ms a patient (median)",
        "model": f"{escape(model)}, {found.parameters / 1e6:.2f} M parameters",
        "sha256": found.weights_sha256,
        **({"slices": found.slices_sha256} if found.slices_sha256 else {}),
        "machine": escape(found.machine),
    }
    return "\n".join(f"[bold]{name:<10}[/] {text}" for name, text in facts.items())


def _ventricle(
    edv: tuple[float, float], esv: tuple[float, float], ef: tuple[float, float, float]
) -> str:
    """Mean absolute errors of volumes and ejection fraction, and their biases."""
    return (
        f"EDV {number(edv[0], 1)} ml off (bias {_signed(edv[1])}), ESV {number(esv[0], 1)} ml "
        f"({_signed(esv[1])}), EF {number(ef[0], 1)} points ({_signed(ef[1])}), "
        f"r = {number(ef[2], 3)}"
    )


def _signed(value: float) -> str:
    return "-" if value != value else f"{value:+.1f}"
