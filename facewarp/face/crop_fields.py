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

_FOLD = 0.1  # determinant below which a field counts as folded when it is inverted
EXACT_PX = 0.02
"""Errors of an inverse that are left alone: a face at rest stays exactly as it was."""
STEP_PX = 4.0
"""How far one step of an inversion goes at most."""
_ROUNDS = 6  # of an inversion before Newton's method: at 19 of 20 points that is all


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
    height, width = field.shape[1:]
    x = np.arange(width, dtype=np.float32)[None] + field[0]
    y = np.arange(height, dtype=np.float32)[:, None] + field[1]
    warped = np.empty((len(maps), height, width), np.float32)
    for one, target in zip(np.ascontiguousarray(maps), warped, strict=True):
        cv2.remap(one, x, y, cv2.INTER_LINEAR, target, cv2.BORDER_REPLICATE)
    return warped


def jacobian_determinant(field: NDArray[np.float32]) -> NDArray[np.float32]:
    """Determinant of ``I + grad u`` (h, w) of a field (2, h, w) in px of its own grid; folds <= 0.

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


def inverted(field: Field, steps: int = 3) -> Field:
    """Invert a field: ``v`` with ``v(p) + u(p + v(p)) = 0``.

    Six rounds of a fixed-point iteration from ``-u`` (Chen et al., Med. Phys. 2008), each of which
    leaves as much of an error as the field changes by over it; then Newton's method at the few
    points where that has not settled. Where the field folds there is no inverse; steps are held
    back there, and stay within 4 px.

    Args:
        field: u (2, h, w) crop px, on a grid that divides the crop.
        steps: of Newton's method at most; what is left: docs/decisions/0140-glue-of-a-frame.md.

    Returns:
        v, on the same grid.
    """
    across, down = (np.float32(size) for size in cell_px(field))
    u = cv2.merge([field[0] * (1 / across), field[1] * (1 / down)])  # in cells of the grid
    points = _point_pairs(*field.shape[1:])
    there = points - u
    minus, before = np.empty_like(u), np.empty_like(u)
    for _ in range(_ROUNDS):
        minus, before = before, minus
        cv2.remap(u, there, None, cv2.INTER_LINEAR, minus, cv2.BORDER_REPLICATE)
        np.subtract(points, minus, out=there)
    moved_x, moved_y = cv2.split(cv2.absdiff(minus, before))
    is_off = (moved_x > EXACT_PX / across) | (moved_y > EXACT_PX / down)
    x, y = cv2.split(minus)
    left = np.flatnonzero(is_off)
    if len(left) and steps:
        at_x, at_y = points.reshape(-1, 2)[left].T
        found = -x.ravel()[left], -y.ravel()[left]
        settle(u, (at_x, at_y), found, cell_px(field), steps)
        x.ravel()[left], y.ravel()[left] = -found[0], -found[1]
    inverse = np.empty_like(field, np.float32)
    np.multiply(x, -across, out=inverse[0])
    np.multiply(y, -down, out=inverse[1])
    return inverse


def settle(
    u: NDArray[np.float32],
    points: tuple[NDArray[np.float32], NDArray[np.float32]],
    shifts: tuple[NDArray[np.float32], NDArray[np.float32]],
    cell: tuple[float, float],
    steps: int,
) -> None:
    """Solve ``v(p) + u(p + v(p)) = 0`` at some points by Newton's method, in place.

    Args:
        u: (h, w, 2), all in cells of the grid.
        points: p, x and y of N.
        shifts: v, likewise, about the solution.
        cell: width and height of a cell, crop px.
        steps: of Newton's method.
    """
    v_x, v_y = shifts
    (exact_x, most_x), (exact_y, most_y) = ((EXACT_PX / size, STEP_PX / size) for size in cell)
    x, y = np.empty((2, 5, len(v_x)), np.float32)  # each place, and a cell right, left, down, up
    for _ in range(steps):
        np.add(points[0], v_x, out=x[0])
        np.add(points[1], v_y, out=y[0])
        x[1:], y[1:] = x[0], y[0]
        x[1] += 1
        x[2] -= 1
        y[3] += 1
        y[4] -= 1
        found = cv2.remap(u, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        u_x, u_y = cv2.split(found)
        error_x, error_y = u_x[0] + v_x, u_y[0] + v_y
        is_off = (abs(error_x) > exact_x) | (abs(error_y) > exact_y)
        if not is_off.any():
            break
        half = np.float32(0.5)
        x_x, x_y = half * (u_x[1] - u_x[2]) + 1, half * (u_x[3] - u_x[4])
        y_x, y_y = half * (u_y[1] - u_y[2]), half * (u_y[3] - u_y[4]) + 1
        determinant = x_x * y_y - x_y * y_x
        determinant[abs(determinant) < _FOLD] = _FOLD
        share = is_off / determinant
        for shift, step, most in (
            (v_x, share * (y_y * error_x - x_y * error_y), most_x),
            (v_y, share * (x_x * error_y - y_x * error_x), most_y),
        ):
            np.maximum(step, -most, out=step)
            shift -= np.minimum(step, most, out=step)


@lru_cache(maxsize=8)
def grid_points(rows: int, columns: int) -> NDArray[np.float32]:
    """The indices (2, rows, columns) of a grid's points, x before y; not to be changed."""
    points = np.ascontiguousarray(np.mgrid[:rows, :columns][::-1], np.float32)
    points.flags.writeable = False
    return points


@lru_cache(maxsize=8)
def _point_pairs(rows: int, columns: int) -> NDArray[np.float32]:
    """The same as (rows, columns, 2)."""
    return np.ascontiguousarray(np.moveaxis(grid_points(rows, columns), 0, -1))
