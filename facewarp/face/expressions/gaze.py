"""Gaze: where the iris stands between the corners of an eye.

A plain estimate: the eye's darkest columns are its iris, and an iris that is off the middle of the
eye by d turns the eyeball by asin(d / r). Vertically the lids cover too much of the iris; there the
lids themselves say more, see `facewarp.face.expressions.arkit`.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import Crop
from facewarp.face.image_formats import to_gray
from facewarp.face.similarity import turned_about

_EYES: Final = ((42, 43, 44, 45, 46, 47), (36, 37, 38, 39, 40, 41))  # subject's left, right
_PATCH: Final = (48, 32)  # (width, height) px of an eye that is looked at
_EYE_PX: Final = 34.0  # of its width, from corner to corner
_IRIS_PX: Final = 13  # 11.7 mm of an iris over 30 mm of an eye
_SHARP: Final = 6  # power of darkness: the darkest columns count
_RADIUS: Final = 0.4  # of an eyeball (12 mm) over the width of an eye (30 mm)
_LEAST_PX: Final = 7.0  # width of an eye in the frame: in smaller ones no iris is seen
_MOST_DEG: Final = 40.0


def eye_turns(
    image: NDArray[np.generic], landmarks: NDArray[np.float64]
) -> tuple[float | None, float | None]:
    """Estimate how far each eye is turned sideways.

    Args:
        image: H x W [x 1, 3 or 4], the frame.
        landmarks: (68, 2) frame px.

    Returns:
        Degrees for the subject's left and right eye, positive to the subject's left; None where
        the eye is shut, too small or outside of the frame.
    """
    left, right = (_eye_turn(image, landmarks[list(eye)]) for eye in _EYES)
    return left, right


def _eye_turn(image: NDArray[np.generic], eye: NDArray[np.float64]) -> float | None:
    start, end = eye[0], eye[3]
    width = float(np.linalg.norm(end - start))
    height, across = image.shape[:2]
    if width < _LEAST_PX or not ((eye > 0) & (eye < (across - 1, height - 1))).all():
        return None
    angle = math.atan2(*(end - start)[::-1])
    middle = np.array([(_PATCH[0] - 1) / 2, (_PATCH[1] - 1) / 2])
    crop = Crop(turned_about(middle, (start + end) / 2, width / _EYE_PX, angle), _PATCH[::-1])
    gray = cv2.GaussianBlur(to_gray(crop.extract(image)).astype(np.float32), (0, 0), 1.2)
    lids = crop.to_crop(eye)
    lids[[1, 2], 1] -= 1.5  # lashes belong to the outline, the iris below them does not end there
    lids[[4, 5], 1] += 1.0
    inside = np.zeros(gray.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint(lids * 16).astype(np.int32)], 1, shift=4)
    if inside.sum() < _PATCH[0]:
        return None
    white = float(np.percentile(gray[inside > 0], 90))
    dark = np.clip(white - gray, 0, None) * inside
    columns = np.convolve(dark.sum(0), np.full(_IRIS_PX, 1 / _IRIS_PX), "same")
    if columns.max() < 1:
        return None
    weights = (columns / columns.max()) ** _SHARP
    iris = float(weights @ np.arange(_PATCH[0]) / weights.sum())
    off = (iris - middle[0]) / _EYE_PX  # to the image's right, which is the subject's left
    turned = math.degrees(math.asin(float(np.clip(off / _RADIUS, -1, 1))))
    return float(np.clip(turned, -_MOST_DEG, _MOST_DEG))
