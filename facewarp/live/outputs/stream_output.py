"""Stream what is displayed to a server or another program, without delaying it."""

import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import PictureType
from av.video.stream import VideoStream

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.stream_sound import LAYOUT, RATE, StreamSound
from facewarp.live.outputs.virtual_camera import letterboxed
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame, Image
from facewarp.media.video.pixels.color_conversion import Color, YUVWriter
from facewarp.system.atomic_files import OutputFile, write_error

_log = logging.getLogger(__name__)

FORMATS: Final = {"rtmp": "flv", "rtmps": "flv", "srt": "mpegts", "udp": "mpegts"}
"""Scheme of an address -> FFmpeg's name of the container that is sent there."""

KEY_EVERY_S: Final = 2.0
_FORMS: Final = "Give rtmp://, srt:// or udp://HOST:PORT, or FILE.ts."
_STALL_S: Final = 15.0  # of a connection that takes nothing, after which it counts as lost
_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # between attempts to connect again
_REPEAT_S: Final = 0.5  # without a new image, after which the last one is sent again
_JOIN_S: Final = 8.0
_TICKS: Final = 1000  # a second
_BITS_PER_PIXEL: Final = 0.1


class StreamOutput:
    """A presenter that has results encoded as H.264 and streamed by a process of its own.

    Only the newest image waits, so that neither a slow encoder nor a slow network delays the
    session; what it replaced is counted. There is a key frame every 2 s, and none refers to later
    ones. The connection is made with the first image. Where the other side goes away later, it is
    connected to again, at growing intervals. It is a process because PyAV keeps Python's lock
    while it connects.

    Args:
        target: ``rtmp://``, ``srt://`` or ``udp://``, or a file ``.ts``.
        fps: images a second, at most.
        sound: of the stream; see `StreamSound`. None for a stream without sound.
        comment: returns what the metadata of the stream must say when it begins.
        color: color tags of the images; BT.709 by default.
        again_s: pauses before it is connected again, the last one over and over.

    Attributes:
        target: as given.
        sent: images sent.
        dropped: images left out because a newer one had come.
        lost: how often the connection was lost.

    Raises:
        FacewarpError: it is no such target, or the sound can't be had.
    """

    def __init__(
        self,
        target: str,
        fps: float = 30.0,
        sound: str | None = None,
        comment: Callable[[], str | None] = lambda: None,
        color: Color | None = None,
        again_s: tuple[float, ...] = _AGAIN_S,
    ) -> None:
        self.target = target
        self.sent = self.dropped = self.lost = 0
        format_name, self._file = _destination(target)
        if sound is not None:
            StreamSound(sound).close()  # an error is known before the session starts
        address = target if self._file is None else str(self._file.temporary)
        fps = min(max(fps, 1.0), 120.0)
        self._plan = _Plan(target, address, format_name, fps, sound, again_s, color)
        self._comment = comment
        self._image: Image | None = None
        self._changed, self._ended = threading.Condition(), threading.Event()
        self._failure: FacewarpError | None = None
        self._start()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `Presenter.present`; returns at once.

        Raises:
            FacewarpError: nobody has ever taken the stream, or its file can't be written.
        """
        if self._failure is not None and self._ended.is_set():
            raise self._failure
        with self._changed:
            self.dropped += self._image is not None
            self._image = made.image
            self._changed.notify()

    def idle(self, stats: LiveStats) -> None:
        """See `Presenter.idle`: the last image is sent again."""

    def close(self) -> None:
        """End the stream.

        Raises:
            FacewarpError: the other side was gone in the end, or the file can't be written.
        """
        self._ended.set()
        with self._changed:
            self._changed.notify()
        self._process.join(_JOIN_S)
        if self._process.is_alive():
            what = "the stream hangs and is ended"
            self._failure = FacewarpError(what, self.target, "See that its server takes pictures.")
            self._process.kill()
        self._thread.join(_JOIN_S)
        if self._file is not None and self.sent and self._failure is None:
            self._file.commit()
        elif self._file is not None:
            self._file.discard()
        was_sent = self.sent > 0 and self._file is None
        if self.dropped and (was_sent or self._failure is None):  # else that alone is why
            what = "%s: %d of %d images were left out: encoder or network were too slow"
            _log.warning(what, self.target, self.dropped, self.dropped + self.sent)
        if self._failure is not None:
            raise self._failure

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, self._plan), daemon=True)
        self._process.start()
        theirs.close()

    def _run(self) -> None:
        last: Image | None = None
        try:
            while not self._ended.is_set():
                with self._changed:
                    self._changed.wait_for(
                        lambda: self._image is not None or self._ended.is_set(), _REPEAT_S
                    )
                    image, self._image = self._image, None
                last = image if image is not None else last
                if last is not None and not self._ended.is_set():
                    self._pipe.send((last.shape, self._comment()))
                    self._pipe.send_bytes(np.ascontiguousarray(last).reshape(-1).data)
                    if self._is_stalled():
                        self._replace()
                    else:
                        self._hear(*self._pipe.recv())
            self._pipe.send(None)
            self._hear(*self._pipe.recv())
        except (EOFError, OSError) as error:
            self._failure = self._failure or FacewarpError(
                f"the process of the stream has ended: {error}",
                self.target,
                "Begin again with --verbose.",
            )
            self._ended.set()
        finally:
            self._pipe.close()

    def _is_stalled(self) -> bool:
        """Wait for an answer of the process; whether none comes in time."""
        end = time.monotonic() + _STALL_S
        while not self._pipe.poll(0.2):
            if self._ended.is_set():
                return False
            if time.monotonic() > end:
                return True
        return False

    def _replace(self) -> None:
        """End a process whose connection takes nothing any more, and start another."""
        self._process.kill()
        self._process.join()
        self._pipe.close()
        kind = "down" if self.sent and self._file is None else "over"
        self._hear(kind, f"nothing was taken for {_STALL_S:.0f} s", "Look to the network.")
        self._plan = replace(self._plan, was_connected=True)
        self._start()

    def _hear(self, kind: str, what: str, fix: str) -> None:
        """Take in what became of an image: sent, down, or given up."""
        if kind == "sent":
            self.sent += 1
            if self._failure is not None:
                _log.warning("%s: connected again", self.target)
            self._failure = None
        elif kind in ("down", "over"):
            if self._failure is None and kind == "down":
                self.lost += 1
                _log.warning("%s: the connection is lost, trying again: %s", self.target, what)
            self._failure = FacewarpError(what, self.target, fix)
            if kind == "over":
                self._ended.set()


@dataclass(frozen=True)
class _Plan:
    """What a stream's process is told at its start."""

    target: str
    address: str
    format: str
    fps: float
    sound: str | None
    again_s: tuple[float, ...]
    color: Color | None
    was_connected: bool = False


def _serve(pipe: Connection, plan: _Plan) -> None:
    """Encode and send the images from a pipe, until it says None or is closed."""
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

    def __init__(self, plan: _Plan) -> None:
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
        plan: _Plan,
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


def _destination(target: str) -> tuple[str, OutputFile | None]:
    """Return the container's name, and the file where it is one."""
    scheme, is_address, rest = target.partition("://")
    if is_address and scheme in FORMATS and rest:
        return FORMATS[scheme], None
    if not is_address and Path(target).suffix.lower() == ".ts":
        return "mpegts", OutputFile(Path(target), sweeps=False)
    raise FacewarpError("nothing can be streamed there", target, _FORMS)


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
