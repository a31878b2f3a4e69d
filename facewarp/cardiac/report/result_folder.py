"""A cine's result as a folder of files."""

import csv
import json
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.export.dicom_pdf import write_report_pdf
from facewarp.cardiac.export.dicom_seg import write_segmentations
from facewarp.cardiac.export.dicom_sr import write_measurements
from facewarp.cardiac.export.dicom_study import as_dicom, study_of
from facewarp.cardiac.export.gltf import write_gltf
from facewarp.cardiac.export.surfaces import moving_surfaces
from facewarp.cardiac.export.vtk_series import write_vtk_series
from facewarp.cardiac.io.nifti_writer import write_field_mm, write_labels, write_maps
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.plots.figures import film, film_slices, sheet
from facewarp.cardiac.plots.movie import write_movie
from facewarp.cardiac.report.conventions import CYCLE_S, MARK
from facewarp.cardiac.report.page import report_page, write_report
from facewarp.cardiac.report.quality_flags import quality_flags
from facewarp.cardiac.report.reference_indices import reference_of
from facewarp.cardiac.report.result_files import Movie, ResultFiles, result_folder
from facewarp.cardiac.report.strain_table import strain_summary, write_strain
from facewarp.core.arrays import ImageArray
from facewarp.system.memory import return_freed_memory
from facewarp.version import __version__

Progress = Callable[[float], None]

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
    asked = files or ResultFiles()
    with result_folder(folder) as place, ThreadPoolExecutor(_WRITERS) as pool:
        labels, volume = result.labels, result.cine.volume
        _ = result.gray_levels  # once, before threads ask for it
        drawn = pool.submit(_write_pictures, result, place, asked.movie, asked.report)
        jobs: list[Future[Any]] = [
            drawn,
            pool.submit(write_labels, place / "labels_4d.nii.gz", labels, volume),
        ]
        if asked.fields:
            jobs += [
                pool.submit(_write_field, result, place, phase, to_ed)
                for phase in range(len(result.cine.frames))
                for to_ed in (False, True)
                if phase != result.ed
            ]
            jobs.append(pool.submit(_write_jacobian, result, place))
        try:
            _ = result.strain  # beside what does not need it
            return_freed_memory()  # it takes much, for a moment
            if asked.report:
                write_report(result, place / "report.html", drawn.result())
            if asked.mesh:
                jobs.append(pool.submit(_write_mesh, result, place))
            if asked.dicom_out:
                jobs.append(pool.submit(_write_dicom, result, place))
            for done, job in enumerate(jobs, start=1):
                job.result()
                if progress:
                    progress(done / len(jobs))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        _write_curves(result, place / "curves.csv")
        if result.strain is not None:
            frames, ed = result.cine.frames, result.ed
            step, intervals = _step_s(result), result.strain_intervals
            write_strain(place / "strain.csv", result.strain, frames, ed, step, intervals)
        written = {p.name: p.stat().st_size for p in sorted(place.iterdir())}
        told = {**summary(result), "run": {**(run or {}), "files": written}}
        text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
        (place / MARK).write_text(text + "\n", "utf-8", errors="backslashreplace")


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


def _write_field(result: CineResult, place: Path, phase: int, to_ed: bool) -> None:
    frame = f"{result.cine.frames[phase]:02d}"
    name = f"field_{frame}_to_ed.nii.gz" if to_ed else f"field_ed_to_{frame}.nii.gz"
    write_field_mm(place / name, result.components_mm(phase, to_ed=to_ed), result.cine.volume)


def _write_jacobian(result: CineResult, place: Path) -> None:
    path = place / "jacobian_4d.nii.gz"
    phases = map(result.jacobian_of, range(len(result.cine.frames)))
    write_maps(path, phases, result.cine.volume, "volume of tissue against ED")


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


def _write_pictures(
    result: CineResult, place: Path, movie: Movie, report: bool
) -> list[ImageArray]:
    """Write the contact sheet and the movie; return the movie's slices, which the page shows."""
    Image.fromarray(sheet(result)).save(place / "sheet.png", compress_level=4)
    moves = len(result.cine.frames) > 2
    pictures = film_slices(result) if moves and (movie != "none" or report) else []
    if movie != "none" and moves:
        step = result.cine.volume.time_step_s or CYCLE_S / len(pictures)
        write_movie(place / f"cine.{movie}", film(result, pictures), step)
    return pictures


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
