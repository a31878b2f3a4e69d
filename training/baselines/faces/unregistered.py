"""Baseline: no registration."""

import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE


def rest(fixed: NDArray[np.uint8], moving: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the zero field, ``(2, 320, 260)``."""
    return np.zeros((2, *CROP_SHAPE), dtype=np.float32)
