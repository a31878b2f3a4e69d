"""Planes of drawn masks, in whatever order and place, as voxels of a cine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.label_grid import has_place, lay_labels
from facewarp.cardiac.io.placement import straightened
from facewarp.cardiac.io.volume import Volume
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

Bits = NDArray[np.int32]

_ON_SLICE: Final = 0.25  # of the way to the next slice, by which a plane may lie off one
_SAME_PX: Final = 0.05  # by which planes of one grid may lie sideways of each other
_SAME_MM: Final = 0.01
_EVEN: Final = 0.1  # of a step, by which planes of a stack may be off


@dataclass(frozen=True, eq=False)
class MaskPlane:
    """A plane of pixels in the world.

    Attributes:
        place_mm: (3,) middle of the first pixel, RAS.
        column_mm: (3,) from one column to the next, RAS.
        row_mm: (3,) from one row to the next.
        step_mm: to the next plane, as told; None where it is not told.
        values: ``(h, w)`` bits, or the share of a structure in each pixel.
        bit: of the structure; None where the values are bits.
    """

    place_mm: FloatArray
    column_mm: FloatArray
    row_mm: FloatArray
    step_mm: float | None
    values: NDArray[Any] = field(default_factory=lambda: np.zeros((0, 0)))
    bit: int | None = None

    def holding(self, values: NDArray[Any], bit: int | None = None) -> "MaskPlane":
        """Return the same with other values."""
        return replace(self, values=values, bit=bit)

    def lies_on(self, other: "MaskPlane") -> bool:
        """Whether its pixels are another plane's."""
        return self.values.shape == other.values.shape and all(
            np.allclose(one, two, atol=_SAME_MM)
            for one, two in (
                (self.place_mm, other.place_mm),
                (self.column_mm, other.column_mm),
                (self.row_mm, other.row_mm),
            )
        )


@dataclass(frozen=True, eq=False)
class _Grid:
    """A stack of planes of one kind: which slot each has, and the affine from its voxels."""

    affine: FloatArray
    depth: int
    planes: list[tuple[int | None, int, MaskPlane]]


def lay_planes(
    planes: Mapping[int | None, Sequence[MaskPlane]], volume: Volume, path: Path
) -> tuple[dict[int | None, Bits], Bits, float, list[str]]:
    """Lay planes of bits onto a cine's grid, by phase; slices without a plane are empty.

    Args:
        planes: by the index of their phase.
        volume: the cine, slices first.
        path: the file, for messages.

    Returns:
        ``(D, H, W)`` of each phase; the bits of all pixels that are drawn on, in no order; the
        volume of such a pixel, ml; and what is to be said.

    Raises:
        FacewarpError: the cine tells no place, or the planes lie elsewhere or unevenly.
    """
    if not has_place(volume):
        what = "the cine tells no place in the patient, so that DICOM labels can't be laid on it"
        raise FacewarpError(what, path, "Give the cine as DICOM, or the labels as NIfTI.")
    flat = [(key, one) for key, some in planes.items() for one in some]
    if not flat:
        return {}, np.zeros(0, np.int32), 0.0, []
    grids = _on_slices(flat, volume) or [_stacked(flat, volume, path)]
    laid: dict[int | None, Bits] = {}
    said: list[str] = []
    own: list[Bits] = []
    sizes = []
    for grid in grids:
        keys = list(dict.fromkeys(key for key, _, _ in grid.planes))
        height, width = grid.planes[0][2].values.shape
        ids = np.zeros((len(keys), grid.depth, height, width), np.int32)
        for key, slot, plane in grid.planes:
            own.append(plane.values[plane.values > 0])
            sizes.append(abs(float(np.linalg.det(grid.affine[:3, :3]))) / 1000)
            if 0 <= slot < grid.depth:
                ids[keys.index(key), slot] = plane.values
        found = _volume(ids, grid.affine, path)
        on_cine, told = lay_labels(ids, found, volume, certain=True)
        said += [one for one in told if one not in said]
        for key, one in zip(keys, on_cine, strict=True):
            laid[key] = laid[key] | one if key in laid else one
    return laid, np.concatenate(own), float(np.mean(sizes)), said


