"""Many patients: who they are, and one table and one page of what became of them."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facewarp.cardiac.cluster import run_on_ray
from facewarp.cardiac.dicom_files import dicom_files
from facewarp.cardiac.job import Job, Outcome, Settings
from facewarp.cardiac.nifti import is_nifti, stem
from facewarp.cardiac.patient import INFO, find_patients
from facewarp.cardiac.truth import flat
from facewarp.cardiac.workers import Event, run_here, run_in_processes
from facewarp.errors import FacewarpError
from facewarp.media.outputs import written

LISTS: Final = (".txt", ".lst", ".csv")
#: Columns of ``cohort.csv`` that hold measurements, in their order.
MEASURED: Final = (
    "lv_edv_ml",
    "lv_esv_ml",
    "lv_sv_ml",
    "lv_ef_percent",
    "lv_mass_g",
    "rv_edv_ml",
    "rv_esv_ml",
    "rv_sv_ml",
    "rv_ef_percent",
    "peak_circumferential_engineering_percent",
    "peak_radial_engineering_percent",
    "peak_thickening_percent",
    "lowest_agreement_percent",
    "loop_p95_mm",
    "folds_percent",
)
_ABOUT: Final = (
    "patient", "status", "error", "source", "seconds", "bytes", "peak_mb", "phases", "quality",
    "odd",
)  # fmt: skip


@dataclass(frozen=True)
class Cohort:
    """What became of many patients.

    Attributes:
        outcomes: of each, in the order in which they were named.
        folder: that holds their folders.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path

    def of(self, status: str) -> tuple[Outcome, ...]:
        """Those of one status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)


def discover(paths: Sequence[Path]) -> dict[str, Path]:
    """The patients meant by some paths, by name.

    A path is a cine as :func:`~facewarp.cardiac.patient.open_cine` reads it; a folder of such:
    patients' folders with an ``Info.cfg`` at any depth, NIfTI files of four axes, or folders that
    hold NIfTI or DICOM; or a list, a ``.txt`` or ``.csv`` file with one path a line (its first
    column), relative to itself, ``#`` beginning a comment.

    Raises:
        FacewarpError: two patients of one name, or a list that names nothing.
    """
    names: dict[str, Path] = {}
    for path in paths:
        for source in _listed(path) if path.suffix.lower() in LISTS else _below(path):
            name = _name(source)
            if name in names and names[name].resolve() != source.resolve():
                what = f"two patients are called {name}: {names[name]} and {source}"
                raise FacewarpError(what, fix="Run them with different --out.")
            names.setdefault(name, source)
    return names


def jobs_for(
    patients: dict[str, Path],
    out: Path,
    settings: Settings,
    *,
    resume: bool = True,
    threads: int | None = None,
) -> list[Job]:
    """A job for each patient, with a folder of its name below another."""
    return [Job(n, p, out / n, settings, resume, threads) for n, p in patients.items()]


def run_cohort(
    jobs: Sequence[Job],
    out: Path,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    told: Callable[[Event], None] | None = None,
) -> Cohort:
    """Work on many patients, and write ``cohort.csv`` and ``cohort.html`` if they are several.

    Both are written when the work is interrupted, too.

    Args:
        jobs: the patients.
        out: the folder of their folders.
        workers: processes; 1 works in this one.
        ray_address: do it on this Ray cluster instead.
        told: of every event, as it happens.

    Raises:
        FacewarpError: the cluster can't be reached, or the table can't be written.
    """
    ended: dict[str, Outcome] = {}

    def heard(event: Event) -> None:
        if event.outcome is not None:
            ended[event.job.name] = event.outcome
        if told is not None:
            told(event)

    def cohort() -> Cohort:
        return Cohort(tuple(ended[job.name] for job in jobs if job.name in ended), out)

    try:
        if ray_address is not None:
            run_on_ray(jobs, ray_address, heard)
        elif workers > 1:
            run_in_processes(jobs, workers, heard)
        else:
            run_here(jobs, heard)
    except KeyboardInterrupt as stop:
        kept = len(cohort().of("done")) + len(cohort().of("skipped"))
        if len(jobs) > 1 and kept:
            write_cohort(cohort())
        stop.add_note(f"kept {kept} of {len(jobs)} patients in {out}; the same command goes on")
        raise
    if len(jobs) > 1 and any(outcome.status != "failed" for outcome in ended.values()):
        write_cohort(cohort())
    return cohort()


def write_cohort(cohort: Cohort) -> None:
    """Write the table and the page of a cohort into its folder.

    Raises:
        FacewarpError: they could not be written.
    """
    from facewarp.cardiac.cohort_page import cohort_page

    rows = [row_of(outcome) for outcome in cohort.outcomes]
    names = [*_ABOUT, *MEASURED, *(f"true_{name}" for name in MEASURED if _has(rows, name))]
    with (
        written(cohort.folder / "cohort.csv") as path,
        open(path, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, names, restval="", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    page = cohort_page(cohort, rows)
    with written(cohort.folder / "cohort.html") as path:
        path.write_text(page, "utf-8")


def row_of(outcome: Outcome) -> dict[str, Any]:
    """A patient's row of ``cohort.csv``."""
    row: dict[str, Any] = {
        "patient": outcome.name,
        "status": outcome.status,
        "error": outcome.error,
        "source": str(outcome.source),
        "seconds": round(outcome.seconds, 2),
        "bytes": outcome.bytes,
        "peak_mb": "" if outcome.peak_mb is None else round(outcome.peak_mb),
    }
    found = outcome.summary
    if found is None:
        return row
    odd = [flag["name"] for flag in found["flags"] if flag["verdict"] != "ok"]
    verdicts = {flag["verdict"] for flag in found["flags"]}
    row |= {
        "phases": found["phases"],
        "quality": next(verdict for verdict in ("bad", "look", "ok") if verdict in verdicts),
        "odd": "; ".join(odd),
        **flat(found),
        "lowest_agreement_percent": round(100 * min(found["quality"]["agreement"]), 2),
        "loop_p95_mm": found["quality"]["loop_p95_mm"],
        "folds_percent": found["quality"]["folds_percent"],
    }
    if found["strain"] is not None:
        whole = found["strain"]["regions"][0]
        row |= {name: whole[name] for name in MEASURED if name in whole}
    if found["truth"] is not None:
        row |= {f"true_{name}": value for name, value in flat(found["truth"]).items()}
    return {name: "" if value is None else value for name, value in row.items()}


