"""Read video from the network: RTSP cameras, and streams and files over HTTP.

Images come with as little delay as the stream allows, and what breaks off is connected anew.
"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import CapturedFrame
from facewarp.media.frames import Frame, Image, Source
from facewarp.media.video.container import (
    READ_TAGS,
    FrameClock,
    clock_origin,
    fraction,
    is_flush,
    promised_end,
)
from facewarp.media.video.pixels.color_conversion import Color, description_of
from facewarp.media.video.pixels.frame_conversion import FrameConverter, pixel_aspect
from facewarp.media.video.reading.decoding import JpegDecoder
from facewarp.media.video.reading.deinterlace import Deinterlacer
from facewarp.media.video.stream_info import StreamInfo, choose_video_stream
from facewarp.media.yuv.readable import refuse_unreadable

_log = logging.getLogger(__name__)

SCHEMES = ("http", "https", "rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp")
"""What an address may begin with."""
_LIVE_SCHEMES = ("rtmp", "rtmps", "rtp", "rtsp", "rtsps", "srt", "tcp", "udp")
"""Servers that send at the pace of a camera, also what has a length, such as a recorder's files."""

_PROTOCOLS = ",".join((*SCHEMES, "crypto", "httpproxy", "tls"))  # a playlist can't name local files
_TIMEOUT_S = (10.0, 5.0)  # to connect, and for each image
_AGAIN_S = 1.0  # between two attempts to connect
_MOST_FAULTS = 100  # damaged packets in a row
_LOW_DELAY = {
    "flags": "low_delay",
    "analyzeduration": "1000000",  # us; fflags=nobuffer would lose what was read meanwhile
    "rtsp_transport": "tcp",
}


