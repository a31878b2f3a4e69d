"""Where frames come from: a video, a picture or a folder of pictures behind one interface.

The readers themselves are imported when a file is opened, so that a module which only wants
`Frame` loads neither PyAV nor Pillow.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, Frame, Source


def open_source(
    path: str | os.PathLike[str], start: float | None = None, end: float | None = None
) -> Source:
    """Opens a video, a picture or a folder of pictures and reads what describes it.

    Args:
        path: The file or folder, or a pattern of pictures such as ``shots/%04d.png``. What a file
            is, is told by its suffix and then its content.
        start: For videos, the first second wanted; frames before it are skipped.
        end: For videos, the second to stop before.

    Raises:
        FacewarpError: There is nothing there, or it holds no picture that can be read, or the
            range is empty.
    """
    place = Path(path)
    _check_range(place, start, end)
    if not place.exists():
        from facewarp.media.image_source import FolderSource, is_pattern

        if is_pattern(place):
            _check_no_range(place, start, end)
            return FolderSource(place)
        raise FacewarpError("there is no such file or folder", place, "Check the path.")
    if place.is_dir():
        from facewarp.media.image_source import FolderSource

        _check_no_range(place, start, end)
        return FolderSource(place)
    if not place.is_file():
        raise FacewarpError("this is not a file", place, "Give a video, a picture or a folder.")
    if place.stat().st_size == 0:
        raise FacewarpError("the file is empty", place, "Copy or download it again.")
    if place.suffix.lower() in IMAGE_SUFFIXES:
        from facewarp.media.image_source import ImageSource

        _check_no_range(place, start, end)
        return ImageSource(place)
    from facewarp.media.video.reader import VideoSource

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
