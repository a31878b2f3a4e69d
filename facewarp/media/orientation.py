"""How a stored picture comes to stand upright, and to fit: display matrices, EXIF, borders."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.media.frames import Image

Pixels = TypeVar("Pixels", bound=NDArray[Any])

# EXIF tag 274 -> (quarter turns clockwise, mirrored first)
_EXIF = {
    1: (0, False),
    2: (0, True),
    3: (2, False),
    4: (2, True),
    5: (3, True),
    6: (1, False),
    7: (1, True),
    8: (3, False),
}
_TURNS = (None, cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)


@dataclass(frozen=True)
class Orientation:
    """One of the eight ways: the stored picture is mirrored left to right, then turned.

    Attributes:
        quarter_turns: Clockwise turns by 90 degrees, 0 to 3.
        mirrored: Whether left and right are swapped before turning.
    """

    quarter_turns: int = 0
    mirrored: bool = False

    @classmethod
    def from_display_matrix(cls, matrix: bytes) -> "Orientation":
        """From the nine int32 of a video's display matrix, at the nearest quarter turn.

        The matrix maps a stored point (p, q), q downwards, to the shown one as
        (a p + c q + x, b p + d q + y) with a, b, c, d in 16.16 fixed point (ISO 14496-12).
        """
        if len(matrix) < 36:
            return cls()
        a, b, _, c, d = struct.unpack("=9i", matrix[:36])[:5]
        mirrored = a * d - b * c < 0
        angle = math.atan2(-b, -a) if mirrored else math.atan2(b, a)
        return cls(round(angle / (math.pi / 2)) % 4, mirrored)

    @classmethod
    def from_exif(cls, tag: int) -> "Orientation":
        """From the value of EXIF's orientation tag; anything unknown is upright."""
        return cls(*_EXIF.get(tag, (0, False)))

    @property
    def degrees(self) -> int:
        """The turn alone, clockwise: 0, 90, 180 or 270."""
        return 90 * self.quarter_turns

    def display_matrix(self, size: tuple[int, int]) -> tuple[int, ...]:
        """Return the display matrix's nine int32 for a stored picture of size (width, height)."""
        cos, sin = ((1, 0), (0, 1), (-1, 0), (0, -1))[self.quarter_turns]
        sign = -1 if self.mirrored else 1
        a, b, c, d = sign * cos, sign * sin, -sin, cos
        width, height = size
        x = -min(0, a * width) - min(0, c * height)
        y = -min(0, b * width) - min(0, d * height)
        one = 1 << 16
        return (a * one, b * one, 0, c * one, d * one, 0, x * one, y * one, 1 << 30)

    def turned_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(width, height) on the other side of the turn, upright from stored or back."""
        return size[::-1] if self.quarter_turns % 2 else size

    def turned_aspect(self, aspect: Fraction) -> Fraction:
        """Width of a pixel over its height on the other side of the turn."""
        return 1 / aspect if self.quarter_turns % 2 else aspect

    def upright(self, stored: Pixels) -> Pixels:
        """Return the picture as it is to be seen, (H, W[, 3]), contiguous."""
        image = cv2.flip(stored, 1) if self.mirrored else stored
        turn = _TURNS[self.quarter_turns]
        turned = np.ascontiguousarray(image if turn is None else cv2.rotate(image, turn))
        return cast(Pixels, turned)

    def stored(self, upright: Pixels) -> Pixels:
        """Return the inverse of `upright`."""
        turn = _TURNS[-self.quarter_turns % 4]
        image = upright if turn is None else cv2.rotate(upright, turn)
        stored = np.ascontiguousarray(cv2.flip(image, 1) if self.mirrored else image)
        return cast(Pixels, stored)

    def stored_box(
        self, box: tuple[int, int, int, int], size: tuple[int, int]
    ) -> tuple[int, int, int, int]:
        """Where a box of the upright picture lies in the stored one.

        Args:
            box: x0, y0, x1, y1 px, x1 and y1 exclusive.
            size: (width, height) px of the upright picture.
        """
        (x0, y0, x1, y1), (width, height) = box, size
        for _ in range(self.quarter_turns):  # each back, counterclockwise
            x0, y0, x1, y1 = y0, width - x1, y1, width - x0
            width, height = height, width
        return (width - x1, y0, width - x0, y1) if self.mirrored else (x0, y0, x1, y1)


def fit_within(image: Image, size: tuple[int, int]) -> Image:
    """Letterbox a picture (H, W, 3) or (H, W): whole, centered, on black.

    Args:
        image: uint8.
        size: (width, height) px of the result.
    """
    width, height = size
    rows, columns = image.shape[:2]
    if (columns, rows) == size:
        return image
    scale = min(width / columns, height / rows)
    inner = max(1, round(columns * scale)), max(1, round(rows * scale))
    small = cv2.resize(
        image, inner, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    )
    canvas = np.zeros((height, width, *image.shape[2:]), np.uint8)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    canvas[top : top + inner[1], left : left + inner[0]] = small
    return canvas
