"""Pictures that may make one stack, and what their series are called."""

import re
from dataclasses import dataclass, field
from typing import Final

from facewarp.cardiac.io.slices.slice_image import SliceImage, by_position

LEAST_SLICES: Final = 3  # of a stack
_NUMBERS: Final = re.compile(r"\d+")


@dataclass(eq=False)
class Acquisition:
    """Pictures that may make one stack: of one size, direction and kind.

    Attributes:
        images: the pictures.
    """

    images: list[SliceImage] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What its series are called."""
        names = sorted({image.title for image in self.images if image.title})
        return ", ".join(names[:3]) or "unnamed"

    @property
    def numbers(self) -> list[int]:
        """Numbers of its series."""
        return sorted({image.series_number for image in self.images if image.series_number})

    @property
    def slices(self) -> int:
        """How many slices it has."""
        return len(by_position(self.images))

    @property
    def phases(self) -> int:
        """How many phases most of its slices have."""
        counts = [len(members) for members in by_position(self.images)]
        return max(set(counts), key=counts.count)

    @property
    def places(self) -> list[float]:
        """Where its slices lie along their normal, mm."""
        normal = self.images[0].normal
        return [float(members[0].middle_mm @ normal) for members in by_position(self.images)]

    def described(self) -> str:
        """Return the acquisition in words, to be told apart from others."""
        number = ", ".join(str(n) for n in self.numbers[:3])
        height, width = self.images[0].shape
        series = f"series {number}, " if number else ""
        size = f"{self.slices} slices x {self.phases} phases of {width} x {height}"
        return f"{self.title} ({series}{size})"


def one_name(one: Acquisition, other: Acquisition) -> bool:
    """Whether two acquisitions are of one series, or of series that only numbers tell apart."""
    first, second = one.images[0], other.images[0]
    return _NUMBERS.sub("", first.title) == _NUMBERS.sub("", second.title)
