"""A cine from its file to its numbers: ``analyse_cine``."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.label_order import AUTO
from facewarp.cardiac.io.label_reader import GivenLabels, read_labels
from facewarp.cardiac.io.patient import Cine, open_cine
from facewarp.cardiac.motion.cycle_registration import Floats, Motion, segment, track
from facewarp.cardiac.motion.heart_roi import HeartModel, find_heart_roi, is_rotated
from facewarp.cardiac.motion.labels import (
    Labels,
    Part,
    carry_labels,
    heart_box,
    part_depths,
    seen_labels,
)
from facewarp.cardiac.motion.model_grid import model_input
from facewarp.cardiac.motion.quality import (
    Quality,
    mean_dice,
    measure_quality,
    quality_warnings,
)
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import Indices, find_es, indices, volumes_ml
from facewarp.cardiac.quantification.moments import find_moments, phase_index
from facewarp.cardiac.quantification.strain import Strain, measure_strain
from facewarp.core.geometry import pixel_grid
from facewarp.core.model import load

FloatArray = NDArray[np.float64]
Progress = Callable[[float], None]

TURNED: Final = (
    "the heart lies mirrored or turned against what the affine says: the picture is believed"
)
_MARGIN_MM: Final = 15.0  # around the heart, where its labels may be carried
_MAYBE: Final = 0.3  # probability of heart from which a voxel may be carried to


@dataclass(frozen=True, eq=False)
class CineResult:
    """A cine, and all that was found in it.

    Attributes:
        cine: the cine.
        motion: the fields between end-diastole and every phase.
        labels: ``(T, D, H, W)`` uint8 part ids of every phase, carried from end-diastole.
        es: index of end-systole; that of end-diastole is ``motion.ed``.
        found_by: how ED and ES were told: ``"given"``, ``"Info.cfg"``, ``"labels"`` or
            ``"volume curve"``.
        labels_by: where the labels of end-diastole are from: a file, or ``"model"``.
        volumes_ml: ``(T, 4)`` volume of each part in each phase, by part id.
        indices: the heart's indices.
        quality: how far to trust them.
        model: name of the model or path of its weights.
        model_sha256: hash of its weights.
        warnings: what the user should know, one sentence each.
        label_order: convention of the ids in a reader's labels: see
            :mod:`~facewarp.cardiac.io.label_order`; "" for the model's own, and for one of no name.
        label_order_by: who says so: ``"given"``, ``"anatomy"`` or ``"file name"``; "" likewise.
    """

    cine: Cine
    motion: Motion
    labels: Labels
    es: int
    found_by: tuple[str, str]
    labels_by: str
    volumes_ml: FloatArray
    indices: Indices
    quality: Quality
    model: str
    model_sha256: str
    warnings: tuple[str, ...]
    label_order: str = ""
    label_order_by: str = ""

    @property
    def ed(self) -> int:
        """Index of end-diastole."""
        return self.motion.ed

    def field(self, phase: int, *, to_ed: bool = False) -> Floats:
        """A field on the volume's own grid.

        Args:
            phase: index of the phase.
            to_ed: the field that lives on the phase and points into end-diastole; otherwise the
                one that lives on end-diastole and points into the phase.

        Returns:
            ``(3, D, H, W)`` voxels of the volume, channels x, y, z.
        """
        found = self.motion.to_ed if to_ed else self.motion.from_ed
        return self.motion.grid.field_to_volume(found[phase])

    @cached_property
    def jacobian(self) -> Floats:
        """``(T, D, H, W)``: volume of the tissue of each voxel of ED in each phase against ED."""
        return self.motion.grid.to_volume_grid(self.motion.jacobian(), outside="edge")

    @cached_property
    def strain(self) -> Strain | None:
        """Strain of the left ventricle's wall; None where its labels at ED close around nothing."""
        return measure_strain(self.motion, self.labels[self.ed])


def analyse_cine(
    path: str | os.PathLike[str],
    model: str | Path | HeartModel = "heart",
    *,
    labels: str | os.PathLike[str] | None = None,
    label_order: str = AUTO,
    ed: int | None = None,
    es: int | None = None,
    heart_rate_bpm: float | None = None,
    device: str = "cpu",
    model_name: str = "",
    progress: Progress | None = None,
) -> CineResult:
    """Follow a heart through its cycle and measure it.

    Args:
        path: a cine: see :func:`~facewarp.cardiac.io.patient.open_cine`.
        model: a heart model, or its shipped name or weights file.
        labels: part labels of end-diastole made by a reader; the model's own if None.
        label_order: the convention of their ids, such as ``"acdc"`` or ``"mnms"``; by default what
            anatomy says.
        ed: frame of end-diastole, counted from 1; by default what ``Info.cfg`` or the labels say,
            or where the left ventricle is largest.
        es: frame of end-systole, likewise.
        heart_rate_bpm: beats a minute; by default from the file's time step, if it has one.
        device: where the model runs.
        model_name: what to call a model that was given loaded.
        progress: told the share of the work done, 0 to 1, as it grows.

    Raises:
        FacewarpError: the cine or the labels can't be read, or no heart is seen.
    """
    return analyse(
        open_cine(path),
        load(model, device) if isinstance(model, str | Path) else model,
        model_name=str(model) if isinstance(model, str | Path) else model_name,
        labels=labels,
        label_order=label_order,
        ed=ed,
        es=es,
        heart_rate_bpm=heart_rate_bpm,
        progress=progress,
    )


