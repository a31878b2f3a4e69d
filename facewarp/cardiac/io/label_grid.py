"""Label maps laid onto another volume's voxels, as labels: no id is ever interpolated."""

import math
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.names.views import is_long_axis
from facewarp.cardiac.io.volume import Volume
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

Ids = NDArray[np.int32]

_LATTICE_VOX: Final = 0.1  # voxels nearer than this are the same ones
_SAME_MM: Final = 0.1
_FINEST: Final = 4  # points along each axis of a voxel, at most
_FEW_PLANES: Final = 2  # that are labelled: those of a long axis, where they lie across the stack
_ACROSS_DEG: Final = 30.0


def lay_labels(
    ids: Ids, found: Volume, volume: Volume, *, certain: bool = False
) -> tuple[Ids, list[str]]:
    """Lay a label map onto a cine's grid.

    Exactly where the grids differ in the order and direction of their axes or in what they cover;
    voxel by voxel where one of two equal grids tells no place; else by the id that has the
    largest share of each voxel.

    Args:
        ids: ``(T, D, H, W)`` as the file has them.
        found: the file.
        volume: the cine, slices first.
        certain: the labels' place is beyond doubt, also where equal voxels lie elsewhere.

    Returns:
        ``(T, D, H, W)`` on the cine's grid, and what is to be said of how they got there.

    Raises:
        FacewarpError: they lie elsewhere, or no file says where.
    """
    between = np.linalg.inv(found.affine) @ volume.affine  # from the cine's voxels to the labels'
    in_file = tuple(volume.shape[2 - volume.axes.index(axis)] for axis in (2, 1, 0))
    same_count = found.shape == in_file
    if same_count and np.allclose(found.affine, volume.file_affine, rtol=1e-2, atol=_SAME_MM):
        return _voxel_by_voxel(ids, volume), []
    if same_count and not certain and (reason := _place_untold(found, volume)):
        return _voxel_by_voxel(ids, volume), [f"labels are laid voxel by voxel: {reason}"]
    if _on_one_lattice(between, volume.shape) and has_place(found) and has_place(volume):
        return _resampled(ids, between, volume.shape, (1, 1, 1)), []
    sizes = [_times(one.shape[::-1]) for one in (found, volume)]
    if not certain and same_count and _alike(found.spacing_mm, volume.spacing_mm):
        what = "the labels lie elsewhere in the world than the cine"
        raise FacewarpError(what, found.path, "Give labels with the cine's affine.")
    spacings = [_times(np.round(one.spacing_mm, 3)) for one in (found, volume)]
    if not certain and same_count:
        what = f"the labels have the cine's voxels, but of {spacings[0]} mm, not {spacings[1]} mm"
        fix = "Correct the spacing of the wrong file, or give labels with the cine's affine."
        raise FacewarpError(what, found.path, fix)
    if not (has_place(found) and has_place(volume)):
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
    told = f"labels of {sizes[0]} voxels of {spacings[0]} mm are resampled to the cine's grid"
    return laid, [f"{told}, {sizes[1]} of {spacings[1]} mm"]


def refuse_long_axis(ids: Ids, found: Volume, volume: Volume) -> None:
    """Refuse labels of a slice or two that lie across the cine's: drawn on a long axis.

    Laid on the stack they are a strip of a heart, in which no part closes around another.

    Args:
        ids: ``(T, D, H, W)`` as the file has them.
        found: the file.
        volume: the cine, slices first.

    Raises:
        FacewarpError: they do.
    """
    planes = [len(np.unique(places)) for places in np.nonzero(ids)[:0:-1]]  # along x, y, z
    few = [axis for axis in range(3) if planes[axis] <= _FEW_PLANES]
    if len(few) != 1:
        return
    within = [axis for axis in range(3) if axis != few[0]]
    here, there = (
        np.cross(one.affine[:3, a], one.affine[:3, b])
        for one, (a, b) in ((found, within), (volume, (0, 1)))
    )
    cosine = abs(float(here @ there)) / float(np.linalg.norm(here) * np.linalg.norm(there))
    angle = math.degrees(math.acos(min(cosine, 1.0)))
    if has_place(found) and has_place(volume):
        if angle <= _ACROSS_DEG:
            return
        lie = f"lie at {angle:.0f} degrees to the cine's slices"
    elif is_long_axis(found.path):
        lie = "are those of a long axis by the file's name"
    else:
        return
    some = "one slice" if planes[few[0]] == 1 else f"{planes[few[0]]} slices"
    what = f"the labels are of {some} and {lie}: they seem to be drawn on a long axis"
    raise FacewarpError(what, found.path, "Give labels that were drawn on the short-axis stack.")


def _voxel_by_voxel(ids: Ids, volume: Volume) -> Ids:
    """Ids in the file's order of axes, in the order of the cine's data."""
    x, y, z = volume.axes
    return np.ascontiguousarray(ids.transpose(0, 3 - z, 3 - y, 3 - x))


def _place_untold(found: Volume, volume: Volume) -> str:
    """Why two grids of equal voxels are the same though their affines differ; "" if they aren't."""
    for one, name in ((found, "they"), (volume, "the cine")):
        if not has_place(one):
            return f"{name} tell{'s' if one is volume else ''} no orientation"
    for code, affine in (
        ("sform", volume.header.get_sform()),
        ("qform", volume.header.get_qform()),
    ):
        if np.allclose(found.affine, affine, rtol=1e-2, atol=_SAME_MM):
            return f"they lie where the cine's {code} says, which differs from what is used"
    return ""


def has_place(volume: Volume) -> bool:
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
    ids: Ids,
    between: FloatArray,
    shape: tuple[int, int, int],
    finer: tuple[int, int, int],
) -> Ids:
    """Return the id that has the largest share of every voxel of another grid, ``(T, *shape)``.

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
        best, nothing = (np.full(shape, value, dtype=np.float32) for value in (0.0, 1.0))
        for one in known[known != 0]:
            share = _share(volume == one, matrix, shape, offsets)
            laid[phase][share > best] = one
            best = np.maximum(best, share)
            nothing -= share
        laid[phase][nothing >= best] = 0
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
            source, matrix[:3, :3], shift, output_shape=shape, order=1, mode="grid-constant"
        )
    return total / np.float32(len(offsets))


def _alike(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return bool(np.allclose(one, other, rtol=1e-2))


def _times(numbers: Any) -> str:
    return " x ".join(f"{number:g}" for number in np.asarray(numbers).tolist())
