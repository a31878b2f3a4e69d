"""Bilinear sampling at exact positions: OpenCV rounds none to 1/32 px from 5.1 on."""

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
