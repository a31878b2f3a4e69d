"""A cine from its file to its numbers: ``analyse_cine``."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cine_result import CineResult, SeenCine, Watcher
from facewarp.cardiac.io.label_order import AUTO
from facewarp.cardiac.io.label_reader import GivenLabels, read_labels
from facewarp.cardiac.io.patient import Cine, open_cine
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.confidence import (
    HeartCalibration,
    confidence_warnings,
)
from facewarp.cardiac.motion.cycle_registration import (
    Motion,
    heart_middles_mm,
    phases_halfway,
    track,
)
from facewarp.cardiac.motion.evidence import (
    Evidence,
    SecondLooks,
    gather_evidence,
    look_again,
)
from facewarp.cardiac.motion.heart_roi import HeartModel
from facewarp.cardiac.motion.labels import Labels, carry_to_phases
from facewarp.cardiac.motion.orientation import Orientation, with_slices_seen
from facewarp.cardiac.motion.quality import (
    mean_dice,
    measure_quality,
    proportion_warnings,
    quality_warnings,
)
from facewarp.cardiac.motion.several_looks import (
    doubt_warnings,
    in_doubt,
    looks_apart_percent,
)
from facewarp.cardiac.motion.slice_continuity import about_slices
from facewarp.cardiac.motion.slice_parts import SliceParts, slices_beside
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.heart_rate import closed_as_seen, rate_by_curve
from facewarp.cardiac.quantification.indices import (
    base_warnings,
    curve_base_warnings,
    find_ed,
    find_es,
    indices,
    refuse_no_heart,
    volumes_ml,
)
from facewarp.cardiac.quantification.label_fit import check_fit
from facewarp.cardiac.quantification.moments import (
    Moments,
    chosen_anew,
    doubted_moments,
    phase_index,
    refuse_systole,
    settle_end_diastole,
    told_moments,
)
from facewarp.cardiac.seen_heart import SeenHeart, see_again, see_heart
from facewarp.core.arrays import FloatArray
from facewarp.core.model import load
from facewarp.system.memory import return_freed_memory

Progress = Callable[[float], None]


def analyse_cine(
    path: str | os.PathLike[str],
    model: str | Path | HeartModel = "heart",
    *,
    labels: str | os.PathLike[str] | None = None,
    label_order: str = AUTO,
    label_names: str | None = None,
    ed: int | None = None,
    es: int | None = None,
    heart_rate_bpm: float | None = None,
    time_step_s: float | None = None,
    spacing_mm: tuple[float, float, float] | None = None,
    series: str | None = None,
    device: str = "cpu",
    model_name: str = "",
    refined: bool = True,
    progress: Progress | None = None,
) -> CineResult:
    """Follow a heart through its cycle and measure it.

    Args:
        path: a cine: see `patient.open_cine`.
        model: a heart model, or its shipped name or weights file.
        labels: part labels of end-diastole made by a reader, as NIfTI, DICOM segmentation or
            structure set, or a folder of such DICOM; the model's own if None.
        label_order: the convention of their ids, such as ``"acdc"`` or ``"mnms"``; by default what
            anatomy says.
        label_names: which structure of DICOM labels is which part, such as
            ``"lv=endo,wall=myo,rv=3"``; by default what names and codes say.
        ed: frame of end-diastole, counted from 1; by default what ``Info.cfg`` or the labels say,
            or where the left ventricle is largest.
        es: frame of end-systole, likewise.
        heart_rate_bpm: beats a minute; by default what the files tell.
        time_step_s: seconds from phase to phase; by default what the files tell.
        spacing_mm: of the voxels along the file's x, y, z; by default what the files tell.
        series: name or number of the one cine meant, where a folder holds several.
        device: where the model runs.
        model_name: what to call a model that was given loaded.
        refined: fields of both directions are refined into one invertible motion, see
            `motion.refinement`; otherwise the network's are reconciled.
        progress: told the share of the work done, 0 to 1, as it grows.

    Returns:
        Labels and volumes of every phase, fields between end-diastole and each, indices, strain,
        and how far to trust them.

    Raises:
        FacewarpError: the cine or the labels can't be read, what the files tell contradicts itself
            or what is said of them cannot be, or no heart is seen.

    Example:
        >>> result = facewarp.analyse_cine("patient.nii.gz")
        >>> ejection_fraction, warnings = result.indices.lv.ef_percent, result.warnings
    """
    reading = ReadOptions(spacing_mm, time_step_s, heart_rate_bpm, series)
    drawn = None if labels is None else os.fspath(labels)
    options = CineOptions(reading, drawn, label_order, ed, es, label_names, refined)
    return analyse(
        open_cine(path, reading),
        load(model, device) if isinstance(model, str | Path) else model,
        options,
        model_name=str(model) if isinstance(model, str | Path) else model_name,
        progress=progress,
    )


def analyse(
    cine: Cine,
    model: HeartModel,
    options: CineOptions | None = None,
    *,
    model_name: str = "",
    orientation: Orientation | None = None,
    progress: Progress | None = None,
    watch: Watcher | None = None,
) -> CineResult:
    """Do what `analyse_cine` does, with a cine that is open and a model that is loaded.

    Args:
        cine: what was opened, with the reading options.
        model: a heart model.
        options: what is asked.
        model_name: what to call the model.
        orientation: which way the heart lies; 16 directions are searched where it is not given.
        progress: told the share of the work done, 0 to 1, as it grows.
        watch: told what is final, as soon as it is.
    """
    asked = options or CineOptions()
    work = _Work(progress, 2 * cine.volume.phases)
    given = phase_index(cine, asked.ed, "ED"), phase_index(cine, asked.es, "ES")
    volume = with_slices_seen(model, cine.volume, told_moments(cine, *given).ed or 0)
    cine = replace(cine, volume=volume)
    reader = None
    if asked.labels is not None:
        reader = read_labels(asked.labels, volume, asked.label_order, names=asked.label_names)
    told = told_moments(cine, *given, reader)
    slices = slices_beside(model)
    calibration = HeartCalibration.of_slices(slices)
    seen = see_heart(
        *(model, slices, cine, told.ed), orientation=orientation, reader=reader, step=work
    )
    model, found, box = model.on_grid(seen.grid.shape), seen.found, seen.box
    cine = closed_as_seen(cine, found.lv)
    moments, at_ed = _settled(told, cine, reader, seen)
    labels_said = _about_fit(cine, reader, seen, at_ed)
    at_es, looks, apart, first = moments.es, None, None, seen
    if slices is not None and found.fine is not None and reader is None:
        assert found.volumes_ml is not None
        seen_ml = found.volumes_ml[:, HeartPart.LV]
        at_es = find_es(seen_ml, cine.closes, at_ed) if at_es is None else at_es
        looks = look_again(model, slices, volume, seen.grid, found.fine, (at_ed, at_es))
        apart = looks_apart_percent(looks, found.fine)
        if in_doubt(apart):
            seen = see_again(model, slices, volume, seen, found.fine)
            found, box = seen.found, seen.box
            at_ed, at_es = chosen_anew(moments, cine, found.lv, (at_ed, at_es))
    shown = _shown(cine, seen, at_ed, at_es) if reader is None else None
    if watch and shown is not None:
        watch.seen(shown)
    motion = _tracked(model, cine, seen, (at_ed, at_es), asked.refined, work, watch)
    labels_4d, labels_ed, carried, volumes = _labels_of_phases(volume, seen, motion, reader, shown)
    if at_es is None:
        at_es = find_es(volumes[:, HeartPart.LV], cine.closes, at_ed)
    refuse_no_heart(volumes[:, HeartPart.LV], at_ed, cine.path)
    rate, beats_said = rate_by_curve(cine, volumes[:, HeartPart.LV], asked.reading.heart_rate_bpm)
    quality = measure_quality(
        *(motion, labels_ed, carried, seen.labels, found.finest),
        labels_4d[:, *box],
        (at_ed, at_es),
    )
    found_indices = indices(volumes, at_ed, at_es, rate)
    at_last = carried[at_es], seen.labels[at_es]
    evidence = _evidence(looks, first, at_last, found_indices.lv.ef_percent)
    confidence = None if evidence is None or calibration is None else calibration(evidence)
    result = CineResult(
        cine=cine,
        motion=motion,
        labels=labels_4d,
        es=at_es,
        found_by=(moments.ed_by, moments.es_by),
        labels_by="model" if asked.labels is None else asked.labels,
        volumes_ml=volumes,
        indices=found_indices,
        quality=quality,
        model=model_name,
        model_sha256=model.sha256,
        warnings=volume.warnings,
        label_order="" if reader is None else reader.order.name,
        label_order_by="" if reader is None else reader.order_by,
        parts_sha256="" if slices is None else slices.sha256,
        evidence=evidence,
        confidence=confidence,
        looks_apart_percent=apart,
    )
    said = [*labels_said, *moments.warnings, *seen.orientation.warnings(volume)]
    said += doubted_moments(moments, cine, volumes[:, HeartPart.LV], (at_ed, at_es))
    looked_at = (at_ed, at_es) if looks is None else looks.moments
    said += doubt_warnings(apart, [cine.frames[one] for one in looked_at], volumes[at_ed])
    said += [*beats_said, *_about_result(result, labels_ed, found.fine if reader is None else None)]
    if volumes[at_es, HeartPart.LV] >= volumes[at_ed, HeartPart.LV]:
        said.insert(0, "the left ventricle is not smaller at ES than at ED")
    return replace(result, warnings=(*volume.warnings, *said))


def _settled(
    told: Moments, cine: Cine, reader: GivenLabels | None, seen: SeenHeart
) -> tuple[Moments, int]:
    """Return the moments as told or as a reader's labels fit best, and the index of ED."""
    if told.ed is not None:
        refuse_systole(told, cine, reader, seen.found.lv)
        return told, told.ed
    lv, dice = seen.found.lv, None
    at_ed = find_ed(lv, cine.closes)
    if reader is not None:
        dice = [mean_dice(reader.data[0][seen.box], one) for one in seen.labels]
    moments = settle_end_diastole(told, cine, reader, lv, at_ed, dice)
    return moments, at_ed if moments.ed is None else moments.ed


