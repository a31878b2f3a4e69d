"""Windows of a frame that the detector looks through, and what they show."""

import math

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facewarp.face.blazeface import WINDOW
from facewarp.face.crop import Crop


class Pyramid:
    """A frame with its halvings, made when first needed, so that small windows stay cheap."""

    def __init__(self, image: NDArray[np.uint8]) -> None:
        self._levels = [image]

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of the frame."""
        return self._levels[0].shape[0], self._levels[0].shape[1]

    def level(self, index: int) -> NDArray[np.uint8]:
        """Return the frame halved so often, or as often as it can be."""
        while len(self._levels) <= index and min(self._levels[-1].shape[:2]) > 1:
            fine = self._levels[-1]
            half_h, half_w = fine.shape[0] // 2, fine.shape[1] // 2
            even = fine[: 2 * half_h, : 2 * half_w]
            half = cv2.resize(even, (half_w, half_h), interpolation=cv2.INTER_AREA)
            self._levels.append(half.astype(np.uint8, copy=False))
        return self._levels[min(index, len(self._levels) - 1)]

    def cut(self, window: Crop, every: int = 1) -> NDArray[np.uint8]:
        """Extract a crop from the level whose px are at most as wide as the crop's.

        Args:
            window: the crop.
            every: 2 for every other of its px only.
        """
        wanted = max(0, math.floor(math.log2(window.scale)))
        image = self.level(wanted)
        level = min(wanted, len(self._levels) - 1)
        matrix = window.matrix / 2**level
        matrix[:, 2] += 0.5 / 2**level - 0.5
        return Crop(matrix, window.shape).extract(image, every=every)


def window_at(center: ArrayLike, side_px: float, roll: float = 0.0, size: int = WINDOW) -> Crop:
    """Return a square window around a place of the frame.

    Args:
        center: (x, y) px of the frame.
        side_px: side, px of the frame.
        roll: of the window's axes, radians.
        size: px that it is shown in.
    """
    return Crop.around(center, side_px, roll=roll, margin=1.0, shape=(size, size))


def whole(shape: tuple[int, int], roll: float = 0.0) -> Crop:
    """Return the window that holds all of a frame (height, width)."""
    return window_at(((shape[1] - 1) / 2, (shape[0] - 1) / 2), max(shape), roll)
