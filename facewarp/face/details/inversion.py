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

from facewarp.face.crop_fields import Field, Window, cells_per_px, grid_points, settle_window

_STEPS: Final = 2
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
    per_px = cells_per_px(*field.shape[1:])
    reached = _reached(field, windows)
    mended = inverse * per_px
    points, found = grid_points(*field.shape[1:])[:, *reached], mended[:, *reached]
    x, y = points + found
    back = _moved_back(moved, windows, float(per_px[1, 0, 0]))
    found[1] += cv2.remap(back, x, y, cv2.INTER_LINEAR)
    settle_window(field * per_px, mended, reached, _STEPS)
    mended /= per_px
    return mended


def window_around(windows: Sequence[Window]) -> Window:
    """Return the least window that holds others."""
    rows, columns = (
        slice(min(w[axis].start for w in windows), max(w[axis].stop for w in windows))
        for axis in (0, 1)
    )
    return rows, columns


def _moved_back(
    moved: NDArray[np.float32], windows: Sequence[Window], per_px: float
) -> NDArray[np.float32]:
    """E (h, w) cells with q + E(q) the inverse of q + D(q), column by column of each window."""
    back = np.zeros_like(moved)
    for window_rows, columns in windows:
        rows = slice(max(window_rows.start - 1, 0), min(window_rows.stop + 1, len(moved)))
        shape = columns.stop - columns.start, rows.stop - rows.start
        y, apart = _columns_apart(*shape)
        there = moved[rows, columns].T * np.float32(per_px) + np.arange(shape[1])
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


def _reached(field: Field, windows: Sequence[Window]) -> Window:
    """Rows and columns of the frame's grid that windows cover, none of the outermost."""
    grid, per_px, spans = grid_points(*field.shape[1:]), cells_per_px(*field.shape[1:]), []
    rows, columns = (slice(span.start, span.stop, _EVERY) for span in window_around(windows))
    there = field[:, rows, columns] * per_px + grid[:, rows, columns]
    for axis in (1, 0):
        first, last = int(there[axis].min()), int(there[axis].max())
        end = min(last + _MARGIN + _EVERY, field.shape[2 - axis] - 1)
        spans.append(slice(max(first - _MARGIN, 1), end))
    return spans[0], spans[1]
