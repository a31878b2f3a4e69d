"""Displacement fields of a face crop, on the network's grid.

A field is (2, h, w), x before y, in px of the crop whatever its grid; the grid divides the crop
evenly, and its point (i, j) is the middle of the crop's cell (i, j). Between the points a field is
linear, and beyond the outermost ones it stays as it is there.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE

GRID_PX = 4
"""Crop px between the points of the shipped network's fields, on which faces are smoothed."""
GRID_SHAPE = (CROP_SHAPE[0] // GRID_PX, CROP_SHAPE[1] // GRID_PX)
Field = NDArray[np.float32]


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
