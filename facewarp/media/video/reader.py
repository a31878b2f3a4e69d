"""Video files read by PyAV: true timestamps, upright pictures, decoded ahead in a thread."""

import itertools
import logging
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Literal, cast

import av
from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError
from facewarp.media.frames import Frame, Source
from facewarp.media.orientation import orientation_of
from facewarp.media.prefetch import ReadAhead, queue_depth
from facewarp.media.video.color_conversion import Color, RGBReader
from facewarp.media.video.container import (
    COPY_AGAIN,
    FrameClock,
    clock_origin,
    is_variable_rate,
    open_container,
    picture_stream,
    promised_end,
)

_log = logging.getLogger(__name__)

_SEEK_BACK_S = (0.0, 2.0, 10.0)
_ROUNDING_S = 1e-6


class VideoSource(Source):
    """A video file; see `Source`.

    Attributes:
        orientation: How the stored pictures are turned.
        colour: The colour tags of the stored pictures.
        sample_aspect: Width of a stored pixel over its height; 1 for nearly all videos.
        end_time: Where the last frame that was read ends, in seconds.
    """

    kind: Literal["video"] = "video"

    def __init__(self, path: Path, start: float | None = None, end: float | None = None) -> None:
        super().__init__(path)
        self.start, self.end = start, end
        self.end_time = 0.0
        self._faults, self._count, self._reached_end = 0, 0, False
        self._readers: list[ReadAhead[Frame]] = []
        with open_container(path) as container:
            stream = picture_stream(container, path)
            first = next(self._decode(container, stream), None)
            if first is None:
                raise FacewarpError("no picture could be decoded", path, COPY_AGAIN)
            self._describe(container, stream, first)
        if start is not None and self.duration_s is not None and start >= self.duration_s:
            what = f"start is {start:g} s, but the video ends at {self.duration_s:.2f} s"
            raise FacewarpError(what, path, "Start earlier.")

    def _describe(
        self, container: InputContainer, stream: VideoStream, first: av.VideoFrame
    ) -> None:
        self.orientation = orientation_of(first)
        self.rotation = self.orientation.degrees
        self._stored_size = (first.width, first.height)
        self.size = self.orientation.turned_size(self._stored_size)
        self.colour = Color.of(first)
        self.sample_aspect = stream.sample_aspect_ratio or Fraction(1)
        self.time_base = stream.time_base or self.time_base
        self.rate = stream.average_rate or stream.guessed_rate or stream.base_rate or self.rate
        self.is_variable_rate = is_variable_rate(stream)
        self.has_audio = bool(container.streams.audio)
        if stream.duration is not None:
            self.duration_s = float(stream.duration * self.time_base)
        elif container.duration is not None:
            self.duration_s = container.duration / av.time_base
        self.frame_count = stream.frames or None
        is_part = self.start is not None or self.end is not None
        if self.duration_s is not None and (is_part or not stream.frames):
            until = min(self.end or self.duration_s, self.duration_s)
            self.frame_count = max(1, round((until - (self.start or 0.0)) * self.fps))

    def __iter__(self) -> Iterator[Frame]:
        """The frames, decoded ahead while the last one is being worked on."""
        self.exhausted, self.truncated, self.end_time = False, False, 0.0
        self._faults, self._count, self._reached_end = 0, 0, False
        depth = queue_depth(3 * self.size[0] * self.size[1])
        reader = ReadAhead(self._read, depth, f"decode {self.name}")
        self._readers.append(reader)
        try:
            yield from reader
            self.exhausted = self._reached_end
        finally:
            reader.close()
            self._readers.remove(reader)

    def close(self) -> None:
        """Ends all reading and joins its threads."""
        for reader in tuple(self._readers):
            reader.close()

    def _read(self) -> Iterator[Frame]:
        """Runs in the decoding thread."""
        start = self.start or 0.0
        # Some formats land behind the time sought, or can't be sought at all. Then it is sought
        # from further back, and in the end read from the beginning.
        for back in (*_SEEK_BACK_S, None) if start else (None,):
            self._faults = 0
            with open_container(self.path) as container:
                stream = picture_stream(container, self.path)
                if back is not None and not self._seek(container, stream, start - back):
                    continue
                timed = self._timed(container, stream)
                first = next(timed, None)
                if back is None or (first is not None and first[1] <= start):
                    pictures = itertools.chain([] if first is None else [first], timed)
                    yield from self._in_range(pictures)
                    if self._reached_end:
                        self._report_faults(container, stream)
                    return

    def _in_range(self, pictures: Iterator[tuple[av.VideoFrame, float]]) -> Iterator[Frame]:
        to_rgb = RGBReader(self._stored_size)
        earliest = self.start - _ROUNDING_S if self.start else -math.inf
        count = 0
        for picture, time in pictures:
            if self.end is not None and time >= self.end:
                break
            if time >= earliest:
                image = self.orientation.upright(to_rgb(picture))
                yield Frame(image, time, count, self.rotation)
                count += 1
        else:
            self._reached_end = True
        if count == 0:
            raise FacewarpError("the video has no frames in the range asked for", self.path)
        self._count = count

    def _seek(self, container: InputContainer, stream: VideoStream, time: float) -> bool:
        if container.format.flags & cast(int, Flags.no_timestamps.value):
            return False
        target = (clock_origin(container) + Fraction(max(time, 0.0))) / self.time_base
        try:
            container.seek(int(target), stream=stream)
        except (av.FFmpegError, OSError) as error:
            _log.debug("%s: seeking: %s", self.path, error)
            return False
        return True

    def _timed(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[av.VideoFrame, float]]:
        """Pictures with strictly increasing times."""
        origin = clock_origin(container)
        clock = FrameClock(self.time_base, self.rate)
        for picture in self._decode(container, stream):
            ticks = clock.ticks(picture.pts, picture.dts)
            end = ticks + (picture.duration or clock.period)
            self.end_time = float(end * self.time_base - origin)
            yield picture, float(ticks * self.time_base - origin)

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Every picture that can be had, in the order shown; counts what could not."""
        packets = container.demux(stream)
        was_flushed = False
        while not was_flushed:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: demuxing: %s", self.path, error)
                self._faults += 1
                packet = None  # no more will come, but the decoder still holds pictures
            was_flushed = packet is None or packet.size == 0
            try:
                if packet is not None:
                    self._faults += packet.is_corrupt
                pictures = stream.decode(packet)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: decoding: %s", self.path, error)
                self._faults += 1
                continue
            yield from pictures

    def _report_faults(self, container: InputContainer, stream: VideoStream) -> None:
        """Warns where the file promised more than it held."""
        promised_s, margin_s = promised_end(container, stream) or (0.0, 0.0)
        is_short = promised_s - self.end_time > margin_s
        self.truncated = is_short or self._faults > 0
        if is_short:
            _log.warning(
                "%s: the file is cut short: %d frames could be read, up to %.1f s of %.1f s",
                *(self.path, self._count, self.end_time, promised_s),
            )
        elif self.truncated:
            _log.warning(
                "%s: the file is damaged: %d frames could be read, errors: %d",
                *(self.path, self._count, self._faults),
            )