def _has(rows: Sequence[dict[str, Any]], name: str) -> bool:
    return any(f"true_{name}" in row for row in rows)


def _listed(path: Path) -> list[Path]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = "the list of patients cannot be read"
        raise FacewarpError(what, path, "Give a text file with one path a line.") from error
    named = [line.partition("#")[0].split(",")[0].strip().strip('"') for line in lines]
    found = [path.parent / name for name in named if name and name not in ("path", "source")]
    if not found:
        raise FacewarpError("the list names no patient", path, "Write one path a line.")
    return found


def _below(path: Path) -> list[Path]:
    """The patients in a folder; the path itself where it is one."""
    if not path.is_dir() or (path / INFO).is_file():
        return [path]
    files = sorted(p for p in path.iterdir() if is_nifti(p))
    if files:
        axes = {p: _axes(p) for p in files}
        cines = [p for p in files if axes[p] in (4, 0)]  # what can't be read shall be told of
        return cines if list(axes.values()).count(4) > 1 else [path]
    if found := find_patients(path):
        return found
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    held = [p for p in folders if any(is_nifti(f) for f in p.iterdir() if f.is_file())]
    held += [p for p in folders if p not in held and dicom_files(p)]
    return sorted(held) if held and not _one_study(held) else [path]


def _one_study(folders: Sequence[Path]) -> bool:
    """Whether several folders are the series of one examination rather than patients."""
    import pydicom

    if len(folders) < 2:
        return False
    studies = set()
    for folder in folders:
        files = dicom_files(folder)
        if not files:
            return False
        try:
            data = pydicom.dcmread(files[0], stop_before_pixels=True)
        except (OSError, ValueError, EOFError, KeyError):
            return False
        studies.add(str(data.get("StudyInstanceUID", folder.name)))
    return len(studies) == 1


def _axes(path: Path) -> int:
    """Number of a NIfTI file's axes; 0 where it cannot be read."""
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        return len(nib.load(path).shape)  # type: ignore[attr-defined]
    except (OSError, EOFError, ValueError, ImageFileError):
        return 0


def _name(path: Path) -> str:
    if path.is_dir():
        return path.resolve().name
    return stem(path).removesuffix("_4d") if is_nifti(path) else path.stem
