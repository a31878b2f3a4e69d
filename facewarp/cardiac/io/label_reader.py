"""Labels that others drew, on the cine's own grid and in this program's order.

Who labels hearts writes other ids, other axes and other grids than the cine has. What is read here
is laid onto the cine's voxels: exactly where only axes differ, as one-hot shares of each voxel
where grids differ (ids are never interpolated), and voxel by voxel where a file tells no place.
Whatever was taken for granted is said; what would change the ventricle's volume is refused.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.label_order import (
    ACDC,
    AUTO,
    LabelOrder,
    order_by_anatomy,
    order_by_file_name,
    order_named,
)
from facewarp.cardiac.io.nifti_reader import read_volume, stem
from facewarp.cardiac.io.placement import FloatArray
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

Labels = NDArray[np.uint8]

_WHOLE: Final = 1e-3  # so far from a whole number an id may be stored
_LATTICE_VOX: Final = 0.1  # voxels nearer than this are the same ones
_SAME_MM: Final = 0.1
_SAID: Final = 0.01  # relative change of the ventricle's volume by another grid that is told
_REFUSED: Final = 0.05
_FINEST: Final = 4  # points along each axis of a voxel, at most
_FRAME: Final = re.compile(r"_frame(\d+)")
_MOMENT: Final = re.compile(r"(?:^|[_-])(ED|ES)(?=[_-]|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """Labels of one phase or of several on a cine's grid.

    Attributes:
        path: the file.
        data: ``(T, D, H, W)`` part ids; T is 1, or the cine's number of phases.
        filled: indices of the phases in which anything is labelled, where T is the cine's.
        frame: the frame that the file's name tells, where T is 1; None where it tells none.
        moment: ``"ED"`` or ``"ES"`` where the file's name says so; "" otherwise.
        order: convention of the file's ids.
        order_by: who says so: ``"given"``, ``"anatomy"`` or ``"file name"``.
        warnings: what the user should know, one sentence each.
    """

    path: Path
    data: Labels
    filled: tuple[int, ...]
    frame: int | None
    moment: str
    order: LabelOrder
    order_by: str
    warnings: tuple[str, ...]

    def of_phase(self, phase: int) -> Labels:
        """Labels ``(D, H, W)`` of a phase; those of a single volume are of any.

        Raises:
            FacewarpError: nothing is labelled in this phase, or no left ventricle.
        """
        if self.filled and phase not in self.filled:
            there = ", ".join(str(one + 1) for one in self.filled)
            what = f"nothing is labelled in phase {phase + 1}, but in {there}"
            fix = f"Give --ed {self.filled[0] + 1}, or labels of phase {phase + 1}."
            raise FacewarpError(what, self.path, fix)
        found: Labels = self.data[phase if self.filled else 0]
        if not (found == HeartPart.LV).any():
            ids = [one for one, part in self.order.parts.items() if part == HeartPart.LV]
            what = f"no voxel is labelled {ids[0]}, the left ventricle"
            raise FacewarpError(what, self.path, "Say the order of the ids: --label-order.")
        return found


def read_labels(
    path: str | os.PathLike[str], volume: Volume, order: str = AUTO, usual: LabelOrder | None = None
) -> GivenLabels:
    """Read labels drawn by others for a cine.

    Args:
        path: NIfTI of one volume, or of as many phases as the cine has.
        volume: the cine, slices first.
        order: name of the convention of ids, or ``"auto"``: what anatomy says, and where it does
            not, what the file's name says.
        usual: what is taken where neither says anything.

    Raises:
        FacewarpError: labels that are no whole numbers, of another number of phases, in an order
            that nothing tells, or that cannot be laid onto the cine's grid.
    """
    found = read_volume(path)
    ids = _whole_numbers(found)
    if len(ids) not in (1, volume.phases):
        sizes = [f"{len(ids)} phases", f"{volume.phases}"]
        what = f"the labels have {sizes[0]}, the cine {sizes[1]}"
        raise FacewarpError(what, path, "Give labels of one phase, or of every phase.")
    if not ids.any():
        raise FacewarpError("nothing is labelled", path, "Give a file with labels in it.")
    laid, about_place = _laid(ids, found, volume)
    chosen, by, about_order = _chosen_order(laid, found.path, order, usual)
    data = chosen.apply(laid)
    filled = tuple(np.flatnonzero(data.any(axis=(1, 2, 3))).tolist()) if len(ids) > 1 else ()
    about_size = _checked_size(chosen.apply(ids), found, data, volume)
    name = stem(found.path) if len(ids) == 1 else ""
    frame, moment = _FRAME.search(name), _MOMENT.search(name)
    return GivenLabels(
        found.path,
        data,
        filled,
        int(frame.group(1)) if frame else None,
        moment.group(1).upper() if moment else "",
        chosen,
        by,
        (*about_place, *about_size, *about_order),
    )


def _whole_numbers(found: Volume) -> NDArray[np.int32]:
    """Ids ``(T, D, H, W)`` of a file, whatever number type holds them."""
    values = found.data if found.data.ndim == 4 else found.data[None]
    ids = np.rint(values)
    if np.abs(values - ids).max() > _WHOLE or ids.min() < 0:
        what = "the labels are not all whole numbers"
        raise FacewarpError(what, found.path, "Give part ids, not probabilities.")
    return ids.astype(np.int32)


def _chosen_order(
    ids: NDArray[np.int32], path: Path, order: str, usual: LabelOrder | None
) -> tuple[LabelOrder, str, list[str]]:
    """The convention of ids, who says so, and what is to be said of it."""
    fullest = ids[(ids > 0).sum(axis=(1, 2, 3)).argmax()]
    seen, named = order_by_anatomy(fullest), order_by_file_name(path)
    if order != AUTO:
        chosen = order_named(order)
        if seen is not None and seen != chosen:
            return chosen, "given", [f"{_contradiction(chosen, seen)}: --label-order is followed"]
        return chosen, "given", []
    if seen is not None:
        expected = named or usual
        if expected is not None and seen != expected:
            return seen, "anatomy", [f"{_contradiction(expected, seen)}: anatomy is followed"]
        if seen != ACDC:
            told = f"labels are in the order of {seen.title} ({seen.text}), as anatomy says"
            return seen, "anatomy", [told]
        return seen, "anatomy", []
    expected = named or usual
    if expected is not None and not set(np.unique(ids).tolist()) - {0, *expected.parts}:
        told = f"the labels' order is taken to be that of {expected.title} ({expected.text})"
        return expected, "file name", [f"{told}: no part is closed in by another"]
    what = f"which of the labels {_listed(ids)} is which part can't be told"
    fix = f"Say it: --label-order acdc ({ACDC.text}), mnms (1 LV, 2 myocardium, 3 RV) or another."
    raise FacewarpError(what, path, fix)


def _contradiction(told: LabelOrder, seen: LabelOrder) -> str:
    return (
        f"labels are said to be in the order of {told.title} ({told.text}), "
        f"but lie as {seen.text} would"
    )


def _listed(ids: NDArray[np.int32]) -> str:
    known = np.unique(ids[ids > 0]).tolist()
    return ", ".join(map(str, known[:6])) + (", ..." if len(known) > 6 else "")


def _laid(
    ids: NDArray[np.int32], found: Volume, volume: Volume
) -> tuple[NDArray[np.int32], list[str]]:
    """Ids ``(T, D, H, W)`` on the cine's grid, and what is to be said of how they got there."""
    between = np.linalg.inv(found.affine) @ volume.affine  # from the cine's voxels to the labels'
    same_count = found.shape == volume.in_file_order(volume.data[0]).shape
    if same_count and np.allclose(found.affine, volume.file_affine, rtol=1e-2, atol=_SAME_MM):
        return _voxel_by_voxel(ids, volume), []
    if same_count and (reason := _place_untold(found, volume)):
        return _voxel_by_voxel(ids, volume), [f"labels are laid voxel by voxel: {reason}"]
    if _on_one_lattice(between, volume.shape) and _has_place(found) and _has_place(volume):
        return _resampled(ids, between, volume.shape, (1, 1, 1)), []
    sizes = [_times(one.shape[::-1]) for one in (found, volume)]
    if same_count and _alike(found.spacing_mm, volume.spacing_mm):
        what = "the labels lie elsewhere in the world than the cine"
        raise FacewarpError(what, found.path, "Give labels with the cine's affine.")
    if not (_has_place(found) and _has_place(volume)):
        what = f"the labels have {sizes[0]} voxels, the cine {sizes[1]}, and no file says where"
        raise FacewarpError(what, found.path, "Give labels on the cine's own grid.")
    finer = tuple(
        int(np.clip(round(step / least), 1, _FINEST))
        for step, least in zip(volume.spacing_mm, _steps_along(found, volume), strict=True)
    )
    laid = _resampled(ids, between, volume.shape, (finer[0], finer[1], finer[2]))
    if not laid.any():
        what = "the labels lie elsewhere in the world than the cine"
        raise FacewarpError(what, found.path, "Give labels of the same examination.")
    spacings = [_times(np.round(one.spacing_mm, 3)) for one in (found, volume)]
    told = f"labels of {sizes[0]} voxels of {spacings[0]} mm are resampled to the cine's grid"
    return laid, [f"{told}, {sizes[1]} of {spacings[1]} mm"]


