"""YUV 4:2:0 of 8 bits to and from RGB."""

from collections.abc import Sequence
from functools import cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.media.frames import Image

UNTAGGED: Final = 2
WEIGHTS: Final = {
    1: (0.2126, 0.0722),
    UNTAGGED: (0.299, 0.114),
    4: (0.3, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""Matrix tag (H.273) -> shares of red and blue in Y; untagged counts as BT.601, as in swscale.
Tags that are not here stand for RGB or for matrices that are not written."""

# From px of a plane at twice the size to those of the plane: middles of pixels stay where they are.
DOUBLED: Final = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])


def rgb_of(planes: Sequence[Image], matrix: int, is_full: bool) -> Image:
    """Convert planes Y (h, w), Cb and Cr (h / 2, w / 2) to RGB (h, w, 3); chroma bilinearly."""
    luma, *chroma = planes
    return rgb_at(luma, chroma, DOUBLED, matrix, is_full)


def rgb_at(
    luma: Image, chroma: Sequence[Image], places: NDArray[np.float64], matrix: int, is_full: bool
) -> Image:
    """Convert px (h, w) of luma and chroma planes to RGB (h, w, 3).

    Args:
        luma: Of these px.
        chroma: The planes of Cb and Cr.
        places: (2, 3), from these px to those of the chroma planes.
        matrix: Tag of the matrix.
        is_full: Whether codes go from 0 to 255.
    """
    size = (luma.shape[1], luma.shape[0])
    fine = (
        # As cv2.resize does, in a fifth of its time and never off by more than half a code.
        cv2.warpAffine(
            plane,
            places,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        for plane in chroma
    )
    # Three planes at once: OpenCV merges one plane and a picture of two in nine times the time.
    return np.asarray(
        cv2.transform(cv2.merge((luma, *fine)), to_rgb_matrix(matrix, is_full)), np.uint8
    )


def codes_of(image: Image, matrix: int, *, is_full: bool) -> tuple[Image, Sequence[Image]]:
    """Convert RGB (h, w, 3) of even size to Y (h, w) and to Cb and Cr (h / 2, w / 2)."""
    height, width = image.shape[:2]
    half = cv2.resize(image, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    # OpenCV is quicker at all three channels than at some of them.
    fine, coarse = (cv2.transform(rgb, from_rgb_matrix(matrix, is_full)) for rgb in (image, half))
    luma = cv2.extractChannel(fine, 0)
    return np.asarray(luma, np.uint8), cv2.split(coarse)[1:]


@cache
def from_rgb_matrix(matrix: int, is_full: bool) -> NDArray[np.float64]:
    """(3, 4): RGB and 1 to Y, Cb, Cr, all of 8 bits (H.273)."""
    red, blue = WEIGHTS[matrix]
    weights = np.array([red, 1 - red - blue, blue])
    y, cb, cr = (
        weights,
        ([0, 0, 1] - weights) / (2 - 2 * blue),
        ([1, 0, 0] - weights) / (2 - 2 * red),
    )
    luma, chroma, black = (1.0, 1.0, 0.0) if is_full else (219 / 255, 224 / 255, 16.0)
    linear = np.stack([luma * y, chroma * cb, chroma * cr])
    return np.column_stack([linear, [black, 128.0, 128.0]])


@cache
def to_rgb_matrix(matrix: int, is_full: bool) -> NDArray[np.float64]:
    """(3, 4): the inverse of `from_rgb_matrix`."""
    forward = from_rgb_matrix(matrix, is_full)
    linear = np.linalg.inv(forward[:, :3])
    return np.column_stack([linear, -linear @ forward[:, 3]])
