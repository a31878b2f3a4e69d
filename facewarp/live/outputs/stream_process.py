"""The process of a stream: encode images and send them over one connection after the other."""

import logging
import signal
import time
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError
from facewarp.live.outputs.stream_sound import LAYOUT, RATE, StreamSound
from facewarp.live.outputs.virtual_camera import letterboxed
from facewarp.media.frames import Image
from facewarp.media.video.pixels.color_conversion import Color, YUVWriter
from facewarp.system.atomic_files import write_error

_log = logging.getLogger(__name__)

FORMATS: Final = {"rtmp": "flv", "rtmps": "flv", "srt": "mpegts", "udp": "mpegts"}
"""Scheme of an address -> FFmpeg's name of the container that is sent there."""

KEY_EVERY_S: Final = 2.0
_TICKS: Final = 1000  # a second
_BITS_PER_PIXEL: Final = 0.1


@dataclass(frozen=True)
class StreamPlan:
    """What a stream's process is told at its start.

    Attributes:
        target: what the user gave, for messages.
        address: where it is sent; of a file the one that is written before it is whole.
        format: FFmpeg's name of the container.
        fps: images a second, at most.
        sound: see `StreamSound`; None for a stream without sound.
        again_s: pauses before it is connected again, the last one over and over.
        color: color tags of the images; None for BT.709.
        was_connected: whether somebody has taken the stream before: then it is connected again.
    """

    target: str
    address: str
    format: str
    fps: float
    sound: str | None
    again_s: tuple[float, ...]
    color: Color | None
    was_connected: bool = False


