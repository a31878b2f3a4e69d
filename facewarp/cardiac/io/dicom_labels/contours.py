"""DICOM contours (RTSTRUCT), filled on a cine's slices."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.dicom_frames import read_header
from facewarp.cardiac.io.dicom_labels.phases import PHASE_FIX, Sources, settle_phases, sources_in
from facewarp.cardiac.io.dicom_labels.polygons import filled, outlined, through_centers
from facewarp.cardiac.io.dicom_labels.segmentation import Drawn, codes_in
from facewarp.cardiac.io.dicom_labels.structures import (
    PartChoice,
    Structure,
    StructureName,
    about_undrawn,
    parts_of,
    with_unnamed,
)
from facewarp.cardiac.io.label_grid import has_place
from facewarp.cardiac.io.slices.dicom_tags import naming, number, tag_value, title, whole
from facewarp.cardiac.io.volume import Volume
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

Mask = NDArray[np.bool_]

_RAS: Final = np.array([-1.0, -1.0, 1.0])
_ON_SLICE: Final = 0.25  # of the way to the next slice, by which a contour may lie off one
_WITHIN: Final = 0.98  # share of one contour's area in another's that makes it a hole
_APART: Final = 0.02  # share up to which two contours lie beside each other
_CLOSED_PX: Final = 1.0  # from an open contour's end to its beginning
_CLOSED: Final = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OPEN: Final = ("OPEN_PLANAR", "OPEN_NONPLANAR")
_CODES: Final = ("RTROIIdentificationCodeSequence", "SegmentedPropertyTypeModifierCodeSequence")


@dataclass(frozen=True, eq=False)
class _Contour:
    """A closed contour of a structure, on a slice of the cine.

    Attributes:
        structure: its bit.
        slot: the slice.
        points: (N, 2) x and y in the slice's pixels.
        is_xor: whether the file says that it cuts holes into others.
        sources: the pictures that it names.
    """

    structure: int
    slot: int
    points: FloatArray
    is_xor: bool
    sources: Sources


def read_contours(path: Path, volume: Volume, choice: PartChoice) -> Drawn:
    """Read the contours of a structure set as areas on a cine's slices.

    Args:
        path: the file.
        volume: the cine, slices first.
        choice: what the user says of the structures.

    Raises:
        FacewarpError: the file is damaged, its structures are no known parts, contours are open,
            overlap or lie in other planes than the cine's slices, or their phases are not told.
    """
    if not has_place(volume):
        what = "the cine tells no place in the patient, so that contours can't be laid on it"
        raise FacewarpError(what, path, "Give the cine as DICOM, or the labels as NIfTI.")
    data = read_header(path)
    with naming(path):
        names, drawn = _names(data), _drawn(data)
    parts, said = parts_of(with_unnamed(names, drawn), choice, path)
    said += about_undrawn(parts, drawn)
    with naming(path):
        found = [
            (parts[k], k, item)
            for k, roi in _rois(data, parts)
            for item in tag_value(roi, "ContourSequence") or ()
        ]
        told = sources_in(_listed_sources(data), volume)
        read = [_contour(item, k, one, volume) for one, k, item in found]
    contours = []
    for (one, _, _), contour in zip(found, read, strict=True):
        if isinstance(contour, str):
            fix = "Draw closed contours on the cine's short-axis slices."
            raise FacewarpError(f"{one.text}: {contour}", path, fix)
        if contour is not None:
            contours.append(contour)
    phases, about_phases = settle_phases(
        [one.sources for one in contours], told, [None] * len(contours), volume, path
    )
    said += about_phases
    depth, height, width = volume.shape
    bits: dict[int | None, NDArray[np.int32]] = {}
    groups: dict[tuple[int | None, int, int], list[_Contour]] = {}
    for contour, phase in zip(contours, phases, strict=True):
        groups.setdefault((phase, contour.structure, contour.slot), []).append(contour)
    traced = through_centers([one.points for one in contours])
    if traced:
        said.append(
            "the contours run through the centers of pixels, as those that programs trace around "
            "masks: the pixels on them are taken as well"
        )
    for (phase, k, slot), some in groups.items():
        if phase is None and len({one.sources.named for one in some if one.sources.named}) > 1:
            what = f"{parts[k].text} has contours of several pictures in slice {slot + 1}, and "
            what += "which phases these are is not told"
            raise FacewarpError(what, path, PHASE_FIX)
        volume_bits = bits.setdefault(phase, np.zeros((depth, height, width), np.int32))
        if 0 <= slot < depth:
            mask = _area(some, (height, width), traced, f"{parts[k].text}, slice {slot + 1}", path)
            volume_bits[slot][mask] |= 1 << k
    _refuse_outside(contours, depth, path)
    return Drawn(path, parts, bits, None, 0.0, tuple(said))


def _names(data: Any) -> list[StructureName]:
    """Return what the regions of interest are called, and coded as."""
    observed = {
        whole(item, "ReferencedROINumber"): item
        for item in tag_value(data, "RTROIObservationsSequence") or ()
    }
    found = []
    for item in tag_value(data, "StructureSetROISequence") or ():
        roi = whole(item, "ROINumber")
        about = observed.get(roi)
        codes = [] if about is None else codes_in(about, _CODES)
        label = "" if about is None else title(about, "ROIObservationLabel")
        found.append(
            StructureName(roi, title(item, "ROIName") or label or f"ROI {roi}", tuple(codes))
        )
    return found


def _drawn(data: Any) -> set[int]:
    """Return the numbers of the regions that have contours."""
    return {
        whole(item, "ReferencedROINumber")
        for item in tag_value(data, "ROIContourSequence") or ()
        if tag_value(item, "ContourSequence")
    }


def _rois(data: Any, parts: Sequence[Structure]) -> list[tuple[int, Any]]:
    numbers = {one.number: k for k, one in enumerate(parts)}
    found = []
    for item in tag_value(data, "ROIContourSequence") or ():
        k = numbers.get(whole(item, "ReferencedROINumber"))
        if k is not None:
            found.append((k, item))
    return found


def _listed_sources(data: Any) -> list[Any]:
    """Return the pictures that a structure set names as a whole."""
    found: list[Any] = []
    for frame in tag_value(data, "ReferencedFrameOfReferenceSequence") or ():
        for study in tag_value(frame, "RTReferencedStudySequence") or ():
            for series in tag_value(study, "RTReferencedSeriesSequence") or ():
                found += list(tag_value(series, "ContourImageSequence") or ())
    return found


def _contour(item: Any, k: int, structure: Structure, volume: Volume) -> "_Contour | str | None":
    """Return a contour on its slice; why it is none; None for single points."""
    kind = str(tag_value(item, "ContourGeometricType") or "CLOSED_PLANAR").upper()
    values = tag_value(item, "ContourData")
    told = [] if values is None else [number(one) for one in np.atleast_1d(values).tolist()]
    if kind == "POINT" or len(told) == 3:
        return None
    if len(told) % 3 or any(one is None for one in told) or len(told) < 9:
        return "a contour has fewer than three points, or coordinates that are no numbers"
    points = np.array(told, dtype=np.float64).reshape(-1, 3) * _RAS
    voxels = np.c_[points, np.ones(len(points))] @ np.linalg.inv(volume.affine).T
    if kind in _OPEN and np.linalg.norm(voxels[0, :2] - voxels[-1, :2]) > _CLOSED_PX:
        return "a contour is open"
    slot = int(np.rint(voxels[:, 2].mean()))
    off = float(np.abs(voxels[:, 2] - slot).max())
    if off > _ON_SLICE:
        step = volume.spacing_mm[2]
        return f"a contour lies up to {off * step:.1f} mm off the nearest slice"
    images = tag_value(item, "ContourImageSequence") or ()
    return _Contour(k, slot, voxels[:, :2], kind == _CLOSED[1], sources_in(images, volume))


def _area(
    contours: Sequence[_Contour], shape: tuple[int, int], traced: bool, text: str, path: Path
) -> Mask:
    """Return the pixels of a structure on one slice: contours within others are holes."""
    kept: list[FloatArray] = []
    masks: list[Mask] = []
    for one in contours:
        mask = filled([one.points], shape)
        if not one.is_xor and any(_same(mask, other) for other in masks):
            continue  # a copy, which would cut all of it out
        for other in () if one.is_xor else masks:
            smaller = max(min(int(mask.sum()), int(other.sum())), 1)
            share = int((mask & other).sum()) / smaller
            if _APART < share < _WITHIN:
                what = f"{text}: two contours overlap by {share:.0%} of the smaller one"
                fix = "Join them, or draw one within the other for a hole."
                raise FacewarpError(what, path, fix)
        kept.append(one.points)
        masks.append(mask)
    found = filled(kept, shape)
    return found | outlined(kept, shape) if traced else found


def _same(one: Mask, other: Mask) -> bool:
    larger = max(int(one.sum()), int(other.sum()))
    return larger > 0 and int((one & other).sum()) >= _WITHIN * larger


def _refuse_outside(contours: Sequence[_Contour], depth: int, path: Path) -> None:
    """Refuse contours beyond the first and last slice: their volume would be missing."""
    outside = [one for one in contours if not 0 <= one.slot < depth]
    if outside:
        what = f"{len(outside)} of {len(contours)} contours lie beyond the cine's {depth} slices"
        raise FacewarpError(what, path, "Give the whole cine that they were drawn on.")
