"""`facewarp phantom`: make cines of hearts whose motion, volumes and strain are known exactly."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.option_groups import number_within, option_groups
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.synthetic.phantom.recipe import PhantomWishes


@dataclass(frozen=True)
class HeartOptions:
    """What the hearts are like."""

    ef: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="Ejection fractions, percent, one phantom after another: 60,45,30.",
            show_default="25 to 71",
        ),
    ] = None
    infarct: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="AHA segments (1-16) that do not contract, one phantom after another; 0 for none.",
            show_default="one in some weak hearts",
        ),
    ] = None
    twist: Annotated[
        float | None,
        typer.Option(
            parser=number_within(-30, 30),
            metavar="DEGREES",
            help="Rotation of the apex against the base.",
            show_default="3 to 13",
        ),
    ] = None
    shortening: Annotated[
        float | None,
        typer.Option(
            parser=number_within(0, 25),
            metavar="PERCENT",
            help="Loss of length, by which the base comes down.",
            show_default="one slice",
        ),
    ] = None
    free_base: Annotated[
        bool,
        typer.Option(
            "--free-base",
            help="The base comes to lie anywhere, as in patients; else between two slices at ED "
            "and at ES, so that none is half ventricle.",
        ),
    ] = False


@dataclass(frozen=True)
class ScanOptions:
    """How they are scanned."""

    phases: Annotated[int, typer.Option(min=3, max=60, help="Phases of a cine.")] = 20
    slice_mm: Annotated[
        float | None,
        typer.Option(
            parser=number_within(2, 20),
            metavar="MM",
            help="Thickness and distance of slices.",
            show_default="8 to 10",
        ),
    ] = None
    pixel_mm: Annotated[
        float, typer.Option(parser=number_within(0.8, 4), metavar="MM", help="Size of pixels.")
    ] = 1.4
    shift_mm: Annotated[
        float,
        typer.Option(
            parser=number_within(0, 10),
            metavar="MM",
            help="Standard deviation of breath-hold shifts from slice to slice.",
        ),
    ] = 0.8
    noise: Annotated[
        float,
        typer.Option(
            parser=number_within(0, 50), metavar="PERCENT", help="Noise, of the blood's signal."
        ),
    ] = 4.0


@option_groups
def phantom(
    ctx: typer.Context,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write.", metavar="DIR")
    ] = Path("facewarp-phantom"),
    *,
    patients: Annotated[int, typer.Option(min=1, max=999, help="How many.")] = 1,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same bytes.")] = 0,
    hearts: HeartOptions,
    scans: ScanOptions,
    dicom: Annotated[
        bool, typer.Option("--dicom", help="Write each cine as a DICOM series too.")
    ] = False,
    fields: Annotated[bool, typer.Option(help="Write true displacement fields.")] = True,
) -> None:
    """Make cines of beating hearts whose motion, volumes and strain are known exactly.

    Writes into DIR/phantom001 and so on: cine.nii.gz (with --dicom a series in dicom/) as facewarp
    cine reads it, and beside it what is true: labels_4d.nii.gz, fields/field_ed_to_NN.nii.gz and
    field_NN_to_ed.nii.gz, curves.csv, strain.csv, truth.json with EF, volumes, mass, segmental
    strain and all definitions; sheet.png and cine.gif to look at. A phantom appears when it is
    whole; one that is there already from the same command is kept, nothing is overwritten.

    facewarp cine analyzes a phantom like any cine.

    Examples:
      facewarp phantom --out phantoms/
      facewarp phantom --out phantoms/ --patients 6 --seed 7
      facewarp phantom --out weak/ --ef 30 --infarct 8 --dicom
      facewarp phantom --out still/ --ef 60 --twist 0 --noise 0 --shift-mm 0
    """
    from facewarp.training.synthetic.phantom.folder import is_finished, write_phantom
    from facewarp.training.synthetic.phantom.recipe import draw_recipe

    output = output_of(ctx)
    wishes = wishes_of(seed, hearts, scans)
    recipes = [draw_recipe(wishes, number) for number in range(1, patients + 1)]
    finished = [is_finished(out / recipe.name, recipe, dicom, fields=fields) for recipe in recipes]
    truths = []
    with output.progress("making phantoms", total=patients, unit="phantoms") as advance:
        for recipe, is_there in zip(recipes, finished, strict=True):
            if not is_there:
                told = 0.0

                def step(share: float) -> None:
                    nonlocal told
                    advance(share - told)
                    told = share

                write_phantom(recipe, out / recipe.name, fields=fields, dicom=dicom, step=step)
            else:
                advance(1)
            truths.append(_truth(out / recipe.name))
    _tell(output, out, truths, sum(finished))


def wishes_of(seed: int, hearts: HeartOptions, scans: ScanOptions) -> "PhantomWishes":
    """Return what is asked of a set of phantoms.

    Raises:
        FacewarpError: a list is none of numbers in their range.
    """
    from facewarp.training.synthetic.phantom.recipe import PhantomWishes

    segments = _numbers(hearts.infarct, "--infarct", 0, 16, "AHA segments like 8 or 0,8")
    if any(segment != int(segment) for segment in segments):
        raise FacewarpError("segments are whole numbers", "--infarct", "Give them like 8 or 0,8.")
    return PhantomWishes(
        seed=seed,
        ejection_fractions=_numbers(hearts.ef, "--ef", 5, 80, "percent like 60 or 60,45"),
        infarct_segments=tuple(map(int, segments)),
        twist_degrees=hearts.twist,
        shortening_percent=hearts.shortening,
        base="free" if hearts.free_base else "aligned",
        phases=scans.phases,
        slice_mm=scans.slice_mm,
        pixel_mm=scans.pixel_mm,
        breath_mm=scans.shift_mm,
        noise=scans.noise,
    )


def _numbers(
    text: str | None, option: str, least: float, most: float, like: str
) -> tuple[float, ...]:
    if text is None:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if not found or not all(least <= one <= most for one in found):
        what = f"{option} {text} is no list of numbers from {least:g} to {most:g}"
        raise FacewarpError(what, fix=f"Give {like}.")
    return found


def _truth(folder: Path) -> dict[str, object]:
    import json

    from facewarp.training.synthetic.phantom.folder import TRUTH

    return dict(json.loads((folder / TRUTH).read_text("utf-8")))


def _tell(output: Output, out: Path, truths: list[dict[str, object]], kept: int) -> None:
    output.emit_json({"phantoms": truths, "output": out})
    table = Table(box=None, pad_edge=False)
    for name in ("phantom", "EF %", "EDV ml", "ESV ml", "mass g", "GCS %", "GRS %", "infarct"):
        table.add_column(name, justify="left" if name == "phantom" else "right", no_wrap=True)
    for truth in truths:
        lv, strain = truth["lv"], truth["strain_at_es"]
        assert isinstance(lv, dict)
        assert isinstance(strain, list)
        volumes = [lv[name] for name in ("ef_percent", "edv_ml", "esv_ml")]
        whole = [strain[0][f"{way}_engineering_percent"] for way in ("circumferential", "radial")]
        values = [*volumes, truth["lv_mass_g"], *whole]
        scar = truth["infarct_segment"] or "-"
        table.add_row(cell(truth["phantom"]), *(f"{v:.1f}" for v in values), cell(scar))
    output.say(table)
    before = f", {kept} of them there before" if kept else ""
    output.say(f"{len(truths)} written to {cell(out)}{before}")