def analyse(
    cine: Cine,
    model: HeartModel,
    *,
    labels: str | os.PathLike[str] | None = None,
    label_order: str = AUTO,
    ed: int | None = None,
    es: int | None = None,
    heart_rate_bpm: float | None = None,
    model_name: str = "",
    progress: Progress | None = None,
) -> CineResult:
    """What :func:`analyse_cine` does, with a cine that is open and a model that is loaded."""
    volume = cine.volume
    work = _Work(progress, 2 * volume.phases)
    given = phase_index(cine, ed, "ED"), phase_index(cine, es, "ES")
    reader = None if labels is None else read_labels(labels, volume, label_order)
    grid = find_heart_roi(model, volume, given[0] or 0)
    model = model.on_grid(grid.shape)
    parts = segment(model, model_input(volume.data, grid), work)
    _, depth, height, width = parts.shape[1:]
    parts_grid = grid.resized((depth, height, width))
    lv_seen = parts[:, HeartPart.LV].sum(axis=(1, 2, 3), dtype=np.float64)
    ever_heart = (1 - parts[:, HeartPart.BACKGROUND]).max(axis=0) > _MAYBE
    masks = [parts_grid.to_volume_grid(ever_heart, "nearest") > 0]
    masks += [] if reader is None else [np.asarray(reader.data.any(axis=0))]
    box = heart_box(masks, ceil(_MARGIN_MM / min(volume.spacing_mm)))
    seen_grid = parts_grid.on_part(box)
    seen = np.stack([seen_labels(phase, seen_grid) for phase in parts])
    moments = find_moments(cine, *given, reader, lv_seen, lambda: _fit(reader, seen, box))
    at_ed = moments.ed
    motion = track(model, parts, at_ed, grid, work)
    motion_grid = motion.grid.on_part(box)
    start = seen[at_ed] if reader is None else reader.of_phase(at_ed)[box]
    depths = part_depths(start, volume.spacing_mm)
    carried = np.zeros(volume.data.shape, dtype=np.uint8)
    own = pixel_grid(start.shape)[0].numpy()
    for phase, field in enumerate(motion.to_ed):
        places = own + motion_grid.field_to_volume(field)
        carried[phase][box] = carry_labels(depths, places) if phase != at_ed else start

    volumes = volumes_ml(carried, volume.voxel_ml)
    at_es = moments.es
    if at_es is None:
        at_es = find_es(volumes[:, HeartPart.LV], cine.is_whole)
    quality = measure_quality(motion, carried[at_ed], carried[:, *box], seen, parts)
    rate = heart_rate_bpm or _heart_rate(cine)
    said = [*(() if reader is None else reader.warnings), *moments.warnings]
    said += [TURNED] if is_rotated(grid, volume) else []
    said += quality_warnings(quality, cine.frames, carried[at_ed], volumes)
    if volumes[at_es, HeartPart.LV] >= volumes[at_ed, HeartPart.LV]:
        said.insert(0, "the left ventricle is not smaller at ES than at ED")
    return CineResult(
        cine,
        motion,
        carried,
        at_es,
        (moments.ed_by, moments.es_by),
        "model" if labels is None else str(labels),
        volumes,
        indices(volumes, at_ed, at_es, rate),
        quality,
        model_name,
        model.sha256,
        (*volume.warnings, *said),
        *(("", "") if reader is None else (reader.order.name, reader.order_by)),
    )


class _Work:
    """Counts steps and tells their share of the whole."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, steps: int) -> None:
        self._done += steps
        if self._progress:
            self._progress(self._done / self._total)


def _fit(reader: GivenLabels | None, seen: Labels, box: Part) -> FloatArray:
    """Dice of a reader's labels of one volume with what is seen in each phase, ``(T,)``."""
    if reader is None:
        return np.zeros(len(seen))
    drawn = reader.data[0][box]
    return np.array([mean_dice(drawn, phase) for phase in seen])


def _heart_rate(cine: Cine) -> float | None:
    """Beats a minute, where the file tells the time between phases that span the whole cycle."""
    step = cine.volume.time_step_s
    return 60.0 / (step * cine.volume.phases) if step and cine.is_whole else None