def _tracked(
    model: HeartModel,
    cine: Cine,
    seen: SeenHeart,
    moments: tuple[int, int | None],
    refined: bool,
    step: Callable[[int], None],
    watch: Watcher | None,
) -> Motion:
    """Register every phase to end-diastole in the memory that is free.

    Args:
        model: a heart model on the grid.
        cine: the cine.
        seen: what the model sees of it.
        moments: indices of end-diastole and, where it is known, end-systole.
        refined: see `CineOptions`.
        step: called with the number of phases done.
        watch: told of each phase, and of the end.
    """
    (at_ed, at_es), found = moments, seen.found
    likely_es = find_es(found.lv, cine.closes, at_ed) if at_es is None else at_es
    middles = heart_middles_mm(found.parts, seen.grid)
    return_freed_memory()  # before fields need it
    motion = track(
        *(model, found.parts, at_ed, seen.grid, step),
        refined=refined,
        fine=found.fine,
        volume=cine.volume,
        halfway=phases_halfway(found.lv, middles, at_ed, likely_es),
        moved=partial(watch.moved, cine) if watch else None,
    )
    if watch:
        watch.tracked(cine, motion)
    return_freed_memory()  # and when they have taken it
    return motion


def _evidence(
    looks: SecondLooks | None,
    first: SeenHeart,
    carried: tuple[Labels, Labels],
    ef_percent: float | None,
) -> Evidence | None:
    """Return how other answers agree with the parts first seen; None without second looks.

    Args:
        looks: at end-diastole and end-systole again.
        first: what the model saw of the cine at first.
        carried: labels of end-systole, carried there and seen there.
        ef_percent: of the left ventricle, as reported.
    """
    found = first.found
    if looks is None or found.fine is None:
        return None
    return gather_evidence(looks, found.parts, found.fine, carried, ef_percent)


