"""Analyze one patient, from its files to its result folder; skip what is finished."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from facewarp.batch.fingerprint import fingerprint, fingerprint_of
from facewarp.batch.jobs import Outcome, Report
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cohort.table import NOT_AS_WRITTEN, row_of
from facewarp.cardiac.report.conventions import MARK
from facewarp.cardiac.report.result_files import ResultFiles, check_result_folder
from facewarp.system.atomic_files import sweep
from facewarp.system.atomic_folder import restore_folder
from facewarp.system.closing import Closing, MadeAhead
from facewarp.system.machine import cores
from facewarp.system.memory import (
    keep_freed_memory,
    return_freed_memory,
    share_freed_memory,
)
from facewarp.system.start import quick_imports
from facewarp.version import __version__

if TYPE_CHECKING:
    from facewarp.cardiac.cine_result import CineResult, Watcher
    from facewarp.cardiac.io.patient import Cine
    from facewarp.cardiac.motion.heart_roi import HeartModel

_MEASURING: Final = 0.7  # share of the work that is not writing


@dataclass(frozen=True)
class Settings:
    """What is done with every patient.

    Attributes:
        model: shipped name or weights file.
        device: where the model runs.
        analysis: what is asked of the analysis.
        files: which files are written.
        identity: whether ``indices.json`` says whose DICOM it was, under ``run``.
        strain_intervals: perturbed copies on which strain is measured again; 0 for none.
    """

    model: str = "heart"
    device: str = "cpu"
    analysis: CineOptions = field(default_factory=CineOptions)
    files: ResultFiles = field(default_factory=ResultFiles)
    identity: bool = False
    strain_intervals: int = 0

    def flat(self) -> dict[str, Any]:
        """Return what a folder is made by, under flat names: all but the device."""
        flat = asdict(self)
        files, analysis, _ = (flat.pop(name) for name in ("files", "analysis", "device"))
        reading = analysis.pop("reading")
        return {**flat, **files, **reading, **analysis}


@dataclass(frozen=True)
class Job:
    """A patient to analyze.

    Attributes:
        name: of the patient, and of its folder.
        source: the cine: see `open_cine`.
        target: the folder that gets the results.
        settings: of the analysis.
        resume: whether a finished folder is left as it is.
        threads: for computing; None for all.
    """

    name: str
    source: Path
    target: Path
    settings: Settings
    resume: bool = True
    threads: int | None = None

    def run(self, report: Report) -> Outcome:
        """Analyze the patient and write its folder, unless it is finished already."""
        if self.resume and (found := self.already()) is not None:
            return found
        _analyse(self, report)
        summary = json.loads((self.target / MARK).read_text("utf-8"))
        size = _size(self.target)
        return Outcome(self.name, self.source, self.target, "done", summary, bytes=size)

    def already(self) -> Outcome | None:
        """See `facewarp.batch.jobs.Job`."""
        found = finished(self)
        if found is None:
            return None
        size = _size(self.target)
        return Outcome(self.name, self.source, self.target, "skipped", found, bytes=size)

    def sweep(self) -> None:
        """See `facewarp.batch.jobs.Job`."""
        if self.target.parent.is_dir():
            sweep(self.target.parent, f".{self.target.name}.", ".partial")

    def absolute(self) -> "Job":
        """See `facewarp.batch.jobs.Job`."""
        from facewarp.core.weights import absolute_model

        analysis = self.settings.analysis
        if analysis.labels is not None:
            analysis = replace(analysis, labels=str(Path(analysis.labels).resolve()))
        model = absolute_model(self.settings.model)
        settings = replace(self.settings, model=model, analysis=analysis)
        source, target = self.source.resolve(), self.target.resolve()
        return replace(self, source=source, target=target, settings=settings)


def finished(job: Job) -> dict[str, Any] | None:
    """Return the content of a finished folder's ``indices.json``; None if it must be done (again).

    It is finished if it was made from the same files by the same program, weights and settings,
    and every file it wrote is there with the size it had.
    """
    try:
        restore_folder(job.target)
        found = json.loads((job.target / MARK).read_text("utf-8"))
        run = found["run"]
        same = run["about"] == _about(job)
        row_of(Outcome(job.name, job.source, job.target, "done", found))
        whole = all((job.target / n).stat().st_size == size for n, size in run["files"].items())
    except (OSError, RecursionError, *NOT_AS_WRITTEN):
        return None
    return found if same and whole else None


@lru_cache(maxsize=1)
def _import_libraries() -> None:
    """Import torch and all that analyzes, once a process: not to skip patients or to share out."""
    with quick_imports():
        import facewarp.cardiac.report.result_folder
        import facewarp.cardiac.strain_repeats  # noqa: F401


class _Reading(Closing):
    """A patient's files read, which can be done in a thread.

    Attributes:
        cine: what was read.
    """

    def __init__(self, job: Job) -> None:
        from facewarp.cardiac.io.patient import open_cine

        self.cine = open_cine(job.source, job.settings.analysis.reading)

    def close(self) -> None:
        """See `Closing`: no file is open any more."""


def _analyse(job: Job, progress: Callable[[float], None]) -> None:
    """Read, measure and write a patient."""
    check_result_folder(job.target)
    share_freed_memory(1)  # what one thread has freed is there for all
    keep_freed_memory()  # arrays follow one another; what is free is returned where it is much
    about = _about(job)  # of the files as they are read, not as they may be later
    with quick_imports("pydicom"):  # nibabel comes with it; the thread may need pydicom
        import facewarp.cardiac.io.patient  # noqa: F401
    with MadeAhead(lambda: _Reading(job)) if cores() > 1 else nullcontext() as ahead:
        _import_libraries()
        import torch

        from facewarp.cardiac.export.dicom_study import check_dicom_out
        from facewarp.cardiac.io.dicom_frames import identity_of
        from facewarp.cardiac.io.dicom_series import dicom_files
        from facewarp.cardiac.report.result_folder import result_writer

        if job.threads is not None:
            torch.set_num_threads(job.threads)
        settings = job.settings
        if settings.files.dicom_out:
            check_dicom_out(job.source)
        model = _model(settings.model, settings.device, about["settings"]["model"])
        cine = (ahead.get() if ahead else _Reading(job)).cine
    run: dict[str, Any] = {"about": about}
    if settings.identity:
        run["identity"] = next(map(identity_of, dicom_files(job.source)), {})
    with result_writer(job.target, settings.files) as writer:
        watch = writer if cores() > 1 else None
        result = _measured(job, cine, model, lambda share: progress(_MEASURING * share), watch)
        model.release()  # what is still written needs the memory
        return_freed_memory()
        writer.finish(
            result,
            run=run,
            progress=lambda share: progress(_MEASURING + (1 - _MEASURING) * share),
        )


def _measured(
    job: Job,
    cine: "Cine",
    model: "HeartModel",
    progress: Callable[[float], None],
    watch: "Watcher | None",
) -> "CineResult":
    """Measure a patient, several times where strain is to have intervals.

    Args:
        job: the patient.
        cine: its files, read.
        model: a heart model.
        progress: told the share of this that is done.
        watch: told what is final, as soon as it is.
    """
    from facewarp.cardiac.cine import analyse
    from facewarp.cardiac.strain_repeats import with_strain_intervals

    asked, copies = job.settings.analysis, job.settings.strain_intervals
    once = 1 / (1 + copies)  # the share that one analysis takes
    result = analyse(
        replace(cine, name=job.name),  # a file that is called dicom/ does not say of whom it is
        model,
        asked,
        model_name=job.settings.model,
        progress=lambda share: progress(once * share),
        watch=watch,
    )
    if not copies:
        return result
    return with_strain_intervals(
        result,
        model,
        copies,
        asked,
        progress=lambda share: progress(once + (1 - once) * share),
    )


def _about(job: Job) -> dict[str, Any]:
    """Return inputs and options of a folder: equal ones give the same folder."""
    from facewarp.cardiac.io.nifti_folder import read_with
    from facewarp.core.weights import SLICES, file_sha256, find_weights, weights_beside

    settings = json.loads(json.dumps(job.settings.flat()))  # as it is when it is read again
    weights = find_weights(job.settings.model)
    settings["model"] = file_sha256(weights)
    if beside := weights_beside(weights, SLICES):
        settings["slices"] = file_sha256(beside)
    labels = job.settings.analysis.labels
    return {
        "facewarp": __version__,
        "settings": settings,
        "source": fingerprint(job.source),
        "beside": fingerprint_of(read_with(job.source)) if job.source.is_file() else None,
        "labels": None if labels is None else fingerprint(Path(labels)),
    }


def _model(name: str, device: str, sha256: str) -> "HeartModel":
    """Return the model of these weights, loaded once a process, and anew if the file changed."""
    from facewarp.core import model

    return _loaded(model.load, name, device, sha256)


@lru_cache(maxsize=1)
def _loaded(load: Callable[..., Any], name: str, device: str, sha256: str) -> Any:
    return load(name, device)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
