"""Pictures that may make one stack, and what their series are called."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from facewarp.cardiac.io.slices.slice_image import SliceImage, by_position
from facewarp.errors import FacewarpError

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


@dataclass(frozen=True)
class Piece:
    """One file of a concatenation, an enhanced object that was cut into several.

    Attributes:
        path: the file.
        whole: what the object is told apart by.
        number: of the piece, from 1; 0 where it is not told.
        total: how many pieces there are; 0 where it is not told.
        offset: frames of the object before its first one.
        frames: how many it holds.
    """

    path: Path
    whole: str
    number: int
    total: int
    offset: int
    frames: int


def refuse_missing_pieces(pieces: Sequence[Piece]) -> None:
    """Refuse concatenations of which a file is not there: slices or phases would be missing.

    At the end of a stack nothing else would tell.

    Raises:
        FacewarpError: a number is missing, or frames between two pieces are.
    """
    objects: dict[str, list[Piece]] = {}
    for piece in sorted(pieces, key=lambda one: one.offset):
        objects.setdefault(piece.whole, []).append(piece)
    for members in objects.values():
        total = max(piece.total for piece in members)
        absent = sorted(set(range(1, total + 1)) - {piece.number for piece in members})
        reached, gap = 0, False
        for piece in members:
            gap |= piece.offset > reached
            reached = max(reached, piece.offset + piece.frames)
        if absent or gap:
            which = f"{', '.join(map(str, absent))} of {total}" if absent else "one of them"
            what = (
                f"the pictures are one object cut into several files, and file {which} is missing"
            )
            raise FacewarpError(what, members[0].path, "Copy or export the whole series again.")


def about_counts(chosen: Acquisition, images: Sequence[SliceImage]) -> list[str]:
    """Return what is to be said of phases or pictures that are told and not there.

    A slice that is lost at an end of the stack, or phases that are lost in all slices, leave no
    gap in positions or times.

    Args:
        chosen: the cine.
        images: all pictures that were found.
    """
    said = []
    told = max((image.told_phases for image in chosen.images), default=0)
    if told > chosen.phases > 1:
        said.append(
            f"the header tells {told} phases, there are {chosen.phases}: some seem to be missing, "
            "so that end-diastole or end-systole may be among them, and a heart rate by the span "
            "of the phases is wrong"
        )
    found = Counter(image.series for image in images)
    for series in sorted({image.series for image in chosen.images}):
        pictures = max(image.told_pictures for image in chosen.images if image.series == series)
        if pictures > found[series]:
            said.append(
                f"the header tells {pictures} pictures, there are {found[series]}: where a slice "
                "at an end of the stack is missing, volumes lack it"
            )
            break
    return said


def one_name(one: Acquisition, other: Acquisition) -> bool:
    """Whether two acquisitions are of one series, or of series that only numbers tell apart."""
    first, second = one.images[0], other.images[0]
    return _NUMBERS.sub("", first.title) == _NUMBERS.sub("", second.title)