def _about_fit(cine: Cine, reader: GivenLabels | None, seen: SeenHeart, at_ed: int) -> list[str]:
    """Return what is to be said of a reader's labels, held against those seen at end-diastole."""
    if reader is None:
        return []
    whole = np.zeros(cine.volume.shape, dtype=np.uint8)
    whole[seen.box] = seen.labels[at_ed]
    fit = check_fit(reader.of_phase(at_ed), whole, reader.path, cine.frames[at_ed])
    return [*reader.warnings, *fit]


def _about_result(result: CineResult, labels_ed: Labels, fine: SliceParts | None) -> list[str]:
    """Return what is to be said of labels, motion and confidence.

    Args:
        result: of the cine.
        labels_ed: of end-diastole, which were carried.
        fine: the parts on the scan's own slices, where these are reported.
    """
    cine, volumes = result.cine, result.volumes_ml
    said = proportion_warnings(labels_ed, cine.volume.spacing_mm)
    said += quality_warnings(result.quality, cine.frames, labels_ed, volumes, cine.closes)
    both = result.ed, result.es
    said += about_slices(result.labels, cine.volume.spacing_mm, both, cine.closes)
    if fine is not None:
        bases = [fine.doubtful_base(phase) for phase in range(len(cine.frames))]
        said += base_warnings(bases[result.es], result.indices.lv, cine.frames[result.es])
        pairs = zip(cine.frames, bases, strict=True)
        others = {f: base for f, base in pairs if base and f != cine.frames[result.es]}
        said += curve_base_warnings(others, result.indices.lv)
    return [*said, *confidence_warnings(result.confidence)]


