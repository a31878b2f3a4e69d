"""Baseline: dense inverse search (DIS) optical flow by OpenCV, without labels.

Kroeger, Timofte, Dai, Van Gool, Fast Optical Flow using Dense Inverse Search, ECCV 2016.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import ImageArray


def dis_flow(
    preset: int = cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
) -> Callable[[ImageArray, ImageArray], NDArray[np.float32]]:
    """Return DIS with one of its presets: fields ``(2, H, W)`` px from fixed into moving."""
    flow = cv2.DISOpticalFlow.create(preset)

    def find(fixed: ImageArray, moving: ImageArray) -> NDArray[np.float32]:
        found = flow.calc(np.ascontiguousarray(fixed), np.ascontiguousarray(moving), None)
        return np.ascontiguousarray(np.moveaxis(np.asarray(found, np.float32), -1, 0))

    return find
