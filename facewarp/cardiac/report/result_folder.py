"""A cine's result as a folder of files."""

import csv
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import torch
from PIL import Image

from facewarp.cardiac.cine_result import (
    CineResult,
    SeenCine,
    field_components_mm,
    jacobian_on_volume,
)
from facewarp.cardiac.export.dicom_pdf import write_report_pdf
from facewarp.cardiac.export.dicom_seg import write_segmentations
from facewarp.cardiac.export.dicom_sr import write_measurements
from facewarp.cardiac.export.dicom_study import as_dicom, study_of
from facewarp.cardiac.export.gltf import write_gltf
from facewarp.cardiac.export.surfaces import moving_surfaces
from facewarp.cardiac.export.vtk_series import write_vtk_series
from facewarp.cardiac.io.nifti_writer import write_field_mm, write_labels, write_maps
from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.motion.cycle_registration import Motion
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.plots.figures import contour_tables, film, film_slices, sheet
from facewarp.cardiac.plots.movie import write_movie
from facewarp.cardiac.quantification.strain import Strain, measure_strain
from facewarp.cardiac.report.conventions import CYCLE_S, MARK
from facewarp.cardiac.report.page import report_page, write_report
from facewarp.cardiac.report.page_images import SeenPictures, data_uri, moves
from facewarp.cardiac.report.quality_flags import quality_flags
from facewarp.cardiac.report.reference_indices import reference_of
from facewarp.cardiac.report.result_files import ResultFiles, result_folder
from facewarp.cardiac.report.strain_table import strain_summary, write_strain
from facewarp.core.arrays import ImageArray
from facewarp.system.memory import return_freed_memory
from facewarp.version import __version__

Progress = Callable[[float], None]
Found = TypeVar("Found")

_WRITERS: Final = 3  # threads: one of them waits for the disk


