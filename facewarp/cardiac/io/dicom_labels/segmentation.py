"""DICOM segmentations: binary, fractional and label maps, frame by frame onto a cine's slices."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.dicom_frames import read_whole
from facewarp.cardiac.io.dicom_labels.mask_planes import MaskPlane, lay_planes
from facewarp.cardiac.io.dicom_labels.phases import PHASE_FIX, Sources, settle_phases, sources_in
from facewarp.cardiac.io.dicom_labels.structures import (
    PartChoice,
    Structure,
    StructureName,
    about_undrawn,
    parts_of,
    with_unnamed,
)
from facewarp.cardiac.io.slices.dicom_tags import (
    check_groups,
    frame_value,
    naming,
    number,
    numbers,
    tag_value,
    title,
    whole,
)
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError

Bits = NDArray[np.int32]

BINARY: Final = "BINARY"
FRACTIONAL: Final = "FRACTIONAL"
LABELMAP: Final = "LABELMAP"
_RAS: Final = np.array([-1.0, -1.0, 1.0])
_HALF: Final = 0.5
_OVERFULL: Final = 1.05  # sum of fractions from which structures overlap
_CODES: Final = ("SegmentedPropertyTypeCodeSequence", "SegmentedPropertyTypeModifierCodeSequence")


@dataclass(frozen=True, eq=False)
class Drawn:
    """What a file draws, on the cine's grid.

    Attributes:
        path: the file.
        structures: those that are parts of the heart, by bit.
        bits: of each phase that is drawn, by its index: ``(D, H, W)``, bit k for structure k; the
            key is None where it is not told which phase it is.
        own: bits of all voxels on the file's own grid, in no order; None for contours.
        own_ml: volume of each of them.
        warnings: what is to be said, one sentence each.
    """

    path: Path
    structures: tuple[Structure, ...]
    bits: Mapping[int | None, Bits]
    own: Bits | None
    own_ml: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Frame:
    """One frame of a segmentation, without its pixels."""

    segment: int | None
    plane: MaskPlane
    sources: Sources
    position: int | None


def read_segmentation(path: Path, volume: Volume, choice: PartChoice) -> Drawn:
    """Read a segmentation onto a cine's grid.

    Args:
        path: the file.
        volume: the cine, slices first.
        choice: what the user says of the segments.

    Raises:
        FacewarpError: the file is damaged, its segments are no known parts, or the phases or places
            of its frames are not told.
    """
    data = read_whole(path)
    with naming(path):
        kind = str(tag_value(data, "SegmentationType") or BINARY).upper()
        count = whole(data, "NumberOfFrames", 1) or 1
        check_groups(data, count)
        names = _names(data)
        frames = [_frame(data, index, volume, kind) for index in range(count)]
        told = sources_in(_listed_sources(data), volume)
        highest = number(tag_value(data, "MaximumFractionalValue")) or 255.0
    if kind not in (BINARY, FRACTIONAL, LABELMAP):
        what = "the segmentation is neither BINARY, FRACTIONAL nor LABELMAP"
        raise FacewarpError(what, path, "Export it as one of these.")
    stored = _stored(data, path, count)
    drawn = _drawn(frames, stored)
    parts, said = parts_of(with_unnamed(names, drawn), choice, path)
    said += about_undrawn(parts, drawn)
    bit_of = {one.number: k for k, one in enumerate(parts)}
    phases, about_phases = settle_phases(
        [one.sources for one in frames], told, [one.position for one in frames], volume, path
    )
    masks: list[MaskPlane] = []
    keys: list[int | None] = []
    for one, phase, pixels in zip(frames, phases, stored, strict=True):
        if kind == LABELMAP:
            coded = np.zeros(pixels.shape, np.int32)
            for segment, k in bit_of.items():
                coded[pixels == segment] = 1 << k
            masks.append(one.plane.holding(coded))
        elif one.segment in bit_of:
            shares = pixels / (highest if kind == FRACTIONAL else 1)
            masks.append(one.plane.holding(shares, bit_of[one.segment]))
        else:
            continue
        keys.append(phase)
    if kind == FRACTIONAL:
        said.append("fractions of voxels are read as the part with the largest share of each")
    merged = _merged(masks, keys, path)
    bits, own, own_ml, about_place = lay_planes(merged, volume, path)
    return Drawn(path, parts, bits, own, own_ml, (*said, *about_phases, *about_place))


def _drawn(frames: Sequence[_Frame], stored: NDArray[Any]) -> set[int]:
    """Return the numbers of the segments of which something is drawn."""
    if frames[0].segment is None:
        return {int(number) for number in np.unique(stored) if number}
    pairs = zip(frames, stored, strict=True)
    return {one.segment for one, pixels in pairs if one.segment is not None and pixels.any()}


def _names(data: Any) -> list[StructureName]:
    """Return what the segments are called; the background of label maps is none."""
    found = []
    for item in tag_value(data, "SegmentSequence") or ():
        segment = whole(item, "SegmentNumber")
        if segment == 0:
            continue
        name = title(item, "SegmentLabel", "SegmentDescription") or f"segment {segment}"
        found.append(StructureName(segment, name, tuple(codes_in(item, _CODES))))
    return found


def codes_in(item: Any, keywords: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return value, scheme and meaning of the codes in some sequences, one within the other."""
    found = []
    for keyword in keywords:
        held = tag_value(item, keyword)
        if held:
            item = held[0]
            told = [
                str(tag_value(item, name) or "") for name in ("CodeValue", "CodingSchemeDesignator")
            ]
            found.append((told[0], told[1], title(item, "CodeMeaning")))
    return found


