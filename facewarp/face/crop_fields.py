"""Displacement fields of a face crop, on the network's grid.

A field is (2, h, w), x before y, in px of the crop whatever its grid; the grid divides the crop
evenly, and its point (i, j) is the middle of the crop's cell (i, j). Between the points a field is
linear, and beyond the outermost ones it stays as it is there.
"""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE

GRID_PX = 4
"""Crop px between the points of the shipped network's fields, on which faces are smoothed."""
GRID_SHAPE = (CROP_SHAPE[0] // GRID_PX, CROP_SHAPE[1] // GRID_PX)
Field = NDArray[np.float32]
Window = tuple[slice, slice]
"""Rows and columns of a grid."""

_FOLD = 0.1  # determinant below which a field counts as folded when it is inverted
EXACT_PX = 0.02
"""Errors of an inverse that are left alone: a face at rest stays exactly as it was."""
STEP_PX = 4.0
"""How far one step of an inversion goes at most."""
_ROUNDS = 3  # of an inversion before Newton's method
_STEPS = 4  # at single points, at most
_ROUGH_PX = 0.3  # of an error before a step, from which on what the step leaves matters
_AROUND = np.array(
    [[[0], [1], [-1], [0], [0]], [[0], [0], [0], [1], [-1]]], np.float32
)  # cells, x before y


def cell_px(field: NDArray[np.floating]) -> tuple[float, float]:
    """Return width and height of a field's cells, crop px."""
    height, width = field.shape[1:]
    return CROP_SHAPE[1] / width, CROP_SHAPE[0] / height


def upsample_field(field: Field) -> Field:
    """Upsample a field to every px of the crop, (2, 320, 260)."""
    return resized(field, CROP_SHAPE)


def resized(field: Field, shape: tuple[int, int]) -> Field:
    """Resize a field to a grid (h, w), values unchanged; no copy where it has that grid."""
    if field.shape[1:] == shape:
        return field
    fine = np.empty((2, *shape), np.float32)
    for channel, target in zip(field, fine, strict=True):
        cv2.resize(channel, shape[::-1], dst=target, interpolation=cv2.INTER_LINEAR)
    return fine


def sample_field(field: Field, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Sample a field at points (N, 2), bilinear; returns displacements (N, 2), both in crop px."""
    where = ((np.asarray(points) + 0.5) / cell_px(field) - 0.5).astype(np.float32)[None]
    moved = np.empty(where.shape[1:])
    for channel, axis in zip(field, moved.T, strict=True):
        axis[:] = cv2.remap(
            channel, where, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )[0]
    return moved


def warp_maps(maps: NDArray[np.float32], field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Resample maps (K, h, w) at ``p + field(p)``: linear, and at the border as they are there.

    The same as `core.fields.warp` for one image.

    Args:
        maps: moving, (K, h, w).
        field: (2, h', w'), in px of the maps' grid.
    """
    x, y = grid_points(*field.shape[1:]) + field
    return sample_maps(maps, x, y)


def sample_maps(
    maps: NDArray[np.float32], x: NDArray[np.float32], y: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Sample maps (K, h, w) at places x and y (rows, columns): linear, replicated at the border.

    Four at a time, as the channels of one picture, take half the time of one by one. Never two: for
    those OpenCV rounds places to 1/32 of a cell (findings/opencv-two-channels-in-steps.sh).

    Returns:
        (K, rows, columns).
    """
    count, height, width = maps.shape
    together = 4 * (count // 4)
    sampled = np.empty((count, *x.shape), np.float32)
    for first in range(0, together, 4):
        four = maps[first : first + 4].reshape(4, -1)
        picture = cv2.transpose(four).reshape(height, width, 4)
        found = cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.transpose(found.reshape(-1, 4), sampled[first : first + 4].reshape(4, -1))
    for one, target in zip(maps[together:], sampled[together:], strict=True):
        source = np.ascontiguousarray(one)
        cv2.remap(source, x, y, cv2.INTER_LINEAR, target, cv2.BORDER_REPLICATE)
    return sampled


def jacobian_determinant(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return det ``I + grad u`` (h, w) of a field (2, h, w) in px of its own grid; folds <= 0.

    Central differences, one-sided at the edges: the same as `core.fields.jacobian_determinant`.
    """
    x_y, x_x = np.gradient(field[0])
    y_y, y_x = np.gradient(field[1])
    return np.asarray((1 + x_x) * (1 + y_y) - x_y * y_x, np.float32)


def compose_fields(
    outer: NDArray[np.float32] | None, inner: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Compose two displacement fields, ``u(p) = inner(p) + outer(p + inner(p))``.

    The same as `facewarp.core.fields.compose`, in numpy.

    Args:
        outer: (2, h, w) px; None is the zero field.
        inner: (2, h, w) px.

    Returns:
        (2, h, w) px.
    """
    return inner if outer is None else inner + warp_maps(outer, inner)


def resampled(rgba: NDArray[np.uint8], field_px: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Warp an RGBA image (h, w, 4) of any size, straight alpha, by a field (2, 320, 260)."""
    height, width = rgba.shape[:2]
    across, down = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    scale = width / field_px.shape[2], height / field_px.shape[1]
    x, y = (
        start + k * cv2.resize(np.ascontiguousarray(u), (width, height))
        for start, k, u in zip((across, down[:, None]), scale, field_px, strict=True)
    )
    factor = np.full_like(rgba, 255)
    factor[..., :3] = rgba[..., 3:]
    moved = cv2.remap(cv2.multiply(rgba, factor, scale=1 / 255), x, y, cv2.INTER_LINEAR)
    opaque = np.full_like(moved, 255)
    opaque[..., :3] = cv2.max(moved[..., 3], 1)[..., None]
    return np.asarray(cv2.divide(moved, opaque, scale=255), np.uint8)


def inverted(field: Field, steps: int = 2) -> Field:
    """Invert a field: ``v`` with ``v(p) + u(p + v(p)) = 0``.

    Three rounds of a fixed-point iteration from ``-u`` (Chen et al., Med. Phys. 2008), each of
    which leaves as much of an error as the field changes by over it; then Newton's method where
    that has not settled. Where the field folds there is no inverse; steps are held back there, and
    stay within 4 px.

    Args:
        field: u (2, h, w) crop px, on a grid that divides the crop.
        steps: of Newton's method at most; what is left:
            docs/decisions/0149-a-crop-in-fewer-calls.md.

    Returns:
        v, on the same grid.
    """
    per_px = cells_per_px(*field.shape[1:])
    u = field * per_px
    points = grid_points(*field.shape[1:])
    inverse = -u
    for _ in range(_ROUNDS):
        before = inverse
        inverse = sample_maps(u, *(points + inverse))
        np.negative(inverse, out=inverse)
    if steps:
        before -= inverse
        is_off = (np.abs(before, out=before) > EXACT_PX * per_px).any(axis=0)
        _settle(u, inverse, is_off, steps)
    inverse /= per_px
    return inverse


def _settle(u: Field, inverse: Field, is_off: NDArray[np.bool_], steps: int) -> None:
    """Go on with Newton's method where an inverse is off, in place; see `settle_window`."""
    inner = is_off[1:-1, 1:-1]
    rows, columns = (np.flatnonzero(inner.any(axis)) + 1 for axis in (1, 0))
    if len(rows):
        window = (
            slice(int(rows[0]), int(rows[-1]) + 1),
            slice(int(columns[0]), int(columns[-1]) + 1),
        )
        settle_window(u, inverse, window, steps)


def settle_window(u: Field, inverse: Field, window: Window, steps: int) -> None:
    """Make an inverse exact in a window by Newton's method, in place.

    The inverse of the field's Jacobian is that of the inverse field, whose differences cost
    nothing to find. Where that is too rough, at the few points that are still far off, the field's
    own differences at each point tell.

    Args:
        u: the field (2, h, w), in cells of the grid.
        inverse: v with ``v(p) + u(p + v(p))`` about 0, likewise.
        window: rows and columns, none of the grid's outermost.
        steps: at most.
    """
    rows, columns = window
    right, left = (slice(columns.start + k, columns.stop + k) for k in (1, -1))
    below, above = (slice(rows.start + k, rows.stop + k) for k in (1, -1))
    points, here = grid_points(*u.shape[1:])[:, rows, columns], inverse[:, rows, columns]
    per_px = cells_per_px(*u.shape[1:])
    for _ in range(steps):
        error = sample_maps(u, *(points + here))
        error += here
        half = np.float32(0.5) * error
        step = inverse[:, rows, right] - inverse[:, rows, left]
        step *= half[0]
        down = inverse[:, below, columns] - inverse[:, above, columns]
        down *= half[1]
        step += down
        step += error
        here -= _held_back(step, per_px)
        is_off = (np.abs(error, out=error) > _ROUGH_PX * per_px).any(axis=0)
        if not is_off.any():
            return
    at = np.divmod(np.flatnonzero(is_off), is_off.shape[1])
    found = here[:, *at]
    _settle_points(u, points[:, *at], found)
    here[:, *at] = found


def _settle_points(u: Field, points: Field, inverse: NDArray[np.float32]) -> None:
    """Do the same at points (2, N) alone, by the field's Jacobian where the first step begins."""
    per_px = cells_per_px(*u.shape[1:])[..., 0]
    x, y = (points + inverse)[:, None] + _AROUND  # (5, N): there, and a cell right, left, down, up
    there = sample_maps(u, x, y)
    half = np.float32(0.5)
    (x_x, y_x), (x_y, y_y) = (half * (there[:, k] - there[:, k + 1]) for k in (1, 3))
    x_x += 1
    y_y += 1
    determinant = x_x * y_y - x_y * y_x
    determinant[abs(determinant) < _FOLD] = _FOLD
    along, across = np.array([[y_y, -y_x], [-x_y, x_x]]) / determinant  # by x, by y of an error
    error = there[:, 0] + inverse
    for left in reversed(range(_STEPS)):
        inverse -= _held_back(along * error[0] + across * error[1], per_px)
        if left:
            error = sample_maps(u, *(points + inverse)[:, None])[:, 0] + inverse
            if (abs(error) < EXACT_PX * per_px).all():
                break


def _held_back(step: NDArray[np.float32], per_px: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a step (2, ...), limited in place along either axis."""
    most = STEP_PX * per_px
    np.maximum(step, -most, out=step)
    return np.minimum(step, most, out=step)


@lru_cache(maxsize=8)
def cells_per_px(rows: int, columns: int) -> NDArray[np.float32]:
    """(2, 1, 1) cells of a grid a crop px, x first; not to be changed."""
    per_px = np.array([[[columns / CROP_SHAPE[1]]], [[rows / CROP_SHAPE[0]]]], np.float32)
    per_px.flags.writeable = False
    return per_px


@lru_cache(maxsize=8)
def grid_points(rows: int, columns: int) -> NDArray[np.float32]:
    """Return the indices (2, rows, columns) of a grid's points, x before y; not to be changed."""
    points = np.ascontiguousarray(np.mgrid[:rows, :columns][::-1], np.float32)
    points.flags.writeable = False
    return points
