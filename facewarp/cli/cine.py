"""``facewarp cine``: hearts followed through their cycle and measured."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from facewarp.cli.console import Output, output_of
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.cardiac.cine import CineResult


class Movie(StrEnum):
    """Formats of the moving picture."""

    GIF = "gif"
    WEBM = "webm"
    NONE = "none"


def cine(
    ctx: typer.Context,
    patients: Annotated[
        list[Path],
        typer.Argument(
            help="A 4D NIfTI, a folder of one NIfTI a phase, an ACDC patient's folder, "
            "or a folder of such.",
            metavar="PATIENT...",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Gets a folder a patient.", metavar="DIR")
    ] = Path("facewarp-cine"),
    labels: Annotated[
        Path | None,
        typer.Option(help="Labels of end-diastole to carry, instead of the model's own."),
    ] = None,
    ed: Annotated[
        int | None,
        typer.Option(help="Frame of end-diastole, counted from 1.", min=1),
    ] = None,
    es: Annotated[
        int | None,
        typer.Option(help="Frame of end-systole, counted from 1.", min=1),
    ] = None,
    heart_rate: Annotated[
        float | None,
        typer.Option(help="Beats a minute, where the file does not tell.", min=10, max=300),
    ] = None,
    fields: Annotated[
        bool, typer.Option(help="Write displacement fields and Jacobian maps.")
    ] = True,
    report: Annotated[bool, typer.Option(help="Write report.html, one page of all.")] = True,
    movie: Annotated[Movie, typer.Option(help="Format of the moving picture.")] = Movie.GIF,
    model: Annotated[str, typer.Option(help="Model: a shipped name or a weights file.")] = "heart",
    device: Annotated[str, typer.Option(help="Where the model runs: cpu, cuda, mps.")] = "cpu",
) -> None:
    """Follow hearts through their cycle: labels, volumes, ejection fraction, motion.

    Writes into DIR/PATIENT: labels_4d.nii.gz on the cine's own grid,
    field_ed_to_NN.nii.gz and field_NN_to_ed.nii.gz (ITK displacement fields)
    and jacobian_4d.nii.gz, curves.csv, strain.csv, indices.json, sheet.png, cine.gif and
    report.html, a page to read and to print.

    End-diastole and end-systole are those of ACDC's Info.cfg, or where the
    left ventricle is largest and smallest. One patient that cannot be read
    does not stop the others.

    Examples:
      facewarp cine patient090_4d.nii.gz --out hearts/
      facewarp cine training/patient001 training/patient002 --out hearts/
      facewarp cine scan.nii.gz --labels ed.nii.gz --ed 1 --json
    """
    from facewarp.core.model import load

    output = output_of(ctx)
    chosen = _patients(patients)
    if len(chosen) > 1 and any(option is not None for option in (labels, ed, es, heart_rate)):
        what = "--labels, --ed, --es and --heart-rate are one patient's"
        raise FacewarpError(what, fix=f"Give one patient with them, not {len(chosen)}.")
    heart = load(model, device)
    done: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    table = Table(box=None, pad_edge=False)
    table.add_column("patient")
    for name in ("LV EDV", "ESV", "EF", "mass", "RV EDV", "ESV", "EF", "agree"):
        table.add_column(name, justify="right", no_wrap=True)
    with output.progress(chosen[0].name, total=len(chosen), unit="patients") as advance:
        for path in chosen:
            share = _Share(advance, path.name)
            try:
                from facewarp.cardiac.cine import analyse_cine
                from facewarp.cardiac.results import summary, write_result

                result = analyse_cine(
                    path,
                    heart,
                    labels=labels,
                    ed=ed,
                    es=es,
                    heart_rate_bpm=heart_rate,
                    model_name=model,
                    progress=share.of(0.0, 0.7),
                )
                folder = out / result.cine.name
                write_result(
                    result,
                    folder,
                    fields=fields,
                    report=report,
                    movie=movie.value,
                    progress=share.of(0.7, 1.0),
                )
            except Exception as error:  # noqa: BLE001 - the others shall not suffer from it
                failed.append({"patient": str(path), "error": _said(output, error)})
                share(1.0)
                continue
            done.append({**summary(result), "output": str(folder)})
            table.add_row(*_row(result))
            for warning in result.warnings:
                output.warn(f"{result.cine.name}: {warning}")
    output.emit_json({"patients": done, "failed": failed})
    if done:
        output.say(table)
        output.say(f"written to {out}")
    for failure in failed:
        output.error(failure["error"])
    if failed:
        if len(chosen) > 1:
            output.error(f"{len(failed)} of {len(chosen)} patients failed")
        raise typer.Exit(1)


class _Share:
    """Moves the bar to where a patient's share of it is."""

    def __init__(self, advance: Any, name: str) -> None:
        self._advance, self._name, self._told = advance, name, 0.0

    def __call__(self, done: float) -> None:
        self._advance(done - self._told, self._name)
        self._told = done

    def of(self, start: float, end: float) -> Callable[[float], None]:
        """For a piece of the work that takes the bar from one share to another."""
        return lambda part: self(start + (end - start) * part)


def _patients(paths: list[Path]) -> list[Path]:
    """The paths, folders of patients replaced by the patients in them."""
    from facewarp.cardiac.nifti import is_nifti, stem
    from facewarp.cardiac.patient import find_patients

    found: list[Path] = []
    for path in paths:
        own = path.is_dir() and not any(is_nifti(p) for p in path.iterdir())
        found += (find_patients(path) or [path]) if own else [path]
    names: dict[str, Path] = {}
    for path in found:
        name = path.resolve().name if path.is_dir() else stem(path).removesuffix("_4d")
        if name in names:
            what = f"two patients are called {name}: {names[name]} and {path}"
            raise FacewarpError(what, fix="Run them with different --out.")
        names[name] = path
    return found


def _said(output: Output, error: Exception) -> str:
    """The line about an error; its traceback too where the user asked for such."""
    import traceback

    from facewarp.cli.app import describe

    if output.verbose:
        text = "".join(traceback.format_exception(error))
        output.stderr.print(text, markup=False, highlight=False, soft_wrap=True)
    return describe(error, output.verbose)


def _row(result: "CineResult") -> list[str]:
    def shown(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.0f} {unit}"

    columns = []
    for side in (result.indices.lv, result.indices.rv):
        columns += [shown(side.edv_ml, "ml"), shown(side.esv_ml, "ml"), shown(side.ef_percent, "%")]
    columns.insert(3, shown(result.indices.lv_mass_g, "g"))
    agreement = shown(100 * min(result.quality.agreement), "%")
    return [result.cine.name, *columns, agreement]