def _frame(data: Any, index: int, volume: Volume, kind: str) -> _Frame:
    geometry = []
    for group, keyword, count in (
        ("PlanePositionSequence", "ImagePositionPatient", 3),
        ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        ("PixelMeasuresSequence", "PixelSpacing", 2),
    ):
        told = numbers(frame_value(data, index, group, keyword), keyword, count)
        if told is None:
            raise LookupError(keyword)
        geometry.append(np.array(told))
    place, axes, (between_rows, between_columns) = geometry
    directions = axes.reshape(2, 3) * _RAS
    plane = MaskPlane(
        place * _RAS,
        directions[0] * between_columns,
        directions[1] * between_rows,
        number(frame_value(data, index, "PixelMeasuresSequence", "SpacingBetweenSlices"))
        or number(frame_value(data, index, "PixelMeasuresSequence", "SliceThickness")),
    )
    segment = None
    if kind != LABELMAP:
        held = frame_value(data, index, "SegmentIdentificationSequence", "ReferencedSegmentNumber")
        segment = int(np.atleast_1d(held)[0])
    position = number(frame_value(data, index, "FrameContentSequence", "TemporalPositionIndex"))
    return _Frame(
        segment,
        plane,
        sources_in(_derived_from(data, index), volume),
        None if position is None else int(position),
    )


def _derived_from(data: Any, index: int) -> list[Any]:
    found = []
    groups = tag_value(data, "PerFrameFunctionalGroupsSequence")
    for one in [] if groups is None else [groups[index]]:
        for derivation in tag_value(one, "DerivationImageSequence") or ():
            found += list(tag_value(derivation, "SourceImageSequence") or ())
    return found


def _listed_sources(data: Any) -> list[Any]:
    """Return what a segmentation names as a whole."""
    found = list(tag_value(data, "SourceImageSequence") or ())
    for series in tag_value(data, "ReferencedSeriesSequence") or ():
        found += list(tag_value(series, "ReferencedInstanceSequence") or ())
    return found


def _stored(data: Any, path: Path, count: int) -> NDArray[Any]:
    """Return the stored values of all frames, ``(N, H, W)``, bits unpacked."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            stored = np.asarray(data.pixel_array)
        return stored.reshape(count, *stored.shape[-2:])
    except MemoryError:
        raise
    except Exception as error:
        what = "the pixels are cut short or damaged, or compressed in a way nothing here can read"
        raise FacewarpError(what, path, "Export it again, uncompressed.") from error


def _merged(
    masks: Sequence[MaskPlane], keys: Sequence[int | None], path: Path
) -> dict[int | None, list[MaskPlane]]:
    """Return one plane of bits for all that lie in the same place, by phase.

    Raises:
        FacewarpError: a segment is there twice in one place: of phases that are not told.
    """
    found: dict[int | None, list[list[MaskPlane]]] = {}
    for key, one in zip(keys, masks, strict=True):
        places = found.setdefault(key, [])
        same = next((others for others in places if others[0].lies_on(one)), None)
        if same is None:
            places.append([one])
            continue
        if any(other.bit == one.bit for other in same):
            what = "a segment has several masks in one place, and which phases they are of"
            if key is None:
                raise FacewarpError(f"{what} is not told", path, PHASE_FIX)
            what = f"a segment has several masks in one place of phase {key + 1}"
            raise FacewarpError(what, path, "Export it again.")
        same.append(one)
    return {key: [_joined(one) for one in places] for key, places in found.items()}


def _joined(planes: Sequence[MaskPlane]) -> MaskPlane:
    """Return the bits of masks in one place; of fractions the largest, unless they overlap."""
    first = planes[0]
    if first.bit is None:
        return first
    shares = np.stack([one.values for one in planes])
    total = shares.sum(axis=0)
    if np.array_equal(shares, shares > _HALF):  # whole voxels, which may overlap
        held = shares > _HALF
    elif (total > _OVERFULL).any():
        held = shares >= _HALF
    else:
        largest = shares.argmax(axis=0)
        held = np.arange(len(shares))[:, None, None] == largest
        held &= (shares.max(axis=0) > 1 - total)[None]
    bits = np.zeros(total.shape, np.int32)
    for one, mask in zip(planes, held, strict=True):
        bits[mask] |= 1 << (one.bit or 0)
    return first.holding(bits)
