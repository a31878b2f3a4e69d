"""Where frames come from: a video, a picture or a folder of pictures behind one interface.

The readers themselves are imported when a file is opened, so that a module which only wants
`Frame` loads neither PyAV nor Pillow.
"""

import math
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

from facewarp.errors import FacewarpError, nothing_there
from facewarp.media.frames import PLATE_SUFFIXES, Frame, Source

MIN_FPS, MAX_FPS = 0.01, 1000.0
_NTSC_RATES, _NTSC_ROUNDING = (24, 30, 48, 60, 120), 0.005


def open_source(
    path: str | os.PathLike[str],
    start: float | None = None,
    end: float | None = None,
    fps: float | None = None,
) -> Source:
    """Open a video, a picture or a folder of pictures and read what describes it.

    Args:
        path: The file or folder, or a pattern of pictures such as ``shots/%04d.png``. What a file
            is, is told by its suffix and then its content.
        start: For videos and clips of pictures, the first second wanted; frames before it are
            skipped.
        end: For those, the second to stop before.
        fps: Frames a second of pictures: those of a folder then follow one another in time.

    Raises:
        FacewarpError: There is nothing there, or it holds no picture that can be read, or the
            range is empty, or a video is given another rate.

    Example:
        >>> with facewarp.open_source("clip.mp4") as source:
        ...     times = [frame.time for frame in source]
        >>> source.kind, source.size, float(source.rate)
        ('video', (800, 600), 30.0)
    """
    place = Path(path)
    _check_range(place, start, end)
    rate = _rate(fps)
    try:
        is_there = place.exists()
    except (OSError, ValueError) as error:  # a NUL in the name, or one that is too long
        what = f"no file has such a name: {str(place)[:80]!r}"
        raise FacewarpError(what, fix="Check the path.") from error
    if not is_there or place.is_dir():
        from facewarp.media.images.source import FolderSource, is_pattern

        if is_there or is_pattern(place):
            return FolderSource(place, rate, start, end)
        raise nothing_there(place)
    if place.is_fifo():
        what = "this is a pipe, and a file is read more than once"
        raise FacewarpError(what, place, "Save it first, and give the file.")
    if not place.is_file():
        raise FacewarpError("this is not a file", place, "Give a video, a picture or a folder.")
    if place.stat().st_size == 0:
        raise FacewarpError("the file is empty", place, "Copy or download it again.")
    from facewarp.media.images.files import is_image_file

    if is_image_file(place):
        return _open_image(place, rate, start, end)
    if fps is not None:
        what = "a video has its own frames a second, and can't be given others"
        raise FacewarpError(what, place, "Leave --fps out.")
    from facewarp.media.images.gif import shows_background
    from facewarp.media.video.reader import VideoSource

    source = VideoSource(place, start, end)
    if shows_background(place):
        source.note(
            "a GIF that clears its pictures, or does not fill its canvas: what is bare there has "
            "the file's background color, where browsers show nothing"
        )
    return source


def read_video(
    path: str | os.PathLike[str], start: float | None = None, end: float | None = None
) -> Iterator[Frame]:
    """Yield the frames of a video or picture file, upright RGB, with their true timestamps.

    The file is decoded ahead in a thread of its own, which ends with the iterator.

    Args:
        path: The file.
        start: The first second wanted.
        end: The second to stop before.

    Raises:
        FacewarpError: At once, where the file can't be read.

    Example:
        >>> for frame in facewarp.read_video("clip.mp4", start=0.1):
        ...     time, (height, width, _) = frame.time, frame.image.shape
    """
    place = Path(path)
    if place.is_dir():
        raise FacewarpError("a video file is wanted here, this is a folder", place, "Give a file.")
    return _frames_of(open_source(place, start, end))


def _frames_of(source: Source) -> Iterator[Frame]:
    with source:
        yield from source


def _open_image(
    place: Path, rate: Fraction | None, start: float | None, end: float | None
) -> Source:
    from facewarp.media.images.files import open_picture, pages_of

    is_sequence = False
    if place.suffix.lower() not in PLATE_SUFFIXES:
        with open_picture(place) as picture:
            is_sequence = len(pages_of(picture)) > 1
    if is_sequence:
        from facewarp.media.images.animation import AnimationSource

        return AnimationSource(place, rate, start, end)
    from facewarp.media.images.source import ImageSource

    if start is not None or end is not None:
        what = "start and end are for videos, this is one picture"
        raise FacewarpError(what, place, "Omit them.")
    source = ImageSource(place)
    source.rate = rate or source.rate
    return source


def _check_range(path: Path, start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None and not math.isfinite(value):
            raise FacewarpError(f"{name} is {value}, which is no time", path, "Give seconds.")
    if start is not None and start < 0:
        what = f"start is {start:g} s, before the video begins"
        raise FacewarpError(what, path, "Count from 0, where the file begins.")
    if end is not None and end <= (start or 0):
        raise FacewarpError(
            f"end is {end:g} s, which is not after the start at {start or 0:g} s",
            path,
            "End later; both count from 0, where the file begins.",
        )


def _rate(fps: float | None) -> Fraction | None:
    if fps is None:
        return None
    if not (math.isfinite(fps) and MIN_FPS <= fps <= MAX_FPS):
        what = f"{fps:g} frames a second can't be played"
        raise FacewarpError(what, "--fps", f"Give {MIN_FPS:g} to {MAX_FPS:g}.")
    for nominal in _NTSC_RATES:  # 23.976, and the 23.98 of some programs, stand for 24000/1001
        rate = Fraction(nominal * 1000, 1001)
        if abs(fps - float(rate)) < _NTSC_ROUNDING:
            return rate
    return Fraction(fps).limit_denominator(1001)