def _voxel_by_voxel(ids: NDArray[np.int32], volume: Volume) -> NDArray[np.int32]:
    """Ids in the file's order of axes, in the order of the cine's data."""
    x, y, z = volume.axes
    return np.ascontiguousarray(ids.transpose(0, 3 - z, 3 - y, 3 - x))


def _place_untold(found: Volume, volume: Volume) -> str:
    """Why two grids of equal voxels are the same though their affines differ; "" if they aren't."""
    for one, name in ((found, "they"), (volume, "the cine")):
        if not _has_place(one):
            return f"{name} tell{'s' if one is volume else ''} no orientation"
    for code, affine in (
        ("sform", volume.header.get_sform()),
        ("qform", volume.header.get_qform()),
    ):
        if np.allclose(found.affine, affine, rtol=1e-2, atol=_SAME_MM):
            return f"they lie where the cine's {code} says, which differs from what is used"
    return ""


def _has_place(volume: Volume) -> bool:
    """Whether a file says where it lies: not with both codes 0, nor by an affine of unit voxels."""
    header = volume.header
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return False
    matrix = header.get_best_affine()[:3, :3]
    plain = np.allclose(np.abs(matrix), np.eye(3), atol=1e-3)
    return not plain or _alike(volume.spacing_mm, (1.0, 1.0, 1.0))