def _on_slices(flat: Sequence[tuple[int | None, MaskPlane]], volume: Volume) -> list[_Grid] | None:
    """Return planes that lie on slices of the cine as grids of its slices; None where others do."""
    to_voxels = np.linalg.inv(volume.affine)
    grids: list[_Grid] = []
    for key, plane in flat:
        place = to_voxels @ [*plane.place_mm, 1.0]
        column, row = to_voxels[:3, :3] @ plane.column_mm, to_voxels[:3, :3] @ plane.row_mm
        height, width = plane.values.shape
        corners = place[2] + np.array([[0, width - 1, 0], [0, 0, height - 1]]).T @ [
            column[2],
            row[2],
        ]
        slot = int(np.rint(corners.mean()))
        if np.abs(corners - slot).max() > _ON_SLICE:
            return None
        inside = np.zeros((3, 3))
        inside[:, 0], inside[:, 1], inside[2, 2] = (*column[:2], 0), (*row[:2], 0), 1
        between = np.eye(4)
        between[:3, :3], between[:2, 3] = inside, place[:2]
        affine = volume.affine @ between
        grid = next((one for one in grids if _same_grid(one, affine, plane)), None)
        if grid is None:
            grid = _Grid(affine, volume.shape[0], [])
            grids.append(grid)
        grid.planes.append((key, slot, plane))
    return grids


def _same_grid(grid: _Grid, affine: FloatArray, plane: MaskPlane) -> bool:
    height, width = grid.planes[0][2].values.shape
    if plane.values.shape != (height, width):
        return False
    off = (
        np.linalg.inv(grid.affine)
        @ affine
        @ np.array([[0, 0, 0, 1], [width - 1, 0, 0, 1], [0, height - 1, 0, 1]]).T
        - np.array([[0, 0, 0, 1], [width - 1, 0, 0, 1], [0, height - 1, 0, 1]]).T
    )
    return bool(np.abs(off).max() < _SAME_PX)


def _stacked(flat: Sequence[tuple[int | None, MaskPlane]], volume: Volume, path: Path) -> _Grid:
    """Return planes that lie elsewhere than the cine's slices as an even stack of their own."""
    first = flat[0][1]
    normal = np.cross(first.column_mm, first.row_mm)
    normal /= np.linalg.norm(normal)
    for _, plane in flat:
        alike = plane.values.shape == first.values.shape
        for one, other in ((plane.column_mm, first.column_mm), (plane.row_mm, first.row_mm)):
            alike = alike and bool(np.allclose(one, other, atol=_SAME_MM))
        if not alike:
            what = "the masks lie in planes that are not the cine's slices, nor parallel"
            raise FacewarpError(what, path, "Draw them on the cine's own slices.")
    along = np.array([plane.place_mm @ normal for _, plane in flat])
    apart = np.diff(np.unique(np.round(along, 2)))
    told = first.step_mm or 1.0
    step = float(apart.min()) if apart.size else told
    slots = np.rint((along - along.min()) / step)
    start = flat[int(along.argmin())][1].place_mm
    places = np.stack([plane.place_mm for _, plane in flat])
    most = max(int(slots.max()), 1)
    lean = (places[int(along.argmax())] - start) / most if slots.max() > 0 else normal * step
    off = places - (start + slots[:, None] * lean)
    if np.linalg.norm(off, axis=1).max() > _EVEN * step:
        what = "the masks lie in planes that are not the cine's slices, nor evenly apart"
        raise FacewarpError(what, path, "Draw them on the cine's own slices.")
    affine = np.eye(4)
    affine[:3, :3] = np.stack([first.column_mm, first.row_mm, lean], axis=1)
    affine[:3, 3] = start
    planes = [(key, int(slot), plane) for (key, plane), slot in zip(flat, slots, strict=True)]
    return _Grid(affine, most + 1 if slots.max() > 0 else 1, planes)


def _volume(ids: Bits, affine: FloatArray, path: Path) -> Volume:
    header = nib.Nifti1Header()
    header.set_data_shape(ids.shape[:0:-1])
    header.set_zooms(np.linalg.norm(affine[:3, :3], axis=0))
    header.set_sform(affine, 1)
    header.set_qform(straightened(affine), 1)
    return Volume(ids, affine, None, (), header, path)