def _shown(cine: Cine, seen: SeenHeart, at_ed: int, at_es: int | None) -> SeenCine | None:
    """Return what is reported as seen, which no motion changes; None without parts of slices."""
    volumes = seen.found.volumes_ml
    if volumes is None or at_es is None:
        return None
    labels = _around(cine.volume, seen, seen.labels)
    return SeenCine(cine, seen.grid.turn, labels, at_ed, at_es, volumes)


def _around(volume: Volume, seen: SeenHeart, labels: Labels) -> Labels:
    """Return labels ``(T, d, h, w)`` of the box that was seen as those of the whole volume."""
    whole = np.zeros(volume.data.shape, dtype=np.uint8)
    whole[:, *seen.box] = labels
    return whole


def _labels_of_phases(
    volume: Volume,
    seen: SeenHeart,
    motion: Motion,
    reader: GivenLabels | None,
    shown: SeenCine | None,
) -> tuple[Labels, Labels, Labels, FloatArray]:
    """Label every phase, and measure the parts.

    Returns:
        The labels reported, ``(T, D, H, W)``; those of end-diastole, ``(D, H, W)``, a reader's or
        the model's; these carried to every phase, in the box that was seen, ``(T, d, h, w)``; and
        the parts' volumes ``(T, K)``, ml.
    """
    at_ed, box, grid = motion.ed, seen.box, motion.grid.on_part(seen.box)
    start = seen.labels[at_ed] if reader is None else reader.of_phase(at_ed)[box]
    carried = carry_to_phases(motion.to_ed, grid, start, at_ed, volume.spacing_mm)
    if shown is not None:
        return shown.labels, shown.labels[at_ed], carried, shown.volumes_ml
    reported = _around(volume, seen, carried)  # of end-diastole what it was carried from
    return reported, reported[at_ed], carried, volumes_ml(reported, volume.voxel_ml)


class _Work:
    """Counts steps and tells their share of the whole."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, steps: int) -> None:
        self._done += steps
        if self._progress:
            self._progress(self._done / self._total)
