"""Compositing: blend RGBA overlays over images."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.palette import Color

_SHIFT: Final = 4  # OpenCV draws at 1/16 px

Overlay = NDArray[np.uint8]
"""(h, w, 4) uint8 RGBA, premultiplied."""


def blend_over(region: NDArray[np.uint8], overlay: NDArray[np.uint8]) -> None:
    """Blend a premultiplied RGBA overlay over a region in place: `region * (1 - alpha) + overlay`.

    Args:
        region: (h, w, 3) uint8.
        overlay: (h, w, 4) uint8.
    """
    lay_over(region, *split_overlay(overlay))


def split_overlay(overlay: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Split a premultiplied overlay (h, w, 4) into color and alpha repeated, both (h, w, 3)."""
    alpha = cv2.cvtColor(cv2.extractChannel(overlay, 3), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.cvtColor(overlay, cv2.COLOR_RGBA2RGB)), np.asarray(alpha)


def lay_over(region: NDArray[np.uint8], color: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> None:
    """As `blend_over`, with an overlay split already."""
    kept = cv2.multiply(region, cv2.bitwise_not(alpha), scale=1 / 255)
    region[:] = cv2.add(kept, color, dst=kept)


def place(frame: NDArray[np.uint8], image: NDArray[np.uint8], x: int, y: int) -> None:
    """Blend a premultiplied RGBA image over a frame at (x, y), in place, moved and cut to fit."""
    height = min(image.shape[0], frame.shape[0])
    width = min(image.shape[1], frame.shape[1])
    x = min(max(x, 0), frame.shape[1] - width)
    y = min(max(y, 0), frame.shape[0] - height)
    blend_over(frame[y : y + height, x : x + width], image[:height, :width])


def blend(image: NDArray[np.uint8], overlay: Overlay, x: int, y: int) -> None:
    """Blend an overlay over an image (H, W, 3) at (x, y), in place, moved and cut to fit."""
    height, width = (min(a, b) for a, b in zip(image.shape[:2], overlay.shape[:2], strict=True))
    x = min(max(x, 0), image.shape[1] - width)
    y = min(max(y, 0), image.shape[0] - height)
    region, overlay = image[y : y + height, x : x + width], overlay[:height, :width]
    clear = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(overlay, 3)), cv2.COLOR_GRAY2RGB)
    color = cv2.cvtColor(overlay, cv2.COLOR_RGBA2RGB)
    region[:] = cv2.add(cv2.multiply(region, clear, scale=1 / 255), color)


def put(overlay: Overlay, mask: NDArray[np.uint8], x: int, y: int, color: Color) -> None:
    """Blend a color over an overlay through a mask (h, w) of 0..255, in place, cut to fit."""
    target = overlay[y : y + mask.shape[0], x : x + mask.shape[1]]
    alpha = mask[: target.shape[0], : target.shape[1], None].astype(np.float32) / 255
    target[:] = np.rint(target * (1 - alpha) + alpha * (*color, 255))


def fixed_point(points: NDArray[np.floating]) -> NDArray[np.int32]:
    """Convert points (N, 2) to OpenCV's fixed point: (N, 1, 2) in 1/16 px, clipped to its range."""
    limit = 1 << 20
    return np.rint(np.clip(points * (1 << _SHIFT), -limit, limit)).astype(np.int32)[:, None]


def premultiplied(color: NDArray[np.floating], alpha: float) -> tuple[float, ...]:
    """Return an RGB color (0..255) at an alpha (0..1) as premultiplied RGBA."""
    return (*(float(channel) * alpha for channel in color), 255 * alpha)


def smoothstep(low: float, high: float, value: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return 0 below `low`, 1 above `high`, smooth between; `low` may be the larger one."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