def serve_stream(pipe: Connection, plan: StreamPlan) -> None:
    """Encode and send the images from a pipe, until it says None or is closed.

    Args:
        pipe: gives (shape, comment) and then the bytes of each image, or None at the end; each is
            answered with what became of it: (``"sent"``, ``"down"``, ``"over"`` or ``"end"``, what
            was wrong, what to do).
        plan: of the stream.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    stream = _Stream(plan)
    try:
        while (head := pipe.recv()) is not None:
            shape, comment = head
            image = np.frombuffer(pipe.recv_bytes(), np.uint8).reshape(shape)
            pipe.send(stream.send(image, comment))
        pipe.send(stream.close())
    except (EOFError, OSError):
        stream.close()


_Said = tuple[str, str, str]


class _Stream:
    """A stream in its process: one connection after the other."""

    def __init__(self, plan: StreamPlan) -> None:
        self._plan = plan
        self._yuv = YUVWriter(plan.color or Color())
        self._sound = None if plan.sound is None else StreamSound(plan.sound)
        self._link: _Link | None = None
        self._size: tuple[int, int] | None = None
        self._was_connected, self._attempts, self._retry_at = plan.was_connected, 0, 0.0
        self._down: _Said = ("sent", "", "")

    def send(self, image: Image, comment: str | None) -> _Said:
        """Send an image; where that fails, connect anew when it is time."""
        if self._link is None and time.monotonic() < self._retry_at:
            return self._down
        if self._size is None:
            height, width = image.shape[:2]
            self._size = max(2, width - width % 2), max(2, height - height % 2)
        plan = self._plan
        try:
            if self._link is None:
                self._link = _Link(plan, self._size, self._yuv, self._sound, comment)
                self._was_connected = True
            self._link.send(image)
            self._attempts = 0
        except (av.FFmpegError, OSError) as error:
            return self._break_off(error)
        return "sent", "", ""

    def close(self) -> _Said:
        """End the stream."""
        said: _Said = "end", "", ""
        if self._link is not None:
            try:
                self._link.close()
            except (av.FFmpegError, OSError) as error:
                said = self._told("over", error)
        if self._sound is not None:
            self._sound.close()
        return said

    def _break_off(self, error: Exception) -> _Said:
        """Drop the connection, and say when it is tried again."""
        if self._link is not None:
            self._link.drop()
            self._link = None
        is_file = self._plan.address != self._plan.target
        if is_file or not self._was_connected:  # neither a full disk nor a wrong address mends
            return self._told("over", error)
        pauses = self._plan.again_s
        self._retry_at = time.monotonic() + pauses[min(self._attempts, len(pauses) - 1)]
        self._attempts += 1
        self._down = self._told("down", error)
        return self._down

    def _told(self, kind: str, error: Exception) -> _Said:
        failure = _unreachable(self._plan.target, error)
        return kind, failure.what, failure.fix or ""


class _Link:
    """One connection, from its beginning to its end."""

    def __init__(
        self,
        plan: StreamPlan,
        size: tuple[int, int],
        yuv: YUVWriter,
        sound: StreamSound | None,
        comment: str | None,
    ) -> None:
        self._size, self._yuv, self._sound = size, yuv, sound
        self._container = _open(plan.address, plan.format)
        self._video = _add_video(self._container, size, plan.fps, yuv)
        self._audio: AudioStream | None = None
        if sound is not None:
            self._audio = self._container.add_stream("aac", rate=RATE, layout=LAYOUT)
            self._audio.bit_rate = 160_000
        if comment is not None:
            self._container.metadata["comment"] = comment
        self._container.start_encoding()
        self._began = time.perf_counter()
        self._last_tick = -1
        self._key_due = 0.0
        self._samples: int | None = None

    def send(self, image: Image) -> None:
        now = time.perf_counter() - self._began
        picture = self._yuv(letterboxed(image, self._size))
        tick = max(self._last_tick + 1, round(now * _TICKS))
        picture.pts, picture.time_base = tick, Fraction(1, _TICKS)
        if now >= self._key_due:
            picture.pict_type = PictureType.I
            self._key_due = now + KEY_EVERY_S
        self._last_tick = tick
        self._container.mux(self._video.encode(picture))
        self._send_sound(now)

    def _send_sound(self, now: float) -> None:
        """Send what sound there is up to a time."""
        if self._sound is None or self._audio is None:
            return
        if self._samples is None:
            self._samples = round(now * RATE) if self._sound.is_device else 0
        while self._samples < now * RATE + RATE // 10 and (piece := self._sound.take()):
            piece.pts, piece.time_base = self._samples, Fraction(1, RATE)
            self._samples += piece.samples
            self._container.mux(self._audio.encode(piece))

    def close(self) -> None:
        for stream in (self._video, self._audio):
            if stream is not None:
                self._container.mux(stream.encode(None))
        self._container.close()

    def drop(self) -> None:
        """Free a connection that is broken."""
        try:
            self._container.close()
        except (av.FFmpegError, OSError) as error:
            _log.debug("a broken stream: %s", error)


def _add_video(
    container: OutputContainer, size: tuple[int, int], fps: float, yuv: YUVWriter
) -> VideoStream:
    """Add H.264 that decodes at once, at a bit rate that stays."""
    rate = Fraction(fps).limit_denominator(1001)
    bits = round(min(max(_BITS_PER_PIXEL * size[0] * size[1] * fps, 600_000), 8_000_000))
    options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "g": str(round(KEY_EVERY_S * fps)),
        "forced-idr": "1",
        "b": str(bits),
        "maxrate": str(bits),
        "bufsize": str(bits),
    }
    name = "libx264" if "libx264" in av.codecs_available else "libopenh264"
    video = container.add_stream(
        name,
        rate=rate,
        options=options if name == "libx264" else {"b": str(bits)},
        width=size[0],
        height=size[1],
        pix_fmt="yuv420p",
        time_base=Fraction(1, _TICKS),
    )
    assert isinstance(video, VideoStream)
    video.codec_context.max_b_frames = 0
    yuv.tag(video.codec_context)
    return video


def _open(address: str, format_name: str) -> OutputContainer:
    opened = av.open(address, "w", format=format_name, options=_options(address))
    assert isinstance(opened, OutputContainer)
    return opened


def _options(address: str) -> dict[str, str]:
    """Options of the container."""
    scheme, is_address, _ = address.partition("://")
    if is_address and FORMATS[scheme] == "flv":
        return {"flvflags": "no_duration_filesize"}
    return {"flush_packets": "1"}


def _unreachable(target: str, error: Exception) -> FacewarpError:
    if "://" not in target:
        return write_error(error, target)
    if isinstance(error, av.ProtocolNotFoundError):
        scheme = target.partition("://")[0]
        what = f"this build of PyAV does not speak {scheme}"
        fix = "Build PyAV against an FFmpeg that does, or use rtmp:// or udp://."
        return FacewarpError(what, target, fix)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return FacewarpError(
        f"nobody takes the stream: {reason}", target, "Start the receiver, or check the address."
    )
