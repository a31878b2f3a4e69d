"""One pass over the pictures of a video: whole ones, with their times, and what was wrong."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from facewarp.errors import shell_word
from facewarp.media.video.container import (
    FrameClock,
    UntimedLead,
    clock_origin,
    fraction,
    is_bare,
    promised_end,
)
from facewarp.media.video.reading.combs import Combing
from facewarp.media.video.reading.decoding import PictureDecoder
from facewarp.media.video.reading.deinterlace import Deinterlacer
from facewarp.media.video.reading.endings import early_end
from facewarp.media.video.timeline import Timeline

_log = logging.getLogger(__name__)

_LAST_S = 0.1  # before the end of a file, within which its last picture begins
_MANY_SQUEEZED = 3  # pictures whose times run back: fewer are no more than a tremble


@dataclass(frozen=True)
class Pacing:
    """What the times of a video's pictures are counted by.

    Attributes:
        timeline: The clock of pictures and sound.
        time_base: Seconds a tick.
        rate: Average frames a second.
        lead: The pictures at the beginning that have no times, if there are any.
    """

    timeline: Timeline
    time_base: Fraction
    rate: Fraction
    lead: UntimedLead | None


@dataclass(frozen=True)
class Faults:
    """What a video promised and did not hold.

    Attributes:
        errors: What could not be read, decoded or shown, incomplete pictures included.
        promised_s: When the file says that it ends, where that is later than it does; else None.
        early: What else tells that it was cut short, if anything does.
        lead: Pictures of the beginning that could not be decoded, for want of a key picture.
    """

    errors: int
    promised_s: float | None
    early: str | None
    lead: int

    @property
    def cut_short(self) -> str | None:
        """What tells that the file was cut short, to follow a time; None if nothing does."""
        if self.promised_s is not None:
            return f" of {self.promised_s:.1f} s"
        return None if self.early is None else f"; {self.early}"


class TimedPictures:
    """Progressive pictures of an open video with strictly increasing times: one pass over them.

    Args:
        path: of the file.
        container: the file.
        stream: its pictures.
        pacing: what their times are counted by.
        note: what tells the user of a surprise.

    Attributes:
        end_time: when the last picture that was read ends, s.
        unreadable: how many pictures could be decoded and not shown, as who reads them counts.
    """

    def __init__(
        self,
        path: Path,
        container: InputContainer,
        stream: VideoStream,
        pacing: Pacing,
        note: Callable[[str], None],
    ) -> None:
        self._path, self._container, self._stream = path, container, stream
        self._pacing, self._note = pacing, note
        self._decoder = PictureDecoder(path, container, stream, pacing.timeline)
        self._incomplete: list[float] = []
        self.end_time, self.unreadable = 0.0, 0

    def seek(self, time: float) -> bool:
        """Go to the last key picture before a time, in seconds; return whether that can be done."""
        timeline = self._pacing.timeline
        if timeline.is_joined:
            return True  # read from the start, decoded from the last key picture before
        if is_bare(self._container) or self._pacing.lead is not None:
            return False
        target = (timeline.origin + Fraction(max(time, 0.0))) / self._pacing.time_base
        try:
            self._container.seek(int(target), stream=self._stream)
        except (av.FFmpegError, OSError) as error:
            _log.debug("%s: seeking: %s", self._path, error)
            return False
        return True

    def pictures(self, start: float) -> Iterator[tuple[av.VideoFrame, float]]:
        """Yield the pictures and their times, in seconds.

        Args:
            start: what was sought, s.
        """
        timeline, time_base = self._pacing.timeline, self._pacing.time_base
        lead, origin = self._pacing.lead, timeline.origin
        clock = FrameClock(time_base, self._pacing.rate, 0 if lead is None else lead.first)
        progressive = Deinterlacer(
            time_base,
            lambda: self._note("the video is interlaced: deinterlaced, one picture a frame"),
            self._tell_of_combs,
        )
        first_byte = timeline.key_position(start) if timeline.is_joined else 0
        for picture in self._decoder.pictures(first_byte):
            ticks = clock.ticks(picture.pts, picture.dts)
            end = ticks + (picture.duration or clock.period)
            self.end_time = float(end * time_base - origin)
            if picture.is_corrupt and not self._decoder.is_at_joint:
                self._incomplete.append(float(ticks * time_base - origin))
            picture.pts = ticks
            for whole in progressive(picture):
                yield whole, float((whole.pts or 0) * time_base - origin)
        for whole in progressive.flush():
            yield whole, float((whole.pts or 0) * time_base - origin)
        if clock.squeezed >= _MANY_SQUEEZED:
            self._note(
                f"{clock.squeezed} pictures have times before those of the pictures before them: "
                "they follow at once, and may not go with the sound"
            )

    def faults(self, start: float) -> Faults:
        """Compare what was read to the end of the file with what the file promised.

        Args:
            start: from when on pictures count, s.
        """
        promised_s, margin_s = self._promised_end() or (0.0, 0.0)
        is_short = promised_s - self.end_time > margin_s
        early = early_end(self._path, self._container, self._stream, self._decoder.last)
        incomplete = [time for time in self._incomplete if time >= start]
        errors = self._decoder.faults + len(incomplete) + self.unreadable
        if incomplete and errors == 1 and incomplete[0] + margin_s >= self.end_time - _LAST_S:
            early = early or "its last picture is incomplete"
        return Faults(errors, promised_s if is_short else None, early, self._decoder.lead)

    def _promised_end(self) -> tuple[float, float] | None:
        if self._pacing.timeline.duration_s is not None:  # every packet was seen
            return None
        promised = promised_end(self._container, self._stream)
        if promised is None:
            return None
        end, margin = promised
        return end + float(clock_origin(self._container) - self._pacing.timeline.origin), margin

    def _tell_of_combs(self, order: Combing) -> None:
        self._note(
            "pictures are combed as interlaced ones are, though the file does not mark them: they "
            f"stay so. Make them whole first: ffmpeg -i {shell_word(self._path.name)} -vf "
            f"bwdif=send_frame:{order.value} -c:a copy whole.mp4 (film at 29.97 pictures a "
            f"second: -vf fieldmatch=order={order.value},decimate)"
        )


def told_aspect(stream: VideoStream) -> Fraction:
    """Width of a pixel over its height, as the pictures decoded last tell; 1 where they do not."""
    return fraction(stream.codec_context.sample_aspect_ratio) or Fraction(1)
