"""Stream what is displayed to a server or another program, without delaying it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.outputs.stream_process import FORMATS, StreamPlan, serve_stream
from facewarp.live.outputs.stream_sound import StreamSound
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame, Image
from facewarp.media.video.pixels.color_conversion import Color
from facewarp.system.atomic_files import OutputFile

_log = logging.getLogger(__name__)

_FORMS: Final = "Give rtmp://, srt:// or udp://HOST:PORT, or FILE.ts."
_STALL_S: Final = 15.0  # of a connection that takes nothing, after which it counts as lost
_AGAIN_S: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)  # between attempts to connect again
_REPEAT_S: Final = 0.5  # without a new image, after which the last one is sent again
_JOIN_S: Final = 8.0


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
        self._plan = StreamPlan(target, address, format_name, fps, sound, again_s, color)
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
        self._process = context.Process(target=serve_stream, args=(theirs, self._plan), daemon=True)
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


def _destination(target: str) -> tuple[str, OutputFile | None]:
    """Return the container's name, and the file where it is one."""
    scheme, is_address, rest = target.partition("://")
    if is_address and scheme in FORMATS and rest:
        return FORMATS[scheme], None
    if not is_address and Path(target).suffix.lower() == ".ts":
        return "mpegts", OutputFile(Path(target), sweeps=False)
    raise FacewarpError("nothing can be streamed there", target, _FORMS)
