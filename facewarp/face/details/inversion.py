"""Invert a map after its points moved along one direction.

With F the map before, G its inverse and F'(q) = F(q) + a D(q), the inverse of F' is about that of
``q + y D(q)``, y the template's vertical, after G: the face's vertical a is what the pose makes of
y. Along a column of the template that has one unknown, and is found by linear interpolation however
far points have moved, since those of a column do not pass one another. Newton steps in two
dimensions do the rest. Only what the windows in which D is not 0 come to is touched: the border of
a window stays where it was, and so does everything outside.
"""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop_fields import Field, cell_px, grid_points

Window = tuple[slice, slice]

_STEPS: Final = 2
_FAR_PX: Final = 0.25  # crop px off after these steps, from which on there are more
_MORE_STEPS: Final = 4
_FOLD: Final = 0.1  # determinant below which a field counts as folded
_EXACT_PX: Final = 0.02  # errors that are left alone
_STEP_PX: Final = 4.0  # how far one step goes at most
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
    mended = np.array(inverse)
    cell = cell_px(field)
    reached = [_reached(field, window) for window in windows]
    rows, columns = (
        slice(max(min(w[axis].start for w in windows) - 1, 0), max(w[axis].stop for w in windows))
        for axis in (0, 1)
    )
    inside = np.ascontiguousarray(field[:, rows, columns])
    newton = NewtonInversion(inside, cell)
    grid = grid_points(*field.shape[1:])
    points = _joined(grid, reached)
    points -= np.array([[[columns.start]], [[rows.start]]], np.float32)
    found = _joined(inverse, reached)
    x, y = newton.places(points, found)
    within = (x >= 0) & (x <= inside.shape[2] - 1) & (y >= 0) & (y <= inside.shape[1] - 1)
    back = _moved_back(moved, windows, cell[1])[rows, columns]
    found[1] += cv2.remap(back, x, y, cv2.INTER_LINEAR)
    start = found.copy()
    newton.refine(points, found, _STEPS)
    # A mouth wide open stretches the map by more than two steps can follow.
    far = newton.errors(points, found) > _FAR_PX
    if far.any():
        rest = np.ascontiguousarray(found[:, far][:, None])
        newton.refine(np.ascontiguousarray(points[:, far][:, None]), rest, _MORE_STEPS)
        found[:, far] = rest[:, 0]
    found = np.where(within, found, start)
    first = 0
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
    """E (h, w) px with q + E(q) the inverse of q + D(q), column by column of each window."""
    back = np.zeros_like(moved)
    for window_rows, columns in windows:
        rows = slice(max(window_rows.start - 1, 0), min(window_rows.stop + 1, len(moved)))
        count = rows.stop - rows.start
        y = np.arange(count) * cell
        there = np.maximum.accumulate(y + moved[rows, columns].T, axis=1)
        # One interpolation for all columns: each lies beyond the one before.
        apart = 4 * count * cell * np.arange(len(there))[:, None]
        found = np.interp((y + apart).ravel(), (there + apart).ravel(), np.tile(y, len(there)))
        back[rows, columns] = (found.reshape(there.shape) - y).T
    return back


def _reached(field: Field, window: Window) -> Window:
    """Rows and columns of the frame's grid that a window covers."""
    rows, columns = (range(span.start, span.stop, _EVERY) for span in window)
    spans = []
    for axis, start in ((1, np.array(rows)[:, None]), (0, np.array(columns)[None])):
        size = field.shape[2 - axis]
        there = start + field[axis, *window][::_EVERY, ::_EVERY] / cell_px(field)[axis]
        first, last = int(there.min()), int(there.max())
        spans.append(slice(max(first - _MARGIN, 0), min(last + _MARGIN + _EVERY, size)))
    return spans[0], spans[1]


class NewtonInversion:
    """Newton's method for the inverse of a field, at any points of its grid.

    The inverse of the Jacobian is computed once at the field's points and sampled between them.

    Args:
        field: u (2, h, w) crop px.
        cell: width and height of its cells, crop px; None for a field of the whole crop.
    """

    def __init__(self, field: Field, cell: tuple[float, float] | None = None) -> None:
        across, down = cell or cell_px(field)
        self._per_px = np.float32(1 / across), np.float32(1 / down)
        self._field = cv2.merge([np.ascontiguousarray(axis, np.float32) for axis in field])
        along_x, along_y = (
            cv2.Sobel(self._field, cv2.CV_32F, *order, ksize=3, scale=1 / (8 * size))
            for order, size in (((1, 0), across), ((0, 1), down))
        )
        x_x, y_x = cv2.split(along_x)
        x_y, y_y = cv2.split(along_y)
        x_x, y_y = x_x + 1, y_y + 1
        determinant = x_x * y_y - x_y * y_x
        shrink = 1 / np.where(abs(determinant) < _FOLD, np.float32(_FOLD), determinant)
        self._inverse = cv2.merge([y_y * shrink, x_y * shrink, y_x * shrink, x_x * shrink])

    def places(
        self, points: NDArray[np.float32], shifts: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where points (2, n, m), indices of the grid, come to by shifts (2, n, m) px: x and y."""
        (x, y), (right, down) = points, shifts
        across, along = self._per_px
        return x + right * across, y + down * along

    def errors(
        self, points: NDArray[np.float32], shifts: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return how far shifts v (2, n, m) px are from solving the equation, (n, m) px."""
        u = cv2.remap(
            self._field,
            *self.places(points, shifts),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        x, y = (np.abs(one + shift) for one, shift in zip(cv2.split(u), shifts, strict=True))
        return np.asarray(np.maximum(x, y), np.float32)

    def refine(self, points: NDArray[np.float32], shifts: NDArray[np.float32], steps: int) -> None:
        """Solve ``v(p) + u(p + v(p)) = 0``, in place.

        Args:
            points: p (2, n, m), as indices of the field's grid.
            shifts: v (2, n, m) px, about the solution.
            steps: of Newton's method.
        """
        for _ in range(steps):
            there = self.places(points, shifts)
            u, inverse = (
                cv2.remap(values, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
                for values in (self._field, self._inverse)
            )
            error_x, error_y = (
                one + shift for one, shift in zip(cv2.split(u), shifts, strict=True)
            )
            is_off = cv2.max(abs(error_x), abs(error_y)) > _EXACT_PX
            error_x *= is_off
            error_y *= is_off
            a, b, c, d = cv2.split(inverse)
            for shift, step in (
                (shifts[0], a * error_x - b * error_y),
                (shifts[1], d * error_y - c * error_x),
            ):
                shift -= np.clip(step, -_STEP_PX, _STEP_PX)