def write_result(
    result: CineResult,
    folder: Path,
    files: ResultFiles | None = None,
    *,
    run: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> None:
    """Write all that was found in a cine.

    The folder holds ``labels_4d.nii.gz``, ``field_ed_to_NN.nii.gz`` and ``field_NN_to_ed.nii.gz``
    for every phase NN but end-diastole, ``jacobian_4d.nii.gz``, ``curves.csv``, ``strain.csv``,
    ``indices.json``, ``sheet.png``, ``cine.gif`` and
    ``report.html``. It appears when all of them are there; one that an earlier run
    wrote is replaced.

    Args:
        result: what was found.
        folder: the patient's folder.
        files: which files are written.
        run: what ``indices.json`` shall tell of the run besides, under ``"run"``.
        progress: told the share of the work done, 0 to 1.

    Raises:
        FacewarpError: something else is there already, or it can't be written.
    """
    with result_writer(folder, files) as writer:
        writer.finish(result, run=run, progress=progress)


@contextmanager
def result_writer(folder: Path, files: ResultFiles | None = None) -> Iterator["ResultWriter"]:
    """Open a folder for what is found in a cine, to be written while more is being found.

    It appears as `write_result` says, at a clean end; an error or Ctrl-C leaves nothing of it.

    Args:
        folder: the patient's folder.
        files: which files are written.

    Raises:
        FacewarpError: something else is there already, or it can't be written.
    """
    with (
        result_folder(folder) as place,
        ThreadPoolExecutor(1, "beside", _alone) as beside,
        ThreadPoolExecutor(_WRITERS, "writer", _alone) as pool,
    ):
        try:
            yield ResultWriter(place, files or ResultFiles(), beside, pool)
        except BaseException:
            for one in (beside, pool):
                one.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            torch.set_num_threads(torch.get_num_threads())  # of threads that others start later


def _alone() -> None:
    """Compute with one thread in a thread of the pool: the others compute beside it."""
    torch.set_num_threads(1)


class ResultWriter:
    """Writes a cine's files in threads, each as soon as what it holds is final: a `Watcher`.

    What could not be written is raised by the next call.

    Args:
        place: the folder.
        files: which files are written.
        beside: runs what is begun beside the registration: one job at a time, for memory.
        pool: runs the rest.
    """

    def __init__(self, place: Path, files: ResultFiles, beside: Executor, pool: Executor) -> None:
        self._place, self._files, self._pool, self._last = place, files, beside, pool
        self._jobs: list[Future[Any]] = []
        self._seen: SeenCine | None = None
        self._drawn: Future[_Drawn] | None = None
        self._strain: Future[Strain | None] | None = None
        self._moved: set[int] = set()
        self._tracked = False

    def seen(self, seen: SeenCine) -> None:
        """Write labels and movie, and draw what the page shows of them."""
        self._seen = seen
        _ = seen.gray_levels  # once, before threads ask for it
        self._drawn = self._begin(_draw, seen, self._place, self._files)
        self._begin(write_labels, self._place / "labels_4d.nii.gz", seen.labels, seen.cine.volume)

    def moved(self, cine: Cine, motion: Motion, phase: int) -> None:
        """Write the fields of a phase."""
        self._moved.add(phase)
        if self._files.fields and phase != motion.ed:
            for to_ed in (False, True):
                self._begin(_write_field, cine, motion, self._place, phase, to_ed)

    def tracked(self, cine: Cine, motion: Motion) -> None:
        """Write determinants, and measure strain where its labels are known."""
        self._tracked, self._pool = True, self._last
        if self._seen is not None:
            self._strain = self._begin(measure_strain, motion, self._seen.labels[motion.ed])
        if self._files.fields:
            self._begin(_write_jacobian, cine, motion, self._place)

    def finish(
        self,
        result: CineResult,
        *,
        run: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Write what is left: see `write_result`."""
        cine, motion, place = result.cine, result.motion, self._place
        self._pool = self._last
        if self._seen is None:
            self.seen(result.seen)
        for phase in range(len(cine.frames)):
            if phase not in self._moved:
                self.moved(cine, motion, phase)
        if not self._tracked:
            self.tracked(cine, motion)
        assert self._seen is not None
        assert self._drawn is not None
        if self._strain is None:  # its labels were not known with the motion
            self._strain = self._begin(measure_strain, motion, self._seen.labels[motion.ed])
        self._begin(_write_sheet, result, place, self._drawn)
        vars(result).update(seen=self._seen, strain=self._strain.result())  # its cached properties
        return_freed_memory()  # strain takes much, for a moment
        if self._files.report:
            write_report(result, place / "report.html", self._drawn.result().pictures)
        if self._files.mesh:
            self._begin(_write_mesh, result, place)
        if self._files.dicom_out:
            self._begin(_write_dicom, result, place)
        for done, job in enumerate(self._jobs, start=1):
            job.result()
            if progress:
                progress(done / len(self._jobs))
        _write_curves(result, place / "curves.csv")
        if result.strain is not None:
            step, intervals = _step_s(result), result.strain_intervals
            write_strain(
                place / "strain.csv", result.strain, cine.frames, result.ed, step, intervals
            )
        written = {p.name: p.stat().st_size for p in sorted(place.iterdir())}
        told = {**summary(result), "run": {**(run or {}), "files": written}}
        text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
        (place / MARK).write_text(text + "\n", "utf-8", errors="backslashreplace")

    def _begin(self, work: Callable[..., Found], *given: Any) -> Future[Found]:
        for job in self._jobs:
            if job.done():
                job.result()
        job = self._pool.submit(work, *given)
        self._jobs.append(job)
        return job


def summary(result: CineResult) -> dict[str, Any]:
    """Return what ``indices.json`` holds: plain values."""
    cine, volume, quality = result.cine, result.cine.volume, result.quality
    reference = reference_of(result)
    truth = reference.indices
    return {
        "patient": cine.name,
        "source": str(cine.path),
        "group": cine.info.group if cine.info else "",
        "phases": len(cine.frames),
        "ed_frame": cine.frames[result.ed],
        "ed_found_by": result.found_by[0],
        "es_frame": cine.frames[result.es],
        "es_found_by": result.found_by[1],
        "ed_labels_by": result.labels_by,
        "ed_labels_order": _label_order(result),
        **_rounded(asdict(result.indices)),
        "truth": None if truth is None else _rounded(asdict(truth)),
        "strain": _rounded(_strain(result)),
        "quality": _rounded(asdict(quality)),
        "confidence": _confidence(result),
        "geometry": {
            "voxels": list(volume.in_file_order(volume.data[0]).shape[::-1]),
            "spacing_mm": _rounded(np.linalg.norm(volume.file_affine[:3, :3], axis=0).tolist()),
            "voxel_ml": volume.voxel_ml,
            "affine": volume.file_affine.tolist(),
            "time_step_s": volume.time_step_s,
            "rr_interval_s": volume.cycle_s,
        },
        "inputs": result.inputs,
        "model": _model(result),
        "facewarp": __version__,
        "flags": [asdict(flag) for flag in quality_flags(result)],
        "warnings": [*result.warnings, *reference.warnings],
    }


def _confidence(result: CineResult) -> dict[str, Any] | None:
    """Return what to expect, and why; None for a reader's labels and without a calibration."""
    told = result.confidence
    return None if told is None else dict(_rounded(told.to_dict(result.evidence)))


def _model(result: CineResult) -> dict[str, str]:
    beside = {"slices_sha256": result.parts_sha256} if result.parts_sha256 else {}
    return {"name": result.model, "sha256": result.model_sha256, **beside}


def _label_order(result: CineResult) -> dict[str, str] | None:
    if not result.label_order_by:
        return None
    return {"name": result.label_order or "unnamed", "found_by": result.label_order_by}


def _write_field(cine: Cine, motion: Motion, place: Path, phase: int, to_ed: bool) -> None:
    frame = f"{cine.frames[phase]:02d}"
    name = f"field_{frame}_to_ed.nii.gz" if to_ed else f"field_ed_to_{frame}.nii.gz"
    components = field_components_mm(motion, cine.volume, phase, to_ed=to_ed)
    write_field_mm(place / name, components, cine.volume)


def _write_jacobian(cine: Cine, motion: Motion, place: Path) -> None:
    path = place / "jacobian_4d.nii.gz"
    phases = (jacobian_on_volume(motion, phase) for phase in range(len(cine.frames)))
    write_maps(path, phases, cine.volume, "volume of tissue against ED")


def _write_mesh(result: CineResult, place: Path) -> None:
    frames, step = result.cine.frames, _step_s(result)
    surfaces = moving_surfaces(result)
    if not surfaces:
        return
    write_vtk_series(place, surfaces, frames, step)
    shown = step or CYCLE_S / len(frames)
    times = [shown * phase for phase in range(len(frames))]
    write_gltf(place / "mesh.glb", surfaces, result.ed, times, shown * len(frames))


def _write_dicom(result: CineResult, place: Path) -> None:
    study = study_of(result)
    said = [*result.warnings, *reference_of(result).warnings]
    page = report_page(result)
    with as_dicom(result.cine.path):
        segmentations = write_segmentations(result, study, place)
        write_measurements(result, study, segmentations, said, place / "measurements.dcm")
        write_report_pdf(page, study, place / "report.dcm")


@dataclass(frozen=True)
class _Drawn:
    """The slices of the contact sheet, and what the page shows of what was seen."""

    table: ImageArray
    pictures: SeenPictures | None


def _draw(seen: SeenCine, place: Path, files: ResultFiles) -> _Drawn:
    """Write the movie; draw the rest, each picture once."""
    sheets, of_page = contour_tables(seen, [seen.cine.name, ""])
    film_of_page = []

    def slices() -> Iterator[ImageArray]:
        for picture in film_slices(seen):
            if files.report:
                film_of_page.append(data_uri(picture))
            yield picture

    if moves(seen) and files.movie != "none":
        step = seen.cine.volume.time_step_s or CYCLE_S / len(seen.cine.frames)
        write_movie(place / f"cine.{files.movie}", film(seen, slices()), step)
    elif moves(seen) and files.report:
        deque(slices(), maxlen=0)
    held = SeenPictures(data_uri(of_page), tuple(film_of_page)) if files.report else None
    return _Drawn(sheets, held)


def _write_sheet(result: CineResult, place: Path, drawn: Future[_Drawn]) -> None:
    table = drawn.result().table
    Image.fromarray(sheet(result, table)).save(place / "sheet.png", compress_level=4)


def _strain(result: CineResult) -> dict[str, Any] | None:
    if result.strain is None:
        return None
    return strain_summary(
        result.strain, result.cine.frames, result.ed, _step_s(result), result.strain_intervals
    )


def _step_s(result: CineResult) -> float | None:
    """Seconds from phase to phase, where the phases are all there and the file tells it."""
    return result.cine.volume.time_step_s if result.cine.is_whole else None


def _write_curves(result: CineResult, path: Path) -> None:
    step = _step_s(result)
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(
            ["phase", "time_s", "lv_ml", "rv_ml", "myocardium_ml", "moment", "agreement"]
        )
        for index, frame in enumerate(result.cine.frames):
            parts = (HeartPart.LV, HeartPart.RV, HeartPart.MYOCARDIUM)
            volumes = [f"{result.volumes_ml[index, part]:.3f}" for part in parts]
            moment = {result.ed: "ED", result.es: "ES"}.get(index, "")
            time = f"{(frame - 1) * step:.4f}" if step else ""
            agreement = f"{result.quality.agreement[index]:.4f}"
            table.writerow([frame, time, *volumes, moment, agreement])


def _rounded(value: Any) -> Any:
    """Return the same with no more digits than mean something."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
