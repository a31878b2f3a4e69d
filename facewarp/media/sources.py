"""Where frames come from: a video, a picture or a folder of pictures behind one interface.

The readers themselves are imported when a file is opened, so that a module which only wants
`Frame` loads neither PyAV nor Pillow.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError

Image = NDArray[np.uint8]
Kind = Literal["video", "image", "folder"]

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
STILL_RATE = Fraction(25)
"""Frames a second that pictures count as, which have no clock of their own."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright: what the file says about turning is already done.
            Never changed in place: a sink may still be writing it.
        time: Seconds on the file's own clock, strictly increasing along a source.
        index: 0-based position among the frames of the source's range.
        rotation: Degrees, clockwise, by which the stored picture was turned to stand upright:
            0, 90, 180 or 270.
    """

    image: Image
    time: float
    index: int
    rotation: int = 0

    def with_image(self, image: Image) -> "Frame":
        """The same moment with another picture (H, W, 3), which a sink can be given."""
        return replace(self, image=image)


class Source(ABC):
    """A file or folder as a sequence of `Frame`.

    Iterating reads from the start again each time. As a context manager it closes what reading
    has left open.

    Attributes:
        path: The file or folder.
        kind: "video", "image" or "folder".
        size: (width, height) px of the upright picture; of the first one for a folder.
        rate: Average frames a second, exact; `STILL_RATE` for pictures.
        time_base: Seconds, the smallest step of the timestamps.
        start: First second read, or None.
        end: Reading stops before this second, or None.
        frame_count: Frames expected in the range, an estimate for videos; None if unknown.
        duration_s: Length of the whole file in seconds; None if unknown.
        rotation: See `Frame.rotation`.
        has_audio: Whether there is sound to carry along.
        is_variable_rate: Whether the frames are unevenly spaced in time.
        truncated: Whether reading met damage or a premature end; known once it was read.
        exhausted: Whether the last iteration came to the end of the file.
    """

    kind: Kind

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = (0, 0)
        self.rate = STILL_RATE
        self.time_base = Fraction(1, 90_000)
        self.start: float | None = None
        self.end: float | None = None
        self.frame_count: int | None = None
        self.duration_s: float | None = None
        self.rotation = 0
        self.has_audio = False
        self.is_variable_rate = False
        self.truncated = False
        self.exhausted = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.name

    @property
    def fps(self) -> float:
        """Average frames a second; for times use `Frame.time`, never a count divided by this."""
        return float(self.rate)

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]:
        """The frames of the range in the order they are shown."""

    def close(self) -> None:
        """Ends any reading that is under way."""
        return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_source(
    path: str | os.PathLike[str], start: float | None = None, end: float | None = None
) -> Source:
    """Opens a video, a picture or a folder of pictures and reads what describes it.

    Args:
        path: The file or folder. What a file is, is told by its suffix and then its content.
        start: For videos, the first second wanted; frames before it are skipped.
        end: For videos, the second to stop before.

    Raises:
        FacewarpError: There is nothing there, or it holds no picture that can be read, or the
            range is empty.
    """
    place = Path(path)
    _check_range(place, start, end)
    if not place.exists():
        raise FacewarpError("there is no such file or folder", place, "Check the path.")
    if place.is_dir():
        from facewarp.media.pictures import FolderSource

        _check_no_range(place, start, end)
        return FolderSource(place)
    if not place.is_file():
        raise FacewarpError("this is not a file", place, "Give a video, a picture or a folder.")
    if place.stat().st_size == 0:
        raise FacewarpError("the file is empty", place, "Copy or download it again.")
    if place.suffix.lower() in IMAGE_SUFFIXES:
        from facewarp.media.pictures import ImageSource

        _check_no_range(place, start, end)
        return ImageSource(place)
    from facewarp.media.video_source import VideoSource

    return VideoSource(place, start, end)


def read_video(
    path: str | os.PathLike[str], start: float | None = None, end: float | None = None
) -> Iterator[Frame]:
    """The frames of a video file, upright and in RGB, with their true timestamps.

    The file is decoded ahead in a thread of its own, which ends with the iterator.

    Args:
        path: A video file.
        start: The first second wanted.
        end: The second to stop before.

    Raises:
        FacewarpError: At once, where the file can't be read as a video.

    Example:
        >>> for frame in read_video("clip.mp4", start=2.0):  # doctest: +SKIP
        ...     print(frame.time, frame.image.shape)
    """
    place = Path(path)
    if place.is_dir():
        raise FacewarpError("a video file is wanted here, this is a folder", place, "Give a file.")
    return _frames_of(open_source(place, start, end))


def _frames_of(source: Source) -> Iterator[Frame]:
    with source:
        yield from source


def _check_range(path: Path, start: float | None, end: float | None) -> None:
    if start is not None and start < 0:
        raise FacewarpError(f"start is {start:g} s, before the video begins", path)
    if end is not None and end <= (start or 0):
        raise FacewarpError(
            f"end is {end:g} s, which is not after the start at {start or 0:g} s", path
        )


def _check_no_range(path: Path, start: float | None, end: float | None) -> None:
    if start is not None or end is not None:
        raise FacewarpError("start and end are for videos, this is pictures", path, "Omit them.")
