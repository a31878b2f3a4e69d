"""Invert a map after its points moved along one direction.

With F the map before, G its inverse and F'(q) = F(q) + a D(q), the inverse of F' at p is G(p - a e)
with e = D(G(p - a e)): one unknown, which bisection finds however far points have moved, since
points of a line do not pass one another. A Newton step or two, in two dimensions, do the rest.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop_fields import Field, cell_px, inverted_at

Window = tuple[slice, slice]

_BISECTIONS: Final = 6
_STEPS: Final = 3
_MARGIN: Final = 3  # points of the grid around what has moved


def mend_inverse(
    inverse: Field,
    field: Field,
    moved: NDArray[np.float32],
    direction: NDArray[np.float32],
    windows: Sequence[Window],
) -> None:
    """Mend an inverse, in place.

    Args:
        inverse: G as a field (2, h, w) crop px, on a grid that divides the crop.
        field: of F', on the same grid.
        moved: D, (h, w), 0 outside of the windows.
        direction: a, (2,) crop px.
        windows: rows and columns of the template in which D is not 0.
    """
    cell = np.array(cell_px(field), np.float32)
    places = np.zeros(field.shape[1:], bool)
    for window in windows:
        places[_reached(field, moved, direction, window)] = True
    y, x = np.nonzero(places)
    rows, columns = (
        slice(max(min(w[axis].start for w in windows) - 1, 0), max(w[axis].stop for w in windows))
        for axis in (0, 1)
    )
    step = direction / cell
    there = _bounds(x, y, moved, step, field.shape[1:])
    onto = np.ascontiguousarray(np.moveaxis(inverse[:, *there], 0, -1))
    at_y, at_x = np.mgrid[there].astype(np.float32)
    carried = cv2.remap(
        moved, at_x + onto[..., 0] / cell[0], at_y + onto[..., 1] / cell[1], cv2.INTER_LINEAR
    )
    x_px, y_px = ((p - s.start).astype(np.float32) for p, s in ((x, there[1]), (y, there[0])))

    def sampled(values: NDArray[np.float32], e: NDArray[np.floating]) -> NDArray[np.float32]:
        at = np.stack([x_px - step[0] * e, y_px - step[1] * e], axis=-1).astype(np.float32)
        found = cv2.remap(values, at[None], None, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        return np.asarray(found[0], np.float32)

    low, high = (np.full(len(x), end, np.float32) for end in (moved.min(), moved.max()))
    for _ in range(_BISECTIONS):
        middle = (low + high) * np.float32(0.5)
        is_higher = sampled(carried, middle) > middle
        low, high = np.where(is_higher, middle, low), np.where(is_higher, high, middle)
    e = (low + high) * np.float32(0.5)
    start = np.asarray(sampled(onto, e).T - direction[:, None] * e, np.float32)
    inverse[:, y, x] = inverted_at(field, (rows, columns), (y, x), start, _STEPS)


def _reached(
    field: Field, moved: NDArray[np.float32], direction: NDArray[np.float32], window: Window
) -> Window:
    """Rows and columns of the frame's grid that a window covers, before or after it moved."""
    rows, columns = window
    y, x = np.mgrid[rows, columns][:, ::4, ::4]
    spans = []
    for start, axis in ((y, 1), (x, 0)):
        cell, size = cell_px(field)[axis], field.shape[2 - axis]
        after = field[axis, rows, columns][::4, ::4]
        before = after - direction[axis] * moved[rows, columns][::4, ::4]
        there = [start + shift / cell for shift in (before, after)]
        first, last = min(t.min() for t in there), max(t.max() for t in there)
        spans.append(slice(max(int(first) - _MARGIN, 0), min(int(last) + _MARGIN + 4, size)))
    return spans[0], spans[1]


def _bounds(
    x: NDArray[np.integer],
    y: NDArray[np.integer],
    moved: NDArray[np.float32],
    step: NDArray[np.float32],
    shape: tuple[int, ...],
) -> Window:
    """Rows and columns of the grid from which the points may have moved."""
    ends = np.array([moved.min(), 0.0, moved.max()])
    spans = []
    for place, axis, size in ((y, 1, shape[0]), (x, 0, shape[1])):
        back = step[axis] * ends
        first, last = place.min() - back.max(), place.max() - back.min()
        spans.append(slice(max(int(first) - 1, 0), min(int(last) + 3, size)))
    return spans[0], spans[1]