class StreamSource(Source):
    """A source of frames from an address, connected once this is made.

    A file over HTTP, which has a length, is read to its end, its frames at its own times; where it
    breaks off before, that is a note, and it is `truncated`. Others are live: a frame's time is
    when it came, in seconds after the first, and where the stream breaks off, iterating connects
    anew until it is closed or the length it promised is reached, while `notice` says so.

    Images have square pixels.

    Args:
        address: beginning with one of `SCHEMES`. Name and password in it are never shown.
        timeout_s: seconds to wait for a connection and for an image.

    Raises:
        FacewarpError: it can't be reached or holds no video.
    """

    kind: Literal["stream"] = "stream"

    def __init__(self, address: str, *, timeout_s: tuple[float, float] = _TIMEOUT_S) -> None:
        self._shown = shown_address(address)
        super().__init__(Path(self._shown))
        self._address, self._timeout_s = address, timeout_s
        self._promised: tuple[float, float] | None = None
        self._end_s = 0.0
        self.color = Color()
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._container, stream = self._connect()
        try:
            self._describe(self._container, stream)
            self._pictures = self._decoded(self._container, stream)
            self._first = next(self._pictures, None)
        except BaseException:
            self._container.close()
            raise
        if self._first is None:
            self._container.close()
            raise FacewarpError("no picture came", self._shown, "See that it plays elsewhere.")
        height, width = self._first[0].shape[:2]
        self.size = (width, height)

    @property
    def name(self) -> str:
        """The address without user name and password."""
        return self._shown

    @property
    def label(self) -> str:
        """The same, where a path would lose a slash."""
        return self._shown

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames as they come, until a file ends or the source is closed."""
        return self._live() if self.is_live else self._file()

    def close(self) -> None:
        """End reading after the frame that is waited for, at most after the time limit."""
        with self._lock:
            self._closed.set()
            if self._first is not None:  # nobody reads
                self._container.close()

    def _describe(self, container: InputContainer, stream: VideoStream) -> None:
        has_length = stream.duration is not None or container.duration is not None
        scheme = self._shown.partition("://")[0].lower()
        self.is_live = not has_length or scheme in _LIVE_SCHEMES
        self._promised = promised_end(container, stream) if has_length else None
        self.rate = fraction(stream.average_rate) or fraction(stream.guessed_rate) or self.rate
        self.time_base = fraction(stream.time_base) or self.time_base
        if self.is_live:
            stream.thread_type = "SLICE"  # threads that each take an image delay them
        else:
            ticks = stream.duration
            length = ticks * self.time_base if ticks else Fraction(container.duration or 0, 10**6)
            self.duration_s, self.frame_count = float(length), stream.frames or None

    def _file(self) -> Iterator[Frame]:
        self.exhausted = self.truncated = False
        count = 0
        for image, seconds, turn in self._read():
            yield Frame(image, seconds, count, turn)
            count += 1
        if self._closed.is_set():
            return
        self.exhausted = True
        if self._is_short():
            self.truncated = True
            promised = self._promised[0] if self._promised else 0.0
            self.note(
                f"the stream broke off: {count} frames came, up to {self._end_s:.1f} s "
                f"of {promised:.1f} s"
            )

    def _is_short(self) -> bool:
        """Return whether less came than was promised."""
        if self._promised is None:
            return False
        promised_s, margin_s = self._promised
        return promised_s - self._end_s > margin_s

    def _live(self) -> Iterator[Frame]:
        index = 0
        zero: float | None = None
        while not self._closed.is_set():
            try:
                for image, _, turn in self._read():
                    if self.notice is not None:
                        _log.warning("%s: pictures come again", self._shown)
                        self.notice = None
                    stamp = time.perf_counter()
                    zero = stamp if zero is None else zero
                    yield CapturedFrame(image, stamp - zero, index, turn, stamp)
                    index += 1
                if self._promised is not None and not self._is_short():
                    self.exhausted = not self._closed.is_set()
                    return
            except FacewarpError as error:
                _log.debug("%s", error)
            if self._closed.is_set():
                return
            if self.notice is None:
                self.notice = "stream lost, connecting again"
                _log.warning("%s: the stream broke off; connecting again", self._shown)
            self._closed.wait(_AGAIN_S)

    def _read(self) -> Iterator[tuple[Image, float, int]]:
        """Yield the frames of one connection: the open one, or a new one."""
        with self._lock:
            if self._closed.is_set():
                return
            first, self._first = self._first, None
        if first is None:
            self._container, stream = self._connect()
            self._pictures = self._decoded(self._container, stream)
        with closing(self._container):
            if first is not None:
                yield first
            for picture in self._pictures:
                if self._closed.is_set():
                    return
                yield picture

    def _decoded(
        self, container: InputContainer, stream: VideoStream
    ) -> Iterator[tuple[Image, float, int]]:
        """Yield each frame upright, with its time and rotation; leave damaged ones out."""
        crop = StreamInfo.of(container).crops.get(stream.index)
        convert = FrameConverter(crop, pixel_aspect(stream), size=None)
        origin = clock_origin(container)
        for picture in self._timed(container, stream):
            refuse_unreadable(picture, self._shown)
            self.color = Color.of(picture)
            if text := description_of(picture):
                self.note(text)
            image, turn = convert(picture)
            yield image, float((picture.pts or 0) * self.time_base - origin), turn.degrees

    def _timed(self, container: InputContainer, stream: VideoStream) -> Iterator[av.VideoFrame]:
        """Yield progressive frames with strictly increasing timestamps."""
        clock = FrameClock(self.time_base, self.rate)
        origin = clock_origin(container)
        progressive = Deinterlacer(
            self.time_base,
            lambda: self.note("the video is interlaced: deinterlaced, one picture a frame"),
            lambda _: self.note(
                "pictures are combed as interlaced ones are, though the source does not mark them: "
                "they stay so"
            ),
        )
        self._end_s = 0.0
        packets, faults = container.demux(stream), 0
        jpeg = JpegDecoder(stream) if stream.codec_context.name == "mjpeg" else None
        while faults < _MOST_FAULTS:
            try:
                packet = next(packets, None)
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: %s", self._shown, error)
                packet = None
            if packet is not None and packet.size == 0 and not is_flush(packet):
                continue
            try:
                pictures = (jpeg or stream).decode(packet)
                faults = 0
                if jpeg is not None and jpeg.has_half:
                    pictures, faults = [], 1  # the next one does not need it
            except (av.FFmpegError, OSError) as error:
                _log.debug("%s: %s", self._shown, error)
                pictures, faults = [], faults + 1
            for picture in pictures:
                picture.pts = clock.ticks(picture.pts, picture.dts)
                end = picture.pts + (picture.duration or clock.period)
                self._end_s = float(end * self.time_base - origin)
                yield from progressive(picture)
            if packet is None or is_flush(packet):
                break
        yield from progressive.flush()

    def _connect(self) -> tuple[InputContainer, VideoStream]:
        try:
            container = av.open(
                self._address,
                timeout=self._timeout_s,
                container_options={**_LOW_DELAY, "protocol_whitelist": _PROTOCOLS},
                **READ_TAGS,
            )
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._refused(error) from None  # what it says holds the password
        try:
            return container, choose_video_stream(container, self._shown)
        except BaseException:
            container.close()
            raise

    def _refused(self, error: Exception) -> FacewarpError:
        reasons: dict[type[Exception], tuple[str, str]] = {
            av.error.HTTPUnauthorizedError: (
                "the stream wants a name and a password",
                "Write them into the address: rtsp://NAME:PASSWORD@HOST/PATH.",
            ),
            av.error.HTTPForbiddenError: ("the server forbids it", "Check name and password."),
            av.error.HTTPNotFoundError: ("there is nothing at this address", "Check its path."),
            av.error.ConnectionRefusedError: (
                "nothing answers there: connection refused",
                "Check host and port, and that the camera or server is on.",
            ),
            av.error.ExitError: (
                f"there was no answer within {self._timeout_s[0]:g} s",
                "Check host and port, and that the camera or server is on.",
            ),
            av.error.InvalidDataError: (
                "what comes is not a video",
                "See that it plays elsewhere.",
            ),
        }
        for kind, (what, fix) in reasons.items():
            if isinstance(error, kind):
                return FacewarpError(what, self._shown, fix)
        reason = getattr(error, "strerror", None) or type(error).__name__
        what = f"the stream can't be opened: {reason}"
        return FacewarpError(what, self._shown, "Check the address and the network.")


def is_address(text: str) -> bool:
    """Return whether a text is a network address rather than a path."""
    return "://" in text


def shown_address(address: str) -> str:
    """Return an address that may be displayed: without user name, password and query.

    Raises:
        FacewarpError: it does not begin with one of `SCHEMES`, or names no host.
    """
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise FacewarpError("this is not an address", fix="Check host and port.") from error
    if parts.scheme.lower() not in SCHEMES:
        what = f"there is no way to open {parts.scheme}:// addresses"
        raise FacewarpError(what, fix=f"Known are: {', '.join(SCHEMES)}.")
    if not host and parts.scheme.lower() not in ("udp", "rtp", "tcp"):
        what = "the address names no host"
        raise FacewarpError(what, f"{parts.scheme}://", f"Write {parts.scheme}://HOST/PATH.")
    at = f"[{host}]" if host and ":" in host else host or ""
    return f"{parts.scheme}://{at}{f':{port}' if port else ''}{parts.path}"
