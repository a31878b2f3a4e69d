"""Video files as containers: opened with clear errors, their picture stream, their clock."""

import contextlib
import itertools
import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Protocol, cast

import av
from av.container import InputContainer
from av.format import Flags
from av.packet import Packet
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError


class SupportsRatio(Protocol):
    """A ratio of two integers: a Fraction, or an AVRational of PyAV."""

    @property
    def numerator(self) -> int:
        """What stands above the line."""

    @property
    def denominator(self) -> int:
        """What stands below it."""


COPY_AGAIN = "Copy, download or record it again."
READ_TAGS: Final[dict[str, Any]] = (
    {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
)
"""For `av.open`: tags that are no UTF-8 don't end reading, as is always so from PyAV 19 on."""

_REORDERED = 17  # packets among which the one shown first is
_LEAST_WAIT_S = 0.5  # of which an edit list is the cause, and not the order of pictures
_MOST_WAIT_S = 10  # before the first picture of an MP4; what is more is a clock that started before
_TEXT_FORMATS = ("tty",)  # FFmpeg plays any .txt as the screen of an old terminal


def open_container(path: Path) -> InputContainer:
    """Open a local file for demuxing, and never anything it points to on a network.

    Raises:
        FacewarpError: It can't be read, or is not a video.
    """
    try:
        container = av.open(
            str(path.absolute()),
            container_options={"protocol_whitelist": "file"},
            **READ_TAGS,
        )
    except PermissionError as error:
        raise FacewarpError("the file may not be read", path, "Check its permissions.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _not_a_video(path) from error
    if container.format.name in _TEXT_FORMATS:
        container.close()
        raise _not_a_video(path)
    return container


def fraction(value: SupportsRatio | None) -> Fraction | None:
    """Return a rate or time base of PyAV as a Fraction; None where it is unknown or 0.

    Up to PyAV 18 they are Fractions, from 19 on its own AVRational, which prints differently and
    is 0 over 1 where older releases have None.
    """
    if value is None or not value.numerator or not value.denominator:
        return None
    return Fraction(value.numerator, value.denominator)


def clock_origin(container: InputContainer) -> Fraction:
    """Return the container's time, in seconds, that counts as 0.

    Broadcasts start anywhere, and a dump of a stream or a part cut out of a longer recording begins
    where it was cut: there the first timestamp. In MP4 and MOV a short wait before the first
    picture is meant, and kept.
    """
    if container.start_time is None:
        return Fraction(0)
    start = Fraction(container.start_time, av.time_base)
    if container.format.flags & cast(int, Flags.ts_discont.value):
        return start
    least = _MOST_WAIT_S if "mp4" in container.format.name else 0
    return start if start > least else Fraction(0)


def length_of(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the length the file tells of its pictures, else of all, in seconds from its origin."""
    time_base = fraction(stream.time_base)
    if stream.duration is not None and time_base is not None:
        return stream.duration * time_base
    if container.duration is None:
        return None
    length = Fraction(container.duration, av.time_base)
    return length - _before_length(container)


def promised_end(container: InputContainer, stream: VideoStream) -> tuple[float, float] | None:
    """Where the file says its pictures end and how far off that may be, in seconds; or None."""
    margin = max(0.25, 2.0 / float(fraction(stream.average_rate) or 25))
    origin = clock_origin(container)
    length = length_of(container, stream)
    if stream.duration is not None and length is not None:
        wait = (stream.start_time or 0) * (fraction(stream.time_base) or 0)
        wait = 0 if length_holds_wait(container, stream) else wait
        return float(length + wait - origin), margin
    if tag := re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = tag.groups()
        end = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        return end - float(_before_length(container)), margin
    if length is not None:  # of what lasts longest, which may be the sound
        return float(length), max(2.0, margin)
    return None


def _before_length(container: InputContainer) -> Fraction:
    """Return seconds to take off what a file tells as its length.

    In Matroska that is the last time as FFmpeg and others write it, and the length as libmatroska
    (mkvmerge) does.
    """
    if "matroska" not in container.format.name:
        return Fraction(0)
    tags = container.metadata
    origin = clock_origin(container)
    is_length = "libmatroska" in tags.get("encoder", tags.get("ENCODER", ""))
    is_less = container.duration is not None and container.duration <= origin * av.time_base
    return Fraction(0) if is_length or is_less else origin


def length_holds_wait(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the length that an MP4 tells of its pictures has a wait before the first in it.

    It has where an edit list cuts them. Else the index has pictures after so long.
    """
    base = fraction(stream.time_base)
    wait, length = stream.start_time or 0, stream.duration
    is_mp4 = "mp4" in container.format.name and stream.frames  # fragments have no whole index
    if not is_mp4 or base is None or length is None or wait * base < _LEAST_WAIT_S:
        return False
    shown = (entry.timestamp for entry in reversed(stream.index_entries) if not entry.is_discard)
    return next(shown, length) < length


class FrameClock:
    """Strictly increasing timestamps for pictures in the order they are shown.

    Most have one already and keep it. Those of old formats (AVI) have only the time they were
    decoded at, which is then taken; those that have none follow on at the average rate. Where
    the clock itself is set back, as between two joined broadcasts, it is taken to go on.

    Args:
        time_base: Seconds a tick.
        rate: Average frames a second.
        first: Ticks of a first picture that has no timestamp.

    Attributes:
        squeezed: How many pictures are a tick after the one before, since they have times before
            that one's.
    """

    def __init__(self, time_base: Fraction, rate: Fraction, first: int = 0) -> None:
        self.period = max(1, round(1 / (rate * time_base)))
        self.squeezed = 0
        self._second = round(1 / time_base)
        self._first = first
        self._last: int | None = None
        self._offset = 0
        self._trusts_pts = True

    def ticks(self, pts: int | None, dts: int | None) -> int:
        """Return the picture's timestamp, from those it was shown and decoded at, in ticks."""
        ticks = self._choose(pts, dts)
        if self._last is not None and ticks <= self._last:
            if self._last - ticks > self._second:
                self._offset += self._last + self.period - ticks
                ticks = self._last + self.period
            else:
                self.squeezed += ticks < self._last
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
        return self._first if self._last is None else self._last + self.period


@dataclass(frozen=True)
class UntimedLead:
    """Pictures at the beginning of a file that have no timestamps, while later ones have.

    FFmpeg reads blocks of Matroska that begin before 0 as having none.

    Attributes:
        count: How many.
        first: Ticks of the first one, where each lasts as long as pictures do in the mean.
    """

    count: int
    first: int

    @classmethod
    def of(cls, path: Path, index: int, period: int) -> "UntimedLead | None":
        """Look at the packets of a file's video stream up to the first that have timestamps.

        Args:
            path: The file.
            index: Of the stream.
            period: Ticks a picture lasts.
        """
        count, timed = 0, list[int]()
        with open_container(path) as container:
            packets = container.demux(container.streams[index])
            with contextlib.suppress(av.FFmpegError, OSError, StopIteration):
                while len(timed) < _REORDERED:
                    packet = next(packets)
                    if packet.pts is not None:
                        timed.append(packet.pts)
                    else:
                        count += packet.size > 0
        return cls(count, min(timed) - count * period) if count and timed else None


def is_flush(packet: "Packet[Any]") -> bool:
    """Whether a packet is what PyAV ends a stream with, which makes decoders give all they hold.

    A packet that is empty and has a time says that the picture before stays (Theora, AVI).
    """
    return packet.size == 0 and packet.pts is None and packet.dts is None


def is_bare(container: InputContainer) -> bool:
    """Whether a file is a stream of pictures alone (.h264, .m2v, .mjpeg), which holds no times."""
    return bool(container.format.flags & cast(int, Flags.no_timestamps.value))


def rate_of(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the average frames a second of a video, once a picture is decoded; None if untold.

    Of bare streams FFmpeg says 25, which no file told: what their pictures tell counts.
    """
    if is_bare(container):  # of MPEG-4 the codec's own is the rate of its ticks
        told = fraction(stream.codec_context.framerate)
        return None if told is None else fraction(stream.guessed_rate)
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return next(filter(None, map(fraction, rates)), None)


def is_variable_rate(stream: VideoStream) -> bool:
    """Whether frames are unevenly spaced, from the index where there is one, else a guess."""
    entries = stream.index_entries
    if len(entries) > 2 and len(entries) == stream.frames:
        times = [entry.timestamp for entry in entries]
        steps = [later - earlier for earlier, later in itertools.pairwise(times)]
        return max(steps) - min(steps) > max(1, 0.1 * min(steps))
    average, base = fraction(stream.average_rate), fraction(stream.base_rate)
    if average is None or base is None:
        return False
    # Interlaced formats give the rate of fields as their base.
    return all(abs(base / average - ratio) > 0.01 for ratio in (1, 2))


def _not_a_video(path: Path) -> FacewarpError:
    with path.open("rb") as file:
        is_mp4 = file.read(8)[4:] == b"ftyp"
    if is_mp4:
        what = "the video is cut short: the index at its end (moov) is missing"
        return FacewarpError(what, path, COPY_AGAIN)
    what = "this is not a video, nor a picture"
    return FacewarpError(what, path, "Its suffix or its content is of neither: give another file.")


def joined_files(path: Path) -> int:
    """Return how many MP4 or MOV files stand in one, one after the other, as `cat` joins them.

    FFmpeg, and any player, reads the first one's description alone. 0 for other files.
    """
    count, at, size = 0, 0, path.stat().st_size
    with path.open("rb") as file:
        while at + 8 <= size:
            file.seek(at)
            length, kind = struct.unpack(">I4s", file.read(8))
            if at == 0 and kind != b"ftyp":
                return 0
            count += kind == b"ftyp"
            if length == 1:
                length = int.from_bytes(file.read(8))
            if length < 8:  # 0: up to the end of the file
                break
            at += length
    return count


def cut_after_whole_fragments(path: Path) -> None:
    """Cut an MP4 or MOV that is written in fragments after the last one that is whole.

    The index of a fragment stands before its pictures: of one that was cut off it tells of pictures
    that are not there, which players show as damage or refuse. Other files are left alone.
    """
    size, end, whole = path.stat().st_size, 0, 0
    with path.open("rb+") as file:
        while end + 8 <= size:
            file.seek(end)
            length, kind = struct.unpack(">I4s", file.read(8))
            if end == 0 and kind != b"ftyp":
                return
            if length == 1:
                length = int.from_bytes(file.read(8))
            if length < 8 or end + length > size:
                break
            end += length
            if kind == b"mdat" or (kind == b"moov" and whole):  # the first one's pictures follow
                whole = end
        if 0 < whole < size:
            file.truncate(whole)
