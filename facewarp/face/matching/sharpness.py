"""Blur of a face in a frame, by blurring it once more.

An edge blurred by a Gaussian of s px has a gradient of 1 / s; blurred again by s0, of
1 / sqrt(s^2 + s0^2). The ratio R of both gradients at the strongest edges tells
``s = s0 / sqrt(R^2 - 1)`` (Zhuo and Sim, Defocus map estimation from a single image, 2011).
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_AGAIN_PX: Final = 1.0  # s0
_OF_DIFFERENCES: Final = 0.55  # px^2, the blur of differences over 2 px and of pixels themselves
_STRONGEST: Final = 0.04  # share of the px that count as edges
_LEAST_EDGE: Final = 4.0  # gradient, levels a px, below which there are none
_LEAST_RATIO: Final = 1.03  # of gradients that differ by more than rounding
_EYES_PX: Final = 250.0  # distance of the eyes' corners to which large faces are shrunk
_OF_FACES: Final = 0.006  # blur that brows, lids and lips have themselves, of that distance
_OF_PAINT_PX: Final = 0.5  # what resampling blurs anyway
_SHARE: Final = 0.85  # softer than the face looks worse than sharper
_LEAST_PX: Final = 0.4


def camera_blur_px(gray: NDArray[np.uint8], eyes_px: float) -> float:
    """Estimate the blur of focus and motion in a face: the sigma of a Gaussian.

    Args:
        gray: (h, w) of brows and eyes.
        eyes_px: distance of the outer corners of the eyes.

    Returns:
        Px of the picture that paint lacks; 0 for a face as sharp as faces are.
    """
    step = max(1, round(eyes_px / _EYES_PX))
    if min(gray.shape) < 12 * step:
        return 0.0
    if step > 1:
        gray = np.asarray(
            cv2.resize(gray, None, fx=1 / step, fy=1 / step, interpolation=cv2.INTER_AREA)
        )
    sigma = edge_blur_px(gray)
    if sigma is None:
        return 0.0
    own = (_OF_FACES * eyes_px) ** 2 + _OF_PAINT_PX**2 + (step**2 - 1) / 12
    blur = _SHARE * max((step * sigma) ** 2 - own, 0.0) ** 0.5
    return blur if blur >= _LEAST_PX else 0.0


def edge_blur_px(gray: NDArray[np.uint8]) -> float | None:
    """Estimate the blur of the strongest edges of a picture (h, w); None if there are none."""
    sharp = gray.astype(np.float32)
    soft = cv2.GaussianBlur(sharp, (0, 0), _AGAIN_PX)
    before, after = (_squared_gradient(picture) for picture in (sharp, soft))
    count = max(16, int(_STRONGEST * after.size))
    edge = np.partition(after.ravel(), after.size - count)[after.size - count]
    if edge < _LEAST_EDGE**2:
        return None
    is_edge = after >= edge
    ratio = float(np.median(before[is_edge] / after[is_edge])) ** 0.5
    square = _AGAIN_PX**2 / (max(ratio, _LEAST_RATIO) ** 2 - 1) - _OF_DIFFERENCES
    return max(square, 0.0) ** 0.5


def _squared_gradient(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=1)
    down = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=1)
    return np.asarray(across * across + down * down, np.float32)
