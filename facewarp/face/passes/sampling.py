"""Bilinear sampling at exact positions, which OpenCV before 5.1 rounds to 1/32 px."""

from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop_fields import cell_px

_ROW: Final = 1024  # points a row where they come as a list: OpenCV takes no longer ones than 32766


def bilinear(
    maps: NDArray[np.float32], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Sample maps between their pixels; beyond the border they stay as they are there.

    Args:
        maps: (K, h, w).
        x: (N,) or (h', w') px of the maps, whole at pixel centers.
        y: the same.

    Returns:
        (K, N) or (K, h', w').
    """
    if not _remap_is_exact():
        return _by_numpy(maps, x, y)
    shape = np.shape(x)
    across, down = (_in_rows(np.asarray(axis, np.float32)) for axis in (x, y))
    sampled = [
        cv2.remap(one, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for one in np.ascontiguousarray(maps, np.float32)
    ]
    count = int(np.prod(shape))
    return np.stack([one.reshape(-1)[:count].reshape(shape) for one in sampled])


def sample_grid(
    field: NDArray[np.float32], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Sample a face's field on the network's grid (2, h, w) at px of the crop."""
    wide, high = cell_px(field)
    return bilinear(field, (x + 0.5) / wide - 0.5, (y + 0.5) / high - 0.5)


def _in_rows(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Lay a list of positions in rows, the last one filled up."""
    if points.ndim == 2:
        return np.ascontiguousarray(points)
    return np.pad(points, (0, -len(points) % _ROW)).reshape(-1, _ROW)


@cache
def _remap_is_exact() -> bool:
    ramp = np.array([[0, 1024], [0, 1024]], np.float32)
    at = np.array([[0.01]], np.float32)
    sampled = cv2.remap(ramp, at, np.zeros_like(at), cv2.INTER_LINEAR)
    return bool(abs(float(sampled[0, 0]) - 10.24) < 1e-3)


def _by_numpy(
    maps: NDArray[np.float32], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float32]:
    height, width = maps.shape[1:]
    x = np.clip(np.asarray(x, np.float32), 0, width - 1)
    y = np.clip(np.asarray(y, np.float32), 0, height - 1)
    left = np.minimum(x.astype(np.int32), max(width - 2, 0))
    top = np.minimum(y.astype(np.int32), max(height - 2, 0))
    right, bottom = np.float32(x - left), np.float32(y - top)
    flat = maps.reshape(len(maps), -1)
    at = top * width + left
    aside, below = min(1, width - 1), width * min(1, height - 1)
    upper = flat[:, at] * (1 - right) + flat[:, at + aside] * right
    lower = flat[:, at + below] * (1 - right) + flat[:, at + below + aside] * right
    return np.asarray(upper * (1 - bottom) + lower * bottom, np.float32)
