"""A video's own codes, kept beside the image they show.

A copy of a video should differ from it only where something was painted. RGB and back loses a code
here and there, so pixels that no effect touched are written with the codes they were read with.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.media.frames import Image
from facewarp.media.orientation import Orientation
from facewarp.media.yuv.conversion import DOUBLED, codes_of, rgb_at, rgb_of
from facewarp.media.yuv.views import Box, Canvas, ViewedImage

_WORD: Final = 8  # bytes that are compared at a time
_AROUND_PX: Final = 8  # stored px converted around a window


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

    def canvas(self) -> Image:
        """Return what stands in for a copy of `image` to be painted on, made where that is done."""
        return cast(Image, Canvas(self))

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

    def sparse(self, rows: slice, columns: slice) -> Image:
        """Return every so many px of the upright image, (h, w, 3): the same bytes as of `image`.

        Args:
            rows: From where, to where and in which steps, without negative numbers.
            columns: Likewise.
        """
        if self.orientation != Orientation():
            return self.image()[rows, columns]
        luma, *chroma = self.planes
        few = np.ascontiguousarray(luma[rows, columns])
        matrix = DOUBLED.copy()
        for axis, part in enumerate((columns, rows)):
            matrix[axis, 2] += 0.5 * part.start
            matrix[axis, axis] *= part.step
        return rgb_at(few, chroma, matrix, self.matrix, self.is_full)

    def painted(self, planes: Sequence[Image], shown: Image, image: Image) -> None:
        """Fill planes with these codes, and with those of an image where it differs.

        Args:
            planes: As those of these codes; written to.
            shown: (H, W, 3), what `image` returns, or a canvas of `canvas`.
            image: (H, W, 3), the same with something painted on it.
        """
        for target, plane in zip(planes, self.planes, strict=True):
            target[:] = plane
        if isinstance(image, Canvas):
            for box, before, after in image.pieces():
                self._paint(planes, before, after, box[:2])
        else:
            self._paint(planes, shown, image, (0, 0))

    def _paint(
        self, planes: Sequence[Image], before: Image, after: Image, corner: tuple[int, int]
    ) -> None:
        """Write the codes of a part of the upright image that begins at a corner, where it differs.

        Args:
            planes: Written to.
            before: (h, w, 3), the part as it was.
            after: (h, w, 3), the part as it is now.
            corner: x and y px of the image, even.
        """
        box = changed_box(before, after)
        if box is None:
            return
        x0, y0, x1, y1 = box
        window = np.s_[y0:y1, x0:x1]
        apart = cv2.absdiff(before[window], after[window])
        changed = cv2.compare(cv2.max(*_two(apart)), 0, cv2.CMP_GT)
        mask = self.orientation.stored(np.asarray(changed, np.uint8))
        painted = self.orientation.stored(np.ascontiguousarray(after[window]))
        x, y = corner
        there = x0 + x, y0 + y, x1 + x, y1 + y
        x0, y0, x1, y1 = self.orientation.stored_box(there, self.size)
        fine, coarse = codes_of(painted, self.matrix, is_full=self.is_full)
        cv2.copyTo(fine, mask, planes[0][y0:y1, x0:x1])
        # A chroma code is of four pixels: the mean of their masks is 0 where none has changed.
        some = cv2.resize(
            mask, (mask.shape[1] // 2, mask.shape[0] // 2), interpolation=cv2.INTER_AREA
        )
        for plane, codes in zip(planes[1:], coarse, strict=True):
            cv2.copyTo(codes, some, plane[y0 // 2 : y1 // 2, x0 // 2 : x1 // 2])


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


def _two(apart: Image) -> tuple[Image, Image]:
    """Red, and the larger of green and blue, of a difference (h, w, 3)."""
    red, green, blue = cv2.split(apart)
    return red, np.asarray(cv2.max(green, blue), np.uint8)


def _words(rows: Image) -> NDArray[np.integer]:
    """Rows of bytes as words of eight, as far as they are that long: quicker to compare."""
    is_whole = rows.shape[1] % _WORD == 0 and rows.strides[1] == 1
    return rows.view(np.uint64) if is_whole else rows
