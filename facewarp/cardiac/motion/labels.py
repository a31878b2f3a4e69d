"""Part labels on a volume's grid: from a model's segmentation, or warped by a field."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.side_by_side import side_by_side
from facewarp.core.arrays import FloatArray, PackedArrays
from facewarp.core.fields import sample
from facewarp.core.geometry import pixel_grid

Labels = NDArray[np.uint8]
Floats = NDArray[np.float32]
Part = tuple[slice, slice, slice]

_FAR_MM = 1e3  # how far outside of a part that is not there
_SMOOTH_VOX = 0.7  # within slices: takes the stairs of voxels out of the surfaces
_TOUCHING = np.ones((3, 3, 3), dtype=bool)


def seen_labels(parts: Floats, parts_grid: ModelGrid) -> Labels:
    """Segment one phase: the most probable part of each voxel, without small components.

    Args:
        parts: probabilities ``(K, d, h, w)``.
        parts_grid: their grid, placed in the volume or a part of it.

    Returns:
        ``(D, H, W)`` of the volume or part; background outside of the grid.
    """
    here = parts_grid.to_volume_grid(parts)
    here[HeartPart.BACKGROUND] += 1e-3  # where the grid ends, all are 0
    return largest_pieces(here.argmax(axis=0).astype(np.uint8))


def largest_pieces(ids: Labels) -> Labels:
    """Keep the largest connected component of each part ``(D, H, W)``; the rest is background."""
    kept = ids.copy()
    for box in ndimage.find_objects((ids != HeartPart.BACKGROUND).view(np.uint8)):
        seen, here = ids[box], kept[box]  # all of the heart
        for part in (HeartPart.RV, HeartPart.MYOCARDIUM, HeartPart.LV):
            pieces, count = ndimage.label(seen == part, _TOUCHING)
            if count > 1:
                largest = np.bincount(pieces.ravel())[1:].argmax() + 1
                here[(pieces > 0) & (pieces != largest)] = HeartPart.BACKGROUND
    return kept


@dataclass(frozen=True, eq=False)
class Depths:
    """Signed distance of each point to each part's surface.

    Attributes:
        values: ``(4, ...)`` mm by part id, positive inside; in a frame of background one voxel
            wide, with further slices between the volume's own.
        finer: slices per slice of the volume.
    """

    values: Floats
    finer: int


def part_depths(labels: Labels, spacing_mm: tuple[float, float, float], finer: int = 3) -> Depths:
    """Return signed distances to the parts' surfaces.

    Between slices they are interpolated by a cubic spline, because contours narrow to the apex
    along a curve.

    Args:
        labels: ``(D, H, W)`` part ids.
        spacing_mm: along x, y, z.
        finer: slices per slice of the volume.
    """
    framed = np.pad(labels, 1, constant_values=HeartPart.BACKGROUND)
    sampling = spacing_mm[::-1]
    depths = []
    for part in HeartPart:
        inside = framed == part
        if inside.any():
            edt = ndimage.distance_transform_edt
            stairs = edt(inside, sampling=sampling) - edt(~inside, sampling=sampling)
            depth = ndimage.gaussian_filter(stairs, (0, _SMOOTH_VOX, _SMOOTH_VOX))
        else:
            depth = np.full(framed.shape, -_FAR_MM)
        depths.append(depth)
    spline = cubic_spline(framed.shape[0], finer)
    stacked = np.tensordot(np.stack(depths), spline.T, axes=((1,), (0,)))
    return Depths(np.ascontiguousarray(np.moveaxis(stacked, -1, 1), dtype=np.float32), finer)


def cubic_spline(count: int, finer: int) -> FloatArray:
    """Return the matrix from samples to the cubic spline through them, not-a-knot at its ends.

    The same as SciPy's ``CubicSpline``, whose package takes a tenth of all that is imported.

    Args:
        count: samples, two at least, at 0, 1, ...
        finer: values to each step, of ``(count - 1) * finer + 1``.
    """
    bends = np.zeros((count, count))  # conditions on second derivatives
    forces = np.zeros((count, count))
    for knot in range(1, count - 1):
        bends[knot, knot - 1 : knot + 2] = 1 / 6, 4 / 6, 1 / 6
        forces[knot, knot - 1 : knot + 2] = 1, -2, 1
    if count > 2:
        bends[0, :3] = bends[-1, -3:] = 1, -2, 1  # the first two pieces are one, as the last two
    second = np.linalg.pinv(bends) @ forces  # three samples: of all solutions the parabola
    between = np.arange((count - 1) * finer + 1) / finer
    low = np.minimum(between.astype(int), count - 2)
    share = (between - low)[:, None]
    values = np.eye(count)
    line = (1 - share) * values[low] + share * values[low + 1]
    bend = ((1 - share) ** 3 - (1 - share)) * second[low] + (share**3 - share) * second[low + 1]
    return line + bend / 6


def carry_labels(depths: Depths, places: Floats) -> Labels:
    """Warp labels: each voxel gets the part in which its source point lies deepest.

    Signed distances are interpolated rather than one-hot labels, because slices are thick: between
    two contours of different size they give an intermediate one, where one-hot labels jump. Ids
    are never interpolated.

    Args:
        depths: from `part_depths`, of the volume that has labels.
        places: ``(3, ...)`` source points in that volume, voxels.

    Returns:
        Part ids of the shape of `places`.
    """
    where = torch.from_numpy(places)[None] + 1.0  # the frame
    where[:, 2] *= depths.finer
    values = torch.from_numpy(depths.values)[None]
    deepest, *others = sample(values, where)[0]
    ids = torch.zeros(deepest.shape, dtype=torch.uint8)
    for part, depth in enumerate(others, start=1):  # argmax over channels is slower
        ids.masked_fill_(depth > deepest, part)
        deepest = torch.maximum(deepest, depth)
    return ids.numpy()


def carry_to_phases(
    to_ed: Floats | PackedArrays,
    grid: ModelGrid,
    labels_ed: Labels,
    ed: int,
    spacing_mm: tuple[float, float, float],
) -> Labels:
    """Carry the labels of end-diastole to every phase.

    Args:
        to_ed: T fields ``(3, D, H, W)`` that live on a phase and point into end-diastole, voxels of
            their grid.
        grid: theirs, placed in the part of the volume that has the labels.
        labels_ed: ``(d, h, w)`` part ids.
        ed: index of end-diastole.
        spacing_mm: of the voxels of labels.

    Returns:
        ``(T, d, h, w)`` uint8 part ids; those of end-diastole as they are.
    """
    depths = part_depths(labels_ed, spacing_mm)
    own = pixel_grid(labels_ed.shape)[0].numpy()

    def carry(phase: int) -> Labels:
        if phase == ed:
            return labels_ed
        return carry_labels(depths, own + grid.field_to_volume(to_ed[phase]))

    return np.stack(list(side_by_side(carry, range(len(to_ed)))))


def heart_box(masks: Sequence[NDArray[np.bool_]], margin: int) -> Part:
    """Return the part of a volume around masks ``(D, H, W)``, with a margin and all slices."""
    held = np.logical_or.reduce(masks)
    spans = [slice(None)]
    for axis, others in ((1, (0, 2)), (2, (0, 1))):
        places = np.flatnonzero(held.any(axis=others))
        low, high = (places[0], places[-1]) if places.size else (0, held.shape[axis])
        spans.append(
            slice(max(int(low) - margin, 0), min(int(high) + margin + 1, held.shape[axis]))
        )
    return spans[0], spans[1], spans[2]
