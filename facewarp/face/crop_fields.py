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
_EXACT_PX = 0.02  # errors that are left alone: a face at rest stays exactly as it was
_STEP_PX = 4.0  # how far one step of an inversion goes at most


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
    where = ((np.asarray(points) + 0.5) / cell_px(field) - 0.5).astype(np.float32)
    x, y = (np.ascontiguousarray(axis)[None] for axis in where.T)
    moved = [
        cv2.remap(channel, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]
        for channel in field
    ]
    return np.stack(moved, axis=-1).astype(np.float64)


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


def approximate_inverse(field: Field, rounds: int) -> Field:
    """Approach a field's inverse by fixed-point iteration, ``v(p) <- -u(p + v(p))``.

    Each round leaves as much of an error as the field changes by over it, and takes a third of
    the time of a step of `inverted`, which ends at the inverse (Chen et al., Med. Phys. 2008).

    Args:
        field: u (2, h, w) crop px.
        rounds: of the iteration, which begins at ``-u``.

    Returns:
        v, on the same grid.
    """
    minus = cv2.merge([np.ascontiguousarray(-axis, np.float32) for axis in field])
    points = grid_points(*field.shape[1:])
    per_px = [np.float32(1 / size) for size in cell_px(field)]
    x, y = -field
    for _ in range(rounds):
        there = points[0] + x * per_px[0], points[1] + y * per_px[1]
        found = cv2.remap(minus, *there, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        x, y = cv2.split(found)
    return np.stack([x, y]).astype(np.float32, copy=False)


def inverted(field: Field, start: Field | None = None, steps: int = 3) -> Field:
    """Invert a field by Newton's method: ``v`` with ``v(p) + u(p + v(p)) = 0``.

    Where the field folds there is no inverse; steps are held back there, and stay within 4 px.

    Args:
        field: u (2, h, w) crop px, on a grid that divides the crop.
        start: about the inverse, on the same grid; None begins at ``-u``.
        steps: from a field that the network gave for the other direction, 3 leave less than
            0.06 px at 99 of 100 points (docs/decisions/0126-milliseconds-of-a-crop.md).

    Returns:
        v, on the same grid.
    """
    found = np.array(-field if start is None else start, np.float32)
    if steps:
        NewtonInversion(field).refine(grid_points(*field.shape[1:]), found, steps)
    return found


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


@lru_cache(maxsize=8)
def grid_points(rows: int, columns: int) -> NDArray[np.float32]:
    """The indices (2, rows, columns) of a grid's points, x before y; not to be changed."""
    points = np.ascontiguousarray(np.mgrid[:rows, :columns][::-1], np.float32)
    points.flags.writeable = False
    return points
