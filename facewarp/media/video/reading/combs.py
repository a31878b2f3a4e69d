"""Whether a picture is combed: whether its two fields show two moments, as interlaced video does.

The measure of FFmpeg's filter `idet`. A line is compared with the mean of the lines above and below
it, which belong to the other field: those of the picture itself, or those that the picture before
and the picture after have there. Where one order of fields fits clearly better than the other, the
picture is woven of two moments; where neither fits nearly as well as the picture itself, it is
whole; where nothing moves, nothing can be told.
"""

from collections.abc import Callable
from enum import Enum
from typing import Final

import av
import numpy as np
from numpy.typing import NDArray

_UNLIKE_ORDERS: Final = 1.04  # ratio of the two orders from which on a picture is combed (idet's)
_UNLIKE_MOMENTS: Final = 1.5  # ratio from which on other pictures' lines do not fit (idet's)
_SAMPLES: Final = 100_000  # points of a picture that are compared, in whole columns
_LEAST_LINES: Final = 16

_EVERY: Final = 7  # pictures from one that is judged to the next: film at 29.97 repeats after five
_LEAST_JUDGED: Final = 8  # unless the video ends
_MOST_JUDGED: Final = 40
_LEAST_COMBED: Final = 4
_LEAST_SHARE: Final = 0.25  # of film at 29.97 two pictures of five are combed
_LEAST_AGREEING: Final = 0.75  # of the combed pictures, on the order of their fields


class Combing(Enum):
    """What a picture's lines tell of its fields."""

    TOP_FIRST = "tff"
    BOTTOM_FIRST = "bff"
    WHOLE = "whole"
    UNKNOWN = "unknown"

    @property
    def is_combed(self) -> bool:
        """Whether the picture is woven of two moments."""
        return self in (Combing.TOP_FIRST, Combing.BOTTOM_FIRST)


Lines = NDArray[np.int32]
"""(H, w) luma codes of some columns."""


def lines_of(picture: av.VideoFrame) -> Lines | None:
    """Return every so many columns of a picture's luma; None where it has no plane of its own."""
    pixel_format = picture.format
    first, *others = pixel_format.components
    has_plane = first.is_luma and first.plane == 0 and all(c.plane for c in others)
    if not has_plane or pixel_format.is_big_endian or picture.height < _LEAST_LINES:
        return None
    plane = picture.planes[0]
    if plane.line_size < 0:  # stored from the bottom up: PyAV gives what lies behind it
        return None
    codes = np.frombuffer(memoryview(plane), np.dtype(np.uint8 if first.bits == 8 else np.uint16))
    rows = codes.reshape(-1, plane.line_size // codes.itemsize)[: picture.height]
    step = -(-picture.width * picture.height // _SAMPLES)
    return rows[:, : picture.width : step].astype(np.int32)


def combing_of(before: Lines | None, lines: Lines | None, after: Lines | None) -> Combing:
    """Return whether a picture is combed, told by the pictures before and after it, (H, w) each."""
    if before is None or lines is None or after is None:
        return Combing.UNKNOWN
    if not before.shape == lines.shape == after.shape:
        return Combing.UNKNOWN
    around = lines[:-2] + lines[2:]
    by_before, by_after, by_itself = (
        np.abs(around - 2 * other[1:-1]).sum(axis=1) for other in (before, after, lines)
    )
    # Lines 1, 3, ... are of the bottom field. Where it came first, the top one between is later.
    odd_before, even_before = by_before[::2].sum(), by_before[1::2].sum()
    odd_after, even_after = by_after[::2].sum(), by_after[1::2].sum()
    top_first, bottom_first = float(odd_before + even_after), float(even_before + odd_after)
    if bottom_first > _UNLIKE_ORDERS * top_first:
        return Combing.TOP_FIRST
    if top_first > _UNLIKE_ORDERS * bottom_first:
        return Combing.BOTTOM_FIRST
    if top_first > _UNLIKE_MOMENTS * float(by_itself.sum()):
        return Combing.WHOLE
    return Combing.UNKNOWN


class CombWatch:
    """Looks now and then whether a video that is not marked as interlaced is combed all the same.

    Args:
        found: Called once, with the order of the fields.
    """

    def __init__(self, found: Callable[[Combing], None]) -> None:
        self._found = found
        self._count = 0
        self._lines: list[Lines | None] = []
        self._told: list[Combing] = []
        self._is_done = False

    def __call__(self, picture: av.VideoFrame) -> None:
        """Look at the next picture of the video."""
        if self._is_done:
            return
        place = self._count % _EVERY
        self._count += 1
        if place > 2:
            return
        self._lines.append(lines_of(picture))
        if place == 2:
            told = combing_of(*self._lines)
            self._lines = []
            if told is not Combing.UNKNOWN:
                self._told.append(told)
            if len(self._told) >= _LEAST_JUDGED:
                self._judge()
            self._is_done = self._is_done or self._count >= _EVERY * _MOST_JUDGED

    def end(self) -> None:
        """Say what was found in a video that ends before enough was seen."""
        if not self._is_done:
            self._judge()

    def _judge(self) -> None:
        combed = [told for told in self._told if told.is_combed]
        if len(combed) < max(_LEAST_COMBED, _LEAST_SHARE * len(self._told)):
            return
        order = max(set(combed), key=combed.count)
        if combed.count(order) >= _LEAST_AGREEING * len(combed):
            self._is_done = True
            self._found(order)
