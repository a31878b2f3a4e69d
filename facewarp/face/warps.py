"""Fields on the face crop: one in place of two, and pictures of any size warped by one."""

import cv2
import numpy as np
from numpy.typing import NDArray


def carried_on(
    first: NDArray[np.float32], second: NDArray[np.float32] | None
) -> NDArray[np.float32]:
    """One field (2, h, w) px in place of two, ``first(p) + second(p + first(p))``; None is zero."""
    if second is None:
        return first
    height, width = first.shape[1:]
    x = np.arange(width, dtype=np.float32)[None] + first[0]
    y = np.arange(height, dtype=np.float32)[:, None] + first[1]
    return np.stack(
        [
            own + cv2.remap(c, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
            for own, c in zip(first, np.ascontiguousarray(second), strict=True)
        ]
    )


def resampled(rgba: NDArray[np.uint8], field_px: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A picture (h, w, 4) of any size, straight alpha, warped by a field (2, 320, 260)."""
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
