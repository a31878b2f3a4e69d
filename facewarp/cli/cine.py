"""`facewarp cine`: track hearts through the cardiac cycle and measure them."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from facewarp.cli.batch import BatchTable, Ray, TimeLimit, threads_for
from facewarp.cli.console import Output, cell, output_of
from facewarp.cli.model_options import MODEL_HELP, Device, Refine, known_model, parse_copies
from facewarp.cli.option_groups import any_existing, existing, option_groups
from facewarp.errors import FacewarpError
from facewarp.system.machine import limit_blas
from facewarp.system.start import end_quickly, quick_imports, resume_collection

if TYPE_CHECKING:
    from facewarp.batch.jobs import Batch
    from facewarp.cardiac.cine_options import CineOptions
    from facewarp.cardiac.report.result_files import ResultFiles

_COLUMNS: Final = ("LV EDV", "ESV", "EF", "mass", "RV EDV", "ESV", "EF", "agree", "quality")


class Movie(StrEnum):
    """Formats of the movie."""

    GIF = "gif"
    WEBM = "webm"
    NONE = "none"


class LabelOrderName(StrEnum):
    """Conventions of label ids, those of `io.label_order`."""

    AUTO = "auto"
    ACDC = "acdc"
    MNMS = "mnms"
    TOTALSEGMENTATOR = "totalsegmentator"
    TOTALSEGMENTATOR_1 = "totalsegmentator-v1"
    MMWHS = "mmwhs"
    MSCMR = "mscmr"


@dataclass(frozen=True)
class InputOptions:
    """What is known of a cine beside its files."""

    labels: Annotated[
        Path | None,
        typer.Option(
            help="Labels of end-diastole to propagate, instead of the model's: NIfTI, DICOM SEG or "
            "RTSTRUCT, or a folder of such.",
            callback=existing,
        ),
    ] = None
    label_order: Annotated[
        LabelOrderName,
        typer.Option(help="Whose order the ids of --labels are in; auto: as anatomy says."),
    ] = LabelOrderName.AUTO
    label_names: Annotated[
        str | None,
        typer.Option(
            help="Which structure of DICOM --labels is which part, by name or number; keys: lv, "
            "wall, outer (both), rv.",
            metavar="KEY=NAME,...",
        ),
    ] = None
    ed: Annotated[
        int | None,
        typer.Option(help="Frame of end-diastole, counted from 1.", min=1),
    ] = None
    es: Annotated[
        int | None,
        typer.Option(help="Frame of end-systole, counted from 1.", min=1),
    ] = None
    heart_rate: Annotated[
        float | None,
        typer.Option(help="Beats a minute, where the files do not tell.", min=10, max=300),
    ] = None
    time_step: Annotated[
        float | None,
        typer.Option(help="Milliseconds from phase to phase.", min=5, max=500, metavar="MS"),
    ] = None
    spacing: Annotated[
        str | None,
        typer.Option(help="Voxels of the file, mm, where it is wrong.", metavar="X,Y,Z"),
    ] = None
    series: Annotated[
        str | None,
        typer.Option(help="Which cine of a folder: name or number of its series.", metavar="NAME"),
    ] = None

    def __post_init__(self) -> None:
        """Check that the options go together.

        Raises:
            typer.BadParameter: one is of labels that are not given.
        """
        given = {
            "--label-order": self.label_order is not LabelOrderName.AUTO,
            "--label-names": self.label_names is not None,
        }
        for option, is_given in given.items():
            if is_given and self.labels is None:
                raise typer.BadParameter("this is for --labels; give that, too.", param_hint=option)

    @property
    def of_one_patient(self) -> bool:
        """Whether an option is given that is of one patient."""
        own = (self.labels, self.ed, self.es, self.heart_rate, self.time_step, self.spacing)
        return any(option is not None for option in own)

    def for_analysis(self, refined: bool) -> "CineOptions":
        """Return what is asked of the analysis."""
        from facewarp.cardiac.cine_options import CineOptions
        from facewarp.cardiac.io.timing import ReadOptions

        reading = ReadOptions(
            spacing_mm=None if self.spacing is None else _spacing(self.spacing),
            time_step_s=None if self.time_step is None else self.time_step / 1000,
            heart_rate_bpm=self.heart_rate,
            series=self.series,
        )
        return CineOptions(
            reading,
            labels=None if self.labels is None else str(self.labels),
            label_order=self.label_order.value,
            label_names=self.label_names,
            ed=self.ed,
            es=self.es,
            refined=refined,
        )


@dataclass(frozen=True)
class ResultOptions:
    """What is written of a patient."""

    fields: Annotated[bool, typer.Option(help="Write displacement fields and Jacobian maps.")] = (
        True
    )
    report: Annotated[bool, typer.Option(help="Write report.html, a page of all results.")] = True
    movie: Annotated[Movie, typer.Option(help="Format of the movie.")] = Movie.GIF
    identity: Annotated[
        bool,
        typer.Option(
            "--identity",
            help="Say in indices.json whose it is: number, name, birth, sex, study of the DICOM.",
        ),
    ] = False
    mesh: Annotated[
        bool,
        typer.Option(
            "--mesh", help="Write moving surfaces in mm: mesh_NN.vtp, mesh.pvd, mesh.glb."
        ),
    ] = False
    strain_intervals: Annotated[
        int,
        typer.Option(
            parser=parse_copies,
            metavar="N",
            help="Measure strain on N perturbed copies too (2 at least), for 95 % intervals; "
            "takes N times as long.",
        ),
    ] = 0
    dicom_out: Annotated[
        bool,
        typer.Option(
            "--dicom-out",
            help="Write DICOM SEG, SR and PDF under the study and patient of the DICOM read.",
        ),
    ] = False

    @property
    def files(self) -> "ResultFiles":
        """Return which files are written."""
        from facewarp.cardiac.report.result_files import ResultFiles

        return ResultFiles(
            fields=self.fields,
            report=self.report,
            movie=self.movie.value,
            mesh=self.mesh,
            dicom_out=self.dicom_out,
        )


@dataclass(frozen=True)
class RunOptions:
    """How many patients are processed at once, and where."""

    workers: Annotated[
        int | None, typer.Option(help="Patients processed in parallel.", min=1, max=256)
    ] = None
    ray: Ray = None
    threads: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=1, help="Threads of each patient.", show_default="the cores shared out"
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option(help="Leave finished patients as they are, after a check.")
    ] = True
    time_limit: TimeLimit = None


@option_groups
def cine(
    ctx: typer.Context,
    patients: Annotated[
        list[Path],
        typer.Argument(
            help="A 4D NIfTI, a folder of one NIfTI a phase or of a DICOM series, an ACDC "
            "patient's folder, a folder of such, or a list of them (.txt, .csv).",
            metavar="PATIENT...",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", help="Folder to write; each patient gets a folder in it.", metavar="DIR"
        ),
    ] = Path("facewarp-cine"),
    *,
    inputs: InputOptions,
    results: ResultOptions,
    run: RunOptions,
    refine: Refine = True,
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = "heart",
    device: Device = "cpu",
) -> None:
    """Track hearts through the cardiac cycle: labels, volumes, ejection fraction, motion.

    Writes into DIR/PATIENT: labels_4d.nii.gz on the cine's own grid,
    field_ed_to_NN.nii.gz and field_NN_to_ed.nii.gz (ITK displacement fields)
    and jacobian_4d.nii.gz, curves.csv, strain.csv, indices.json, sheet.png, cine.gif and
    report.html, a page to read and to print. --dicom-out adds seg_NN.dcm, measurements.dcm
    and report.dcm, which hold the patient's name and number as the scan does.

    End-diastole and end-systole are those of ACDC's Info.cfg, the phases that
    --labels has filled, or where the left ventricle is largest and smallest.
    One patient that cannot be read does not stop the others.

    Of several patients DIR gets cohort.csv and cohort.html too. Patients whose
    folder is whole, and made from the same files with the same settings, are
    not done again (--no-resume does them).

    Examples:
      facewarp cine patient090_4d.nii.gz --out hearts/
      facewarp cine training/patient001 training/patient002 --out hearts/
      facewarp cine study/ --series "SAX stress" --out hearts/
      facewarp cine dicom/sa_stack/ --out hearts/ --dicom-out --mesh
      facewarp cine scan.nii.gz --labels ed.nii.gz --ed 1 --json
      facewarp cine A0S9V9_sa.nii.gz --labels gt.nii.gz --label-order mnms
      facewarp cine dicom/ --labels rt.dcm --label-names "lv=endo,outer=epi,rv=RV"
      facewarp cine training/ --out hearts/ --workers 4
      facewarp cine patients.txt --out /shared/hearts --ray auto
    """
    output = output_of(ctx)
    any_existing(patients)
    end_quickly()
    limit_blas()
    known_model(model)  # once threads are limited: that imports NumPy
    with quick_imports("pydicom"):
        from facewarp.cardiac.cohort.discovery import discover
        from facewarp.cardiac.cohort.job import Settings
        from facewarp.cardiac.cohort.runner import jobs_for, run_cohort

    shared_out = threads_for(run.workers, run.ray)
    threads = shared_out if run.threads is None else run.threads
    chosen = discover(patients)
    if len(chosen) > 1 and inputs.of_one_patient:
        what = "--labels, --ed, --es, --heart-rate, --time-step and --spacing are one patient's"
        raise FacewarpError(what, fix=f"Give one patient with them, not {len(chosen)}.")
    settings = Settings(
        model=model,
        device=device,
        analysis=inputs.for_analysis(refine),
        files=results.files,
        identity=results.identity,
        strain_intervals=results.strain_intervals,
    )
    jobs = jobs_for(chosen, out, settings, resume=run.resume, threads=threads)
    resume_collection()
    with BatchTable(output, len(jobs), "patient", _COLUMNS, _cells) as table:
        cohort = run_cohort(
            jobs,
            out,
            workers=run.workers or 1,
            ray_address=run.ray,
            time_limit_s=run.time_limit,
            on_event=table,
        )
    _tell(output, cohort, out)


def _spacing(text: str) -> tuple[float, float, float]:
    """Parse three sizes in mm, separated by commas."""
    try:
        x, y, z = (float(part) for part in text.replace("x", ",").split(","))
    except ValueError as error:
        what = f"--spacing {text} is not three sizes"
        raise FacewarpError(what, fix="Give them like --spacing 1.8,1.8,10.") from error
    return x, y, z


def _tell(output: Output, cohort: "Batch", out: Path) -> None:
    """Print the results, and end with 1 where a patient failed."""
    good = [outcome for outcome in cohort.outcomes if outcome.summary is not None]
    failed = cohort.of("failed")
    done = [
        {**_without_files(one.summary), "output": str(one.target), "status": one.status}
        for one in good
    ]
    failures = [{"patient": str(one.source), "error": one.error} for one in failed]
    output.emit_json({"patients": done, "failed": failures})
    for outcome in cohort.of("done"):
        for warning in (outcome.summary or {}).get("warnings", ()):
            output.warn(f"{outcome.name}: {warning}")
    if good:
        table = Table(box=None, pad_edge=False)
        table.add_column("patient")
        for name in _COLUMNS:
            table.add_column(name, justify="right", no_wrap=True)
        for outcome in good:
            table.add_row(cell(outcome.name), *_cells(outcome.summary))
        output.say(table)
        before = len(cohort.of("skipped"))
        known = f", {before} of them finished before" if before else ""
        output.say(f"{len(good)} written to {cell(out)}{known}")
    for outcome in failed:
        if output.verbose and outcome.trace:
            output.stderr.print(outcome.trace, markup=False, highlight=False, soft_wrap=True)
        output.error(outcome.error)
    if failed:
        if len(cohort.outcomes) > 1:
            output.error(f"{len(failed)} of {len(cohort.outcomes)} patients failed")
        raise typer.Exit(1)


def _without_files(summary: dict[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (summary or {}).items() if name != "run"}


def _cells(found: dict[str, Any] | None) -> list[str]:
    """Return a patient's cells from the contents of its `indices.json`."""
    if found is None:
        return ["-"] * len(_COLUMNS)

    def shown(value: float | None, unit: str) -> str:
        return "-" if value is None else f"{value:.0f} {unit}"

    cells = []
    for side in (found["lv"], found["rv"]):
        cells += [shown(side["edv_ml"], "ml"), shown(side["esv_ml"], "ml")]
        cells.append(shown(side["ef_percent"], "%"))
    cells.insert(3, shown(found["lv_mass_g"], "g"))
    verdicts = {flag["verdict"] for flag in found["flags"]}
    quality = next(verdict for verdict in ("bad", "look", "ok") if verdict in verdicts)
    return [*cells, shown(100 * min(found["quality"]["agreement"]), "%"), quality]
