"""Areas within closed contours, on a grid of pixels."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import FloatArray

Mask = NDArray[np.bool_]

_ON_CENTER: Final = 0.02  # pixels; contours that programs trace through pixels lie nearer
_MOSTLY: Final = 0.98  # share of the points that do
_FEWEST: Final = 8  # points that tell it


def filled(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> Mask:
    """Fill contours: a pixel is inside if its center is, within an odd number of them.

    So inner contours are holes, and the two ways of a keyhole cancel each other.

    Args:
        polygons: (N, 2) points each, x and y, whole numbers in the middle of pixels.
        shape: of the grid, ``(H, W)``.
    """
    height, width = shape
    turns = np.zeros((height, width + 1), dtype=np.uint8)
    for points in polygons:
        ends = np.roll(points, -1, axis=0)
        for (x0, y0), (x1, y1) in zip(points.tolist(), ends.tolist(), strict=True):
            if y0 == y1:
                continue
            first, last = (int(np.ceil(y)) for y in (min(y0, y1), max(y0, y1)))
            rows = np.arange(max(first, 0), min(last, height))  # the upper end is the next edge's
            crossing = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0))
            columns = np.clip(np.ceil(crossing), 0, width).astype(np.intp)
            np.bitwise_xor.at(turns, (rows, columns), 1)
    return np.bitwise_xor.accumulate(turns, axis=1)[:, :width].astype(bool)


def outlined(polygons: Sequence[FloatArray], shape: tuple[int, int]) -> Mask:
    """Return the pixels that lie on contours which run from pixel center to pixel center."""
    height, width = shape
    mask = np.zeros(shape, dtype=bool)
    for points in polygons:
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            count = int(np.rint(np.abs(end - start).max()))
            steps = np.linspace(0.0, 1.0, count + 1)[:, None]
            x, y = np.rint(start + steps * (end - start)).astype(np.intp).T
            within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
            mask[y[within], x[within]] = True
    return mask


def through_centers(polygons: Sequence[FloatArray]) -> bool:
    """Whether contours run through the centers of a mask's outermost pixels.

    Such ones are not the edge of the area that they were made of, but lie half a pixel within it.
    """
    if not polygons:
        return False
    points = np.concatenate(polygons)
    near = (np.abs(points - np.rint(points)) < _ON_CENTER).all(axis=1)
    return len(points) >= _FEWEST and float(near.mean()) >= _MOSTLY
