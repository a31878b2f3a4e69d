"""Run a live session to its end, and write recordings, screenshots and times of it."""

import logging
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any

from facewarp.errors import FacewarpError
from facewarp.live.interfaces import FrameProcessor, LiveSource, Presenter, ProcessedFrame
from facewarp.live.loop import LiveLoop, LiveReport
from facewarp.live.outputs.memory_watch import MemoryWatch
from facewarp.live.outputs.recorder import Recorder
from facewarp.live.outputs.timing_log import TimingWriter
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.media.images.writer import ImageWriter
from facewarp.media.prefetch import WriteBehind
from facewarp.media.video.pixels.color_conversion import Color
from facewarp.system.atomic_files import OutputFile

_log = logging.getLogger(__name__)


class Session:
    """A presenter that writes recordings and screenshots; the `Actions` of windows and pages.

    Args:
        stats: statistics of the loop.
        fps: frames a second to be expected, for recordings.
        record: video to record from the start; recordings asked for later are named by the
            clock, in the working folder.
        screenshots: the folder of screenshots.
        wait: let a recording delay the session, so that no frame is missing in it
            (backpressure).
        inputs: files that must not be overwritten.
        comment: returns what the metadata of a recording or screenshot that begins now must say.
        color: color tags of what is shown, for recordings; BT.709 by default.
        size: (width, height) px of the pictures to come, where that is known: a recording from the
            start is opened for them before the first one comes.

    Attributes:
        recordings: recordings made, in order.
        pictures: files of screenshots.

    Raises:
        FacewarpError: the recording can't be written.
    """

    def __init__(
        self,
        stats: LiveStats,
        fps: float,
        *,
        record: Path | None = None,
        screenshots: Path | None = None,
        wait: bool = False,
        inputs: tuple[Path, ...] = (),
        comment: Callable[[], str | None] = lambda: None,
        color: Color | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self._comment, self._color, self._size = comment, color, size
        self.recordings: list[Recorder] = []
        self.pictures: list[Path] = []
        self._stats, self._fps, self._wait, self._inputs = stats, fps, wait, inputs
        self._screenshots = screenshots or Path()
        self._loop: LiveLoop | None = None
        self._lock = threading.RLock()
        self._recorder: Recorder | None = None
        self._ending: list[threading.Thread] = []
        self._shown: tuple[Frame, ProcessedFrame] | None = None
        self._camera_roll: WriteBehind[_Shot] | None = None
        self._error: FacewarpError | None = None
        if record is not None:
            self._begin(record)

    def attach(self, loop: LiveLoop) -> None:
        """Set the loop that `stop` and `pause` act on, and open a recording from the start.

        Raises:
            FacewarpError: the recording can't be written.
        """
        self._loop = loop
        if self._recorder is not None and self._size is not None:
            self._recorder.open(self._size)

    def stop(self) -> None:
        """See `interfaces.Actions`."""
        if self._loop is not None:
            self._loop.stop()

    def pause(self) -> str:
        """See `interfaces.Actions`."""
        paused = not self._stats.paused
        if self._loop is not None:
            self._loop.pause(paused)
        return "paused" if paused else "going on"

    def record(self) -> str:
        """See `interfaces.Actions`."""
        with self._lock:
            if self._recorder is not None:
                return f"recorded {self._end().target.name}"
            return f"recording {self._begin(self._new_name(Path(), '.mp4')).target.name}"

    def screenshot(self) -> str:
        """See `interfaces.Actions`.

        Raises:
            FacewarpError: nothing was shown yet, or the folder can't be written.
        """
        with self._lock:
            if self._shown is None:
                raise FacewarpError("there is no picture yet", fix="Wait for the first one.")
            frame, made = self._shown
            path = self._new_name(self._screenshots, ".png")
            OutputFile(path).discard()
            if self._camera_roll is None:
                self._camera_roll = WriteBehind(_write_picture, lambda: None, 4, "screenshots")
            shot = _Shot(path, frame.with_image(made.image), self._comment())
            if not self._camera_roll.offer(shot):
                what = "the pictures before are still being written"
                raise FacewarpError(what, fix="Wait a moment.")
            self.pictures.append(path)
            return f"screenshot {path.name}"

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `interfaces.Presenter`."""
        with self._lock:
            self._shown = frame, made
            if self._recorder is None:
                return
            self._recorder.add_comment(self._comment())
            try:
                self._recorder.present(frame, made, stats)
            except FacewarpError as error:  # the command fails at its end, where all is told
                _log.warning("recording stopped, the session goes on: %s", error.what)
                self._end(error)

    def idle(self, stats: LiveStats) -> None:
        """See `interfaces.Presenter`."""

    def close(self) -> None:
        """Finish every file.

        Raises:
            FacewarpError: one could not be written.
        """
        with self._lock:
            if self._recorder is not None:
                self._end()
        try:
            for thread in self._ending:
                thread.join()
        finally:
            if self._camera_roll is not None:
                self._camera_roll.finish()
        if self._error is not None:
            raise self._error

    def _begin(self, target: Path) -> Recorder:
        self._recorder = Recorder(
            target,
            self._fps,
            wait=self._wait,
            inputs=self._inputs,
            comment=self._comment(),
            color=self._color,
        )
        self.recordings.append(self._recorder)
        self._stats.recording = target.name
        return self._recorder

    def _new_name(self, folder: Path, suffix: str) -> Path:
        """Return a file name with the time of day that is not taken yet."""
        stem = f"facewarp-{datetime.now():%Y%m%d-%H%M%S}"
        taken = {recorder.target for recorder in self.recordings} | set(self.pictures)
        path, number = folder / f"{stem}{suffix}", 1
        while path in taken or path.exists():
            number += 1
            path = folder / f"{stem}-{number}{suffix}"
        return path

    def _end(self, met: FacewarpError | None = None) -> Recorder:
        """Finish the recording in a thread: waiting for the encoder would delay the image.

        Args:
            met: why it ends early.
        """
        recorder = self._recorder
        assert recorder is not None
        self._recorder, self._stats.recording = None, None
        thread = threading.Thread(
            target=self._finish, args=(recorder, met), name=f"finish {recorder.target.name}"
        )
        self._ending.append(thread)
        thread.start()
        return recorder

    def _finish(self, recorder: Recorder, met: FacewarpError | None) -> None:
        try:
            recorder.close()
        except FacewarpError as error:  # the same, and what became of the file
            met = error
        self._error = self._error or met


@dataclass(frozen=True, eq=False)
class _Shot:
    path: Path
    frame: Frame
    comment: str | None


def _write_picture(shot: _Shot) -> None:
    try:
        with ImageWriter(shot.path, comment=shot.comment) as picture:
            picture.write(shot.frame)
    except FacewarpError as error:
        _log.error("%s", error)


@dataclass(frozen=True)
class SessionResult:
    """Result of a session.

    Attributes:
        report: of the loop.
        session: recordings and screenshots.
        timings: the file of times; None if none was asked for.
        memory_mb: of the process at the start, settled and at the end.
        signals: numbers of the signals that ended it.
        truncated: the source was damaged or ended early.
        notes: what a user should know of how the source was read.
    """

    report: LiveReport
    session: Session
    timings: TimingWriter | None
    memory_mb: dict[str, float | None]
    signals: list[int]
    truncated: bool
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain values, for JSON."""
        timings = self.timings
        return {
            "source": self.report.source,
            **self.report.summary,
            "stopped": self.report.stopped,
            "recordings": [
                {"file": recorder.target, "frames": recorder.kept, "missed": recorder.missed}
                for recorder in self.session.recordings
                if recorder.kept
            ],
            "screenshots": self.session.pictures,
            "stats": None if timings is None else {"file": timings.target, "frames": timings.kept},
            "memory_mb": self.memory_mb,
            "truncated": self.truncated,
            "notes": self.notes,
        }


def run_session(
    session: Session,
    source: LiveSource,
    process: FrameProcessor,
    presenters: Iterable[Presenter],
    stats: LiveStats,
    *,
    seconds: float | None = None,
    frames: int | None = None,
    timings: Path | None = None,
) -> SessionResult:
    """Run frames of a source through a processor to presenters until the session ends.

    It ends with the source, at a limit, by `Session.stop`, or by the first signal that ends
    programs; a second Ctrl-C raises KeyboardInterrupt.

    Args:
        session: what windows and pages act on; one of the presenters.
        source: closed at the end.
        process: from a frame to what is displayed.
        presenters: where results go; each is made as it is asked for, and closed at the end.
        stats: where times are counted.
        seconds: limit of time; None for none.
        frames: limit of frames presented; None for none.
        timings: write the times of every frame to this `.jsonl` file.

    Raises:
        FacewarpError: the source, the processor or a presenter met an error.
    """
    writer = TimingWriter(timings, perf_counter()) if timings is not None else None
    with ExitStack() as stack:
        if writer is not None:
            stack.callback(writer.close)
        with ExitStack() as early:  # what the loop closes once it runs
            made: list[Presenter] = []
            for presenter in presenters:
                made.append(presenter)
                early.callback(presenter.close)
            memory = MemoryWatch()
            loop = LiveLoop(
                source,
                process,
                [*made, memory],
                stats,
                newest=getattr(source, "is_live", True),
                seconds=seconds,
                frames=frames,
                on_timing=writer,
            )
            session.attach(loop)
            early.pop_all()
        with _ended_by_signals(session) as signals:
            report = loop.run()
    is_short = getattr(source, "truncated", False)
    notes = getattr(source, "notes", [])
    return SessionResult(report, session, writer, memory.summary(), signals, is_short, notes)


@contextmanager
def _ended_by_signals(session: Session) -> Iterator[list[int]]:
    """End the session at the first signal that ends programs; raise at a second Ctrl-C.

    Yields:
        The numbers of the signals that came.
    """
    met: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        if met and number == signal.SIGINT:
            raise KeyboardInterrupt
        met.append(number)
        session.stop()

    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last two are of one system each
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield met
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
