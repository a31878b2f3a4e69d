"""YUV 4:2:0 of 8 bits to and from RGB, and a video's own codes kept beside the image they show.

A copy of a video should differ from it only where something was painted. RGB and back loses a code
here and there, so pixels that no effect touched are written with the codes they were read with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.media.frames import Image
from facewarp.media.orientation import Orientation

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
_DOUBLED: Final = np.array([[0.5, 0, -0.25], [0, 0.5, -0.25]])

_WORD: Final = 8  # bytes that are compared at a time
_AROUND_PX: Final = 8  # stored px converted around a window
_BESIDE: Final = 32  # part of a window's side made around it: the next one is often a bit larger

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole px, x1 and y1 exclusive."""


@dataclass(frozen=True, eq=False)
class StoredCodes:
    """Y'CbCr codes of a picture as its video stores them: 4:2:0, 8 bits, even width and height.

    Attributes:
        planes: Y (h, w), Cb and Cr (h / 2, w / 2), uint8; never changed in place.
        matrix: Tag of the matrix, one of `WEIGHTS`.
        is_full: Whether codes go from 0 to 255, in place of the limited range.
        orientation: How the picture is turned to stand upright.
    """

    planes: Sequence[Image]
    matrix: int
    is_full: bool
    orientation: Orientation

    @property
    def nbytes(self) -> int:
        """Size in memory."""
        return sum(plane.nbytes for plane in self.planes)

    def image(self) -> Image:
        """Return the upright image (H, W, 3) RGB, the same at every call."""
        return self.orientation.upright(rgb_of(self.planes, self.matrix, self.is_full))

    def viewed(self) -> Image:
        """Return what stands in for `image` and converts only the windows that are asked for."""
        return cast(Image, ViewedImage(self))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px of the upright image."""
        height, width = self.planes[0].shape
        return self.orientation.turned_size((width, height))

    def window(self, box: Box) -> Image:
        """Return a box of the upright image, (h, w, 3) RGB: the same bytes as of `image`."""
        x0, y0, x1, y1 = self.orientation.stored_box(box, self.size)
        height, width = self.planes[0].shape
        # Chroma is interpolated: a code more on each side, where there is one. Of pictures of a few
        # px OpenCV rounds otherwise, so more than that.
        left, top = (max(edge // 2 * 2 - _AROUND_PX, 0) for edge in (x0, y0))
        right, bottom = (
            min((edge + 1) // 2 * 2 + _AROUND_PX, size)
            for edge, size in ((x1, width), (y1, height))
        )
        luma, *chroma = self.planes
        coarse = np.s_[top // 2 : bottom // 2, left // 2 : right // 2]
        planes = luma[top:bottom, left:right], *(plane[coarse] for plane in chroma)
        wide = rgb_of(planes, self.matrix, self.is_full)
        return self.orientation.upright(wide[y0 - top : y1 - top, x0 - left : x1 - left])

    def painted(self, planes: Sequence[Image], shown: Image, image: Image) -> None:
        """Fill planes with these codes, and with those of an image where it differs.

        Args:
            planes: As those of these codes; written to.
            shown: (H, W, 3), what `image` returns.
            image: (H, W, 3), the same with something painted on it.
        """
        for target, plane in zip(planes, self.planes, strict=True):
            target[:] = plane
        box = changed_box(shown, image)
        if box is None:
            return
        x0, y0, x1, y1 = box
        window = np.s_[y0:y1, x0:x1]
        apart = cv2.absdiff(shown[window], image[window])
        changed = cv2.compare(cv2.max(*_two(apart)), 0, cv2.CMP_GT)
        mask = self.orientation.stored(np.asarray(changed, np.uint8))
        painted = self.orientation.stored(np.ascontiguousarray(image[window]))
        x0, y0, x1, y1 = self.orientation.stored_box(box, (image.shape[1], image.shape[0]))
        fine, coarse = codes_of(painted, self.matrix, is_full=self.is_full)
        cv2.copyTo(fine, mask, planes[0][y0:y1, x0:x1])
        # A chroma code is of four pixels: the mean of their masks is 0 where none has changed.
        some = cv2.resize(
            mask, (mask.shape[1] // 2, mask.shape[0] // 2), interpolation=cv2.INTER_AREA
        )
        for plane, codes in zip(planes[1:], coarse, strict=True):
            cv2.copyTo(codes, some, plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2])


class ViewedImage:
    """The upright image (H, W, 3) RGB of codes, of which only what is looked at is made.

    It stands in for the array where windows of whole rows and columns are cut out: these are arrays
    of the same bytes, not to be changed. Anything else makes all of the image.

    Args:
        codes: Of the image.
    """

    def __init__(self, codes: StoredCodes) -> None:
        width, height = codes.size
        self._codes, self.shape = codes, (height, width, 3)
        self.ndim, self.dtype = 3, np.dtype(np.uint8)
        self._made: tuple[Box, Image] = (0, 0, 0, 0), np.zeros((0, 0, 3), np.uint8)

    def __getitem__(self, key: Any) -> Image:
        box = _box_of(key, self.shape)
        if box is None:
            return np.asarray(np.asarray(self)[key])
        x0, y0, x1, y1 = box
        left, top, right, bottom = self._made[0]
        if x0 < left or y0 < top or x1 > right or y1 > bottom:
            beside = max(x1 - x0, y1 - y0) // _BESIDE
            left, top = max(x0 - beside, 0), max(y0 - beside, 0)
            right, bottom = min(x1 + beside, self.shape[1]), min(y1 + beside, self.shape[0])
            around = left, top, right, bottom
            self._made = around, self._codes.window(around)
        return self._made[1][y0 - top : y1 - top, x0 - left : x1 - left]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Image:
        image = self[:, :]
        return image.copy() if copy else np.asarray(image, dtype)


def _box_of(key: Any, shape: tuple[int, ...]) -> Box | None:
    """Box of a window that is cut out with all its channels; None for any other key."""
    edges = key if isinstance(key, tuple) else (key,)
    if len(edges) > 3 or not all(isinstance(edge, slice) for edge in edges):
        return None
    every = slice(None)
    rows, columns, channels = (
        edge.indices(size) for edge, size in zip((*edges, every, every)[:3], shape, strict=True)
    )
    if rows[2] != 1 or columns[2] != 1 or channels != (0, shape[2], 1):
        return None
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        return None
    return columns[0], rows[0], columns[1], rows[1]


def changed_box(before: Image, after: Image) -> Box | None:
    """Return the smallest box of even px in which two images (H, W, 3) differ; None for nowhere."""
    old, new = (_words(image.reshape(len(image), -1)) for image in (before, after))
    differs = old != new
    rows = np.flatnonzero(differs.any(axis=1))
    if not len(rows):
        return None
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    words = np.flatnonzero(differs[y0:y1].any(axis=0))
    size = old.itemsize
    first = _columns_apart(before, after, (y0, y1), int(words[0]) * size)
    last = _columns_apart(before, after, (y0, y1), int(words[-1]) * size)
    y0, x0 = y0 // 2 * 2, int(first[0]) // 2 * 2
    return x0, y0, int(last[-1]) // 2 * 2 + 2, (y1 + 1) // 2 * 2


def _columns_apart(
    before: Image, after: Image, rows: tuple[int, int], byte: int
) -> NDArray[np.intp]:
    """Columns in which some rows of two images (H, W, 3) differ, of those in a word of a row."""
    x0, window = byte // 3, np.s_[rows[0] : rows[1], byte // 3 : (byte + _WORD - 1) // 3 + 1]
    return x0 + np.flatnonzero((before[window] != after[window]).any(axis=(0, 2)))


def rgb_of(planes: Sequence[Image], matrix: int, is_full: bool) -> Image:
    """Convert planes Y (h, w), Cb and Cr (h / 2, w / 2) to RGB (h, w, 3); chroma bilinearly."""
    luma, *chroma = planes
    size = (luma.shape[1], luma.shape[0])
    fine = (
        # As cv2.resize does, in a fifth of its time and never off by more than half a code.
        cv2.warpAffine(
            plane,
            _DOUBLED,
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


def _two(apart: Image) -> tuple[Image, Image]:
    """Red, and the larger of green and blue, of a difference (h, w, 3)."""
    red, green, blue = cv2.split(apart)
    return red, np.asarray(cv2.max(green, blue), np.uint8)


def _words(rows: Image) -> NDArray[np.integer]:
    """Rows of bytes as words of eight, as far as they are that long: quicker to compare."""
    return rows.view(np.uint64) if rows.shape[1] % _WORD == 0 and rows.flags.c_contiguous else rows