def _on_one_lattice(between: FloatArray, shape: tuple[int, int, int]) -> bool:
    """Whether one grid's voxels are voxels of the other: axes permuted, flipped or cut alone."""
    whole = np.rint(between)
    far = np.abs(between[:3, :3] - whole[:3, :3]) @ np.asarray(shape[::-1], dtype=np.float64)
    off = np.abs(between[:3, 3] - whole[:3, 3])
    turned = np.abs(whole[:3, :3])
    square = (turned.sum(axis=0) == 1).all() and (turned.sum(axis=1) == 1).all()
    return bool(square and (far + off).max() < _LATTICE_VOX)


def _steps_along(found: Volume, volume: Volume) -> FloatArray:
    """Size of the labels' voxels along each of the cine's axes, mm."""
    directions = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    crossed = np.linalg.inv(found.affine)[:3, :3] @ directions  # voxels a mm
    return np.asarray(1.0 / np.abs(crossed).max(axis=0))


def _resampled(
    ids: NDArray[np.int32],
    between: FloatArray,
    shape: tuple[int, int, int],
    finer: tuple[int, int, int],
) -> NDArray[np.int32]:
    """The id that has the largest share of every voxel of another grid, ``(T, *shape)``.

    Args:
        ids: ``(T, D, H, W)``.
        between: (4, 4) from the other grid's voxels ``(x, y, z, 1)`` to these.
        shape: of the other grid, ``(D, H, W)``.
        finer: points along x, y, z at which each of its voxels is looked at.
    """
    known = np.unique(ids)
    turn = np.eye(4)[:, [2, 1, 0, 3]]
    matrix = turn @ between @ turn  # in the order of the arrays
    parts = [(np.arange(n) - (n - 1) / 2) / n for n in finer[::-1]]
    offsets = np.stack(np.meshgrid(*parts, indexing="ij"), axis=-1).reshape(-1, 3)
    laid = np.zeros((len(ids), *shape), dtype=np.int32)
    for phase, volume in enumerate(ids):
        if not volume.any():
            continue
        best = np.full(shape, 1e-6, dtype=np.float32)  # nothing beyond the labels
        for one in known[known != 0]:
            share = _share(volume == one, matrix, shape, offsets)
            better = share > best
            laid[phase][better] = one
            best = np.maximum(best, share)
        background = _share(volume == 0, matrix, shape, offsets)
        laid[phase][background >= best] = 0
    return laid


def _share(
    mask: NDArray[np.bool_], matrix: FloatArray, shape: tuple[int, int, int], offsets: FloatArray
) -> NDArray[np.float32]:
    """Share of a mask in every voxel of another grid, linear between the mask's voxels."""
    source = mask.astype(np.float32)
    total = np.zeros(shape, dtype=np.float32)
    for offset in offsets:
        shift = matrix[:3, :3] @ offset + matrix[:3, 3]
        total += ndimage.affine_transform(
            source, matrix[:3, :3], shift, output_shape=shape, order=1, mode="constant"
        )
    return total / np.float32(len(offsets))


def _checked_size(before: Labels, found: Volume, after: Labels, volume: Volume) -> list[str]:
    """What is to be said of the left ventricle's volume on the labels' and on the cine's grid."""
    sizes = [
        (data == HeartPart.LV).sum(axis=(1, 2, 3)).max() * one.voxel_ml
        for data, one in ((before, found), (after, volume))
    ]
    if sizes[0] == 0:
        return []
    change = abs(sizes[1] / sizes[0] - 1)
    told = f"the left ventricle has {sizes[0]:.1f} ml on the labels' grid, {sizes[1]:.1f} ml here"
    if change > _REFUSED:
        fix = "Give labels on the cine's own grid, or correct the spacing of one of the files."
        raise FacewarpError(told, found.path, fix)
    return [told] if change > _SAID else []


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return bool(np.allclose(one, other, rtol=1e-2))


def _times(numbers: Any) -> str:
    return " x ".join(f"{number:g}" for number in np.asarray(numbers).tolist())
