"""Video files as containers: opened with clear errors, their picture stream, their clock."""

import itertools
import re
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.container import InputContainer
from av.format import Flags
from av.stream import Disposition
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError

COPY_AGAIN = "Copy, download or record it again."
_TEXT_FORMATS = ("tty",)  # FFmpeg plays any .txt as the screen of an old terminal


def open_container(path: Path) -> InputContainer:
    """Opens a local file for demuxing, and never anything it points to on a network.

    Raises:
        FacewarpError: It can't be read, or is not a video.
    """
    try:
        container = av.open(
            str(path.absolute()),
            container_options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except PermissionError as error:
        raise FacewarpError("the file may not be read", path, "Check its permissions.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _not_a_video(path) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise _not_a_video(path)
    return container


def picture_stream(container: InputContainer, path: Path | str) -> VideoStream:
    """The stream of moving pictures, set to decode on all cores.

    Raises:
        FacewarpError: There is only sound, or no decoder for the pictures.
    """
    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic:
            break
    else:
        what = "there is only sound" if container.streams.audio else "there are no pictures"
        raise FacewarpError(f"{what} in this file", path, "Give a file with video.")
    if stream.codec_context is None:
        what = "there is no decoder for the video's pictures"
        raise FacewarpError(what, path, f"Try: ffmpeg -i {path} converted.mp4")
    stream.thread_type = "AUTO"
    return stream


def clock_origin(container: InputContainer) -> Fraction:
    """The container's time, in seconds, that counts as 0.

    0, except in formats whose clock starts anywhere, such as MPEG-TS: there the first timestamp.
    """
    starts_anywhere = container.format.flags & cast(int, Flags.ts_discont.value)
    if starts_anywhere and container.start_time is not None:
        return Fraction(container.start_time, av.time_base)
    return Fraction(0)


def promised_end(container: InputContainer, stream: VideoStream) -> tuple[float, float] | None:
    """Where the file says its pictures end and how far off that may be, in seconds; or None."""
    margin = max(0.25, 2.0 / float(stream.average_rate or 25))
    if stream.duration is not None and stream.time_base is not None:
        ticks = (stream.start_time or 0) + stream.duration
        return float(ticks * stream.time_base - clock_origin(container)), margin
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = tag.groups()
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds), margin
    if container.duration is not None:  # of what lasts longest, which may be the sound
        return container.duration / av.time_base, max(2.0, margin)
    return None


class FrameClock:
    """Strictly increasing timestamps for pictures in the order they are shown.

    Most have one already and keep it. Those of old formats (AVI) have only the time they were
    decoded at, which is then taken; those that have none follow on at the average rate. Where
    the clock itself is set back, as between two joined broadcasts, it is taken to go on.

    Args:
        time_base: Seconds a tick.
        rate: Average frames a second.
    """

    def __init__(self, time_base: Fraction, rate: Fraction) -> None:
        self.period = max(1, round(1 / (rate * time_base)))
        self._second = round(1 / time_base)
        self._last: int | None = None
        self._offset = 0
        self._trusts_pts = True

    def ticks(self, pts: int | None, dts: int | None) -> int:
        """The picture's timestamp, from those it was shown and decoded at, in ticks."""
        ticks = self._choose(pts, dts)
        if self._last is not None and ticks <= self._last:
            if self._last - ticks > self._second:
                self._offset += self._last + self.period - ticks
                ticks = self._last + self.period
            else:
                ticks = self._last + 1
        self._last = ticks
        return ticks

    def _choose(self, pts: int | None, dts: int | None) -> int:
        if pts is not None and self._trusts_pts:
            ticks = pts + self._offset
            step = 0 if self._last is None else ticks - self._last
            if dts is None or not -self._second <= step < 0:
                return ticks
            self._trusts_pts = False
        if dts is not None:
            return dts + self._offset
        return 0 if self._last is None else self._last + self.period


def is_variable_rate(stream: VideoStream) -> bool:
    """Whether frames are unevenly spaced, from the index where there is one, else a guess."""
    entries = stream.index_entries
    if len(entries) > 2 and len(entries) == stream.frames:
        times = [entry.timestamp for entry in entries]
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        return max(steps) - min(steps) > max(1, 0.1 * min(steps))
    average, base = stream.average_rate, stream.base_rate
    if not average or not base:
        return False
    # Interlaced formats give the rate of fields as their base.
    return all(abs(base / average - ratio) > 0.01 for ratio in (1, 2))


def _not_a_video(path: Path) -> FacewarpError:
    with path.open("rb") as file:
        is_mp4 = file.read(8)[4:] == b"ftyp"
    if is_mp4:
        what = "the video is cut short: the index at its end (moov) is missing"
        return FacewarpError(what, path, COPY_AGAIN)
    return FacewarpError("this is not a video", path, "Give a video, a picture or a folder.")
