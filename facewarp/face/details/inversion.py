"""Invert a map after its points moved along one direction.

With F the map before, G its inverse and F'(q) = F(q) + a D(q), the inverse of F' is about that of
``q + y D(q)``, y the template's vertical, after G: the face's vertical a is what the pose makes of
y. Along a column of the template that has one unknown, and is found by linear interpolation however
far points have moved, since those of a column do not pass one another. Newton steps in two
dimensions do the rest. Only what the windows in which D is not 0 come to is touched: the border of
a window stays where it was, and so does everything outside.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop_fields import EXACT_PX, STEP_PX, Field, cell_px, grid_points, settle

Window = tuple[slice, slice]

_STEPS: Final = 2
_FAR_PX: Final = 1.0  # crop px off before the last of these, from which on there are more
_MORE_STEPS: Final = 4
_FOLD: Final = 0.1  # determinant below which a field counts as folded
_MARGIN: Final = 3  # points of the grid around what has moved
_EVERY: Final = 4  # points of the grid at which a window is looked at


def mended_inverse(
    inverse: Field, field: Field, moved: NDArray[np.float32], windows: Sequence[Window]
) -> Field:
    """Mend an inverse.

    Args:
        inverse: G as a field (2, h, w) crop px, on a grid that divides the crop.
        field: of F', on the same grid.
        moved: D, (h, w) template px, 0 outside of the windows.
        windows: rows and columns of the template in which D is not 0.

    Returns:
        The inverse of F', on the same grid.
    """
    cell = cell_px(field)
    per_px = np.array([1 / cell[0], 1 / cell[1]], np.float32)[:, None, None]
    reached = [_reached(field, window) for window in windows]
    rows, columns = (
        slice(max(min(w[axis].start for w in windows) - 1, 0), max(w[axis].stop for w in windows))
        for axis in (0, 1)
    )
    newton = NewtonInversion(field[:, rows, columns] * per_px)
    points = _joined(grid_points(*field.shape[1:]), reached)
    points -= np.array([[[columns.start]], [[rows.start]]], np.float32)
    found = _joined(inverse, reached)
    found *= per_px
    x, y = points + found
    height, width = rows.stop - rows.start, columns.stop - columns.start
    within = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    back = _moved_back(moved, windows, cell[1])[rows, columns]
    found[1] += cv2.remap(back, x, y, cv2.INTER_LINEAR)
    start = found.copy()
    newton.refine(points, found, within, min(cell))
    np.copyto(found, start, where=~within)
    found /= per_px
    mended, first = np.array(inverse), 0
    for place in reached:
        target = mended[:, *place]
        last = first + target[0].size
        target[:] = found[:, 0, first:last].reshape(target.shape)
        first = last
    return mended


def _joined(values: NDArray[np.float32], places: Sequence[Window]) -> NDArray[np.float32]:
    """Values (2, h, w) at places, one after the other, as (2, 1, N)."""
    return np.concatenate([values[:, *place].reshape(2, 1, -1) for place in places], axis=-1)


def _moved_back(
    moved: NDArray[np.float32], windows: Sequence[Window], cell: float
) -> NDArray[np.float32]:
    """E (h, w) cells with q + E(q) the inverse of q + D(q), column by column of each window."""
    back = np.zeros_like(moved)
    for window_rows, columns in windows:
        rows = slice(max(window_rows.start - 1, 0), min(window_rows.stop + 1, len(moved)))
        shape = columns.stop - columns.start, rows.stop - rows.start
        y, apart = _columns_apart(*shape)
        there = moved[rows, columns].T * np.float32(1 / cell) + np.arange(shape[1])
        np.maximum.accumulate(there, axis=1, out=there)
        there += apart  # one interpolation for all columns: each lies beyond the one before
        found = np.interp(y, there.ravel(), y)
        back[rows, columns] = (found - y).reshape(shape).T
    return back


@lru_cache(maxsize=16)
def _columns_apart(columns: int, rows: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rows of columns one beyond another, (columns * rows,), and where they begin, (columns, 1)."""
    apart = 4.0 * rows * np.arange(columns, dtype=np.float64)[:, None]
    return np.ravel(np.arange(rows) + apart), apart


def _reached(field: Field, window: Window) -> Window:
    """Rows and columns of the frame's grid that a window covers."""
    rows, columns = (slice(span.start, span.stop, _EVERY) for span in window)
    grid, spans = grid_points(*field.shape[1:])[:, rows, columns], []
    for axis in (1, 0):
        there = field[axis, rows, columns] * np.float32(1 / cell_px(field)[axis]) + grid[axis]
        first, last = int(there.min()), int(there.max())
        end = min(last + _MARGIN + _EVERY, field.shape[2 - axis])
        spans.append(slice(max(first - _MARGIN, 0), end))
    return spans[0], spans[1]


class NewtonInversion:
    """Newton's method for the inverse of a field, at many points of its grid.

    The inverse of the Jacobian is computed once at the field's points and sampled between them.

    Args:
        field: u (2, h, w), in cells of its grid.
    """

    def __init__(self, field: Field) -> None:
        self._field = cv2.merge([np.ascontiguousarray(axis) for axis in field])
        x_x, y_x = cv2.split(cv2.Sobel(self._field, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8))
        x_y, y_y = cv2.split(cv2.Sobel(self._field, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8))
        x_x += 1
        y_y += 1
        determinant = x_x * y_y
        determinant -= x_y * y_x
        determinant[abs(determinant) < _FOLD] = _FOLD
        shrink = np.float32(1) / determinant
        self._inverse = cv2.merge([y_y * shrink, x_y * shrink, y_x * shrink, x_x * shrink])

    def refine(
        self,
        points: NDArray[np.float32],
        shifts: NDArray[np.float32],
        within: NDArray[np.bool_],
        cell: float,
    ) -> None:
        """Solve ``v(p) + u(p + v(p)) = 0``, in place.

        Args:
            points: p (2, 1, N), as indices of the field's grid.
            shifts: v (2, 1, N) cells, about the solution.
            within: (1, N) which of them lie within the field.
            cell: the size of a cell, crop px.
        """
        exact, most = (np.float32(px / cell) for px in (EXACT_PX, STEP_PX))
        for _ in range(_STEPS):
            x, y = points + shifts
            u, inverse = (
                cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for values in (self._field, self._inverse)
            )
            errors = shifts + np.stack(cv2.split(u))
            off = abs(errors).max(axis=0)
            errors *= off > exact
            a, b, c, d = cv2.split(inverse)
            for shift, step in (
                (shifts[0], a * errors[0] - b * errors[1]),
                (shifts[1], d * errors[1] - c * errors[0]),
            ):
                np.maximum(step, -most, out=step)
                shift -= np.minimum(step, most, out=step)
        # A mouth wide open stretches the map by more than that can follow.
        far = np.flatnonzero((off > _FAR_PX / cell) & within)
        if len(far):
            at, (right, down) = points[:, 0, far], shifts[:, 0, far]
            settle(self._field, (at[0], at[1]), (right, down), (cell, cell), _MORE_STEPS)
            shifts[0, 0, far], shifts[1, 0, far] = right, down
