"""`facewarp eval phantom`: hold what `cine` measures against hearts whose values are known."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.hearts.phantom import HeartOptions, ScanOptions, wishes_of
from facewarp.cli.model_options import ModelName, Refine, Threads, parse_copies
from facewarp.cli.option_groups import existing, option_groups

if TYPE_CHECKING:
    from facewarp.training.synthetic.phantom.scoring import PhantomEvaluation

_LINES = {
    "ef_error": ("ejection fraction, points", "ef"),
    "edv_ml_error": ("EDV, ml", "edv_ml"),
    "esv_ml_error": ("ESV, ml", "esv_ml"),
    "mass_g_error": ("mass, g", "mass_g"),
    "gcs_error": ("global circumferential strain, points", "gcs"),
    "gcs_error_same_points": ("  at the points measured", None),
    "grs_error": ("global radial strain, points", "grs"),
    "grs_error_same_points": ("  at the points measured", None),
    "segment_error": ("circumferential strain of segments, points", None),
    "segment_error_same_points": ("  at the points measured", None),
    "displacement_mm": ("displacement of the wall in-plane, mm", None),
    "across_mm": ("  across the wall", None),
    "along_mm": ("  along it", None),
}


@option_groups
def phantom(
    ctx: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            callback=existing,
            help="Phantoms that facewarp phantom wrote.",
            show_default="made for the purpose",
        ),
    ] = None,
    *,
    patients: Annotated[int, typer.Option(min=1, max=999, help="How many are made.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Of those made.")] = 0,
    hearts: HeartOptions,
    scans: ScanOptions,
    model: ModelName = "heart",
    refine: Refine = True,
    strain_intervals: Annotated[
        int,
        typer.Option(
            parser=parse_copies,
            metavar="N",
            help="Measure strain on N perturbed copies too (2 at least): how often 95 % intervals "
            "hold the truth.",
        ),
    ] = 0,
    threads: Threads = None,
    out: Annotated[
        Path | None, typer.Option(help="Write a row per phantom to this CSV file.")
    ] = None,
) -> None:
    """Measure phantoms as facewarp cine does, and print the errors against their truth.

    Strain is engineering strain at end-systole. "At the points measured" is the error against the
    true motion of the same points, segments and directions: the rest of the error is that of where
    the wall was seen. Displacement is that from ED to ES over the true wall, within the slices.

    Examples:
      facewarp eval phantom --patients 3 --phases 10
      facewarp eval phantom --data phantoms/ --json
      facewarp eval phantom --twist 0 --shift-mm 0 --out errors.csv
    """
    import torch

    from facewarp.core.model import load
    from facewarp.system.atomic_files import check_target
    from facewarp.training.synthetic.phantom.folder import find_phantoms, write_phantom
    from facewarp.training.synthetic.phantom.recipe import draw_recipe
    from facewarp.training.synthetic.phantom.scoring import evaluate_phantoms, write_phantoms_csv

    output = output_of(ctx)
    if out is not None:
        check_target(out)
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load(model)
    with ExitStack() as stack:
        if data is not None:
            folders = find_phantoms(data)
        else:
            place = Path(stack.enter_context(TemporaryDirectory(prefix="facewarp-phantom-")))
            wishes = wishes_of(seed, hearts, scans)
            recipes = [draw_recipe(wishes, number + 1) for number in range(patients)]
            with output.progress("making phantoms", total=patients, unit="phantoms") as advance:
                for recipe in recipes:
                    write_phantom(recipe, place / recipe.name, fields=False)
                    advance()
            folders = find_phantoms(place)
        with output.progress("evaluating", total=len(folders), unit="phantoms") as advance:
            found = evaluate_phantoms(
                loaded, folders, refined=refine, copies=strain_intervals, advance=advance
            )
    if out is not None:
        write_phantoms_csv(out, found)
    output.emit_json({**found.to_dict(), "model": model, "data": data})
    _tell(output, found, out, strain_intervals)


def _tell(
    output: Output, found: "PhantomEvaluation", out: Path | None, strain_intervals: int
) -> None:
    each = Table(title="Phantoms: found (true)")
    for name in ("", "EF %", "EDV ml", "ESV ml", "mass g", "GCS %", "GRS %", "wall mm"):
        each.add_column(name, justify="right" if name else "left")
    pairs = (("ef", "ef_true"), ("edv_ml", "edv_true_ml"), ("esv_ml", "esv_true_ml"),
             ("mass_g", "mass_true_g"), ("gcs", "gcs_true"), ("grs", "grs_true"))  # fmt: skip
    for row in found.phantoms:
        cells = [f"{row[one]:.1f} ({row[other]:.1f})" for one, other in pairs]
        each.add_row(cell(row["name"]), *cells, f"{row['displacement_mm']:.2f}")
    table = Table(title=f"Mean absolute errors of {found.n_phantoms} phantoms")
    for name in ("", "error", "bias", "aim"):
        table.add_column(name, justify="right" if name else "left")
    for name, (title, biased) in _LINES.items():
        bias = "" if biased is None else f"{found.biases[biased]:+.2f}"
        aim, error = found.targets.get(name), found.errors[name]
        missed = aim is not None and not error <= aim
        shown = f"[yellow]{error:.2f}[/]" if missed else f"{error:.2f}"
        table.add_row(title, shown, bias, "" if aim is None else f"{aim:g}")
    output.say(each)
    output.say(table)
    facts = {
        "labels": f"Dice {found.errors['dice_ed']:.1f} % at ED, {found.errors['dice_es']:.1f} % "
        "at ES",
        "motion": f"the wall moves by {found.errors['motion_mm']:.1f} mm in-plane",
        "fields": "refined" if found.refined else "the network's own",
        "sha256": found.weights_sha256,
        **({"slices": found.slices_sha256} if found.slices_sha256 else {}),
        "machine": escape(found.machine),
    }
    if strain_intervals:
        kinds = (("GCS", "gcs"), ("GRS", "grs"), ("segments' circumferential", "segments"))
        told = [
            f"{title} +-{found.errors[f'{name}_half_width']:.1f}, true in "
            f"{100 * found.errors[f'{name}_held']:.0f} %"
            for title, name in kinds
        ]
        facts["95 %"] = "; ".join(told)
    output.say("\n".join(f"[bold]{name:<8}[/] {text}" for name, text in facts.items()))
    if out is not None:
        output.say(f"Written: {escape(str(out))}")
