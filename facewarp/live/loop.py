"""The live loop: capture, process and present frames in threads with bounded queues.

    capture thread -> newest frame -> processing thread -> newest result -> the caller's thread

A processor of two stages (`StagedProcessor`) has a thread for each: what was tracked is drawn,
nothing is dropped between, and no newer frame is taken before drawing has begun, lest it get old.

A live source hands on its newest frame only, so that what is shown is never older than the work on
it takes; what a newer frame replaced is counted. A file that is not played at camera pace waits
instead, and every frame is worked on. Windows demand the main thread, so presenting runs in the
thread that called `LiveLoop.run`.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from facewarp.live.frame_queue import FrameQueue
from facewarp.live.interfaces import (
    CapturedFrame,
    FrameProcessor,
    LiveSource,
    Presenter,
    ProcessedFrame,
    StagedProcessor,
)
from facewarp.live.timing import LiveStats, Timing
from facewarp.media.frames import Frame

_log = logging.getLogger(__name__)

_IDLE_S = 0.05  # how often presenters are woken while nothing new comes
_QUIET_S = 2.0  # without a frame, after which a notice is displayed
_JOIN_S = 12.0  # OpenCV waits up to 10 s for an image of a camera that hangs


@dataclass(frozen=True)
class LiveReport:
    """Result of a live loop.

    Attributes:
        source: its name.
        summary: see `LiveStats.summary`.
        stopped: whether it was stopped, by a limit or a viewer, before the source ended.
        seconds: from the start of the loop to its end.
    """

    source: str
    summary: Mapping[str, Any]
    stopped: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class _Captured:
    frame: Frame
    number: int
    stamp: float


@dataclass(frozen=True, eq=False)
class _Tracked:
    taken: _Captured
    found: Any
    started: float


@dataclass(frozen=True, eq=False)
class _Finished:
    taken: _Captured
    made: ProcessedFrame
    started: float
    finished: float


class LiveLoop:
    """Run frames from a source through a processor to presenters.

    Args:
        source: where frames come from; closed at the end.
        work: from a frame to what is shown; runs in a thread of its own.
        presenters: in the order they are called; closed at the end.
        stats: where times are counted.
        newest: whether a newer frame replaces one that nobody has taken yet. Without it the
            source waits, and every frame is presented.
        seconds: when to stop; None for at the end.
        frames: after how many presented frames to stop; None for at the end.
        on_timing: called with every frame's stamps once it is presented.
    """

    def __init__(
        self,
        source: LiveSource,
        work: FrameProcessor,
        presenters: Sequence[Presenter],
        stats: LiveStats,
        *,
        newest: bool = True,
        seconds: float | None = None,
        frames: int | None = None,
        on_timing: Callable[[Timing], None] | None = None,
    ) -> None:
        self._source = source
        self._work = work
        self._presenters = presenters
        self._stats = stats
        self._newest = newest
        self._seconds, self._frames = seconds, frames
        self._on_timing = on_timing
        depth = 1 if newest else 2
        self._captured: FrameQueue[_Captured] = FrameQueue(drop_oldest=newest, depth=depth)
        self._tracked: FrameQueue[_Tracked] = FrameQueue(drop_oldest=False, depth=1)
        self._finished: FrameQueue[_Finished] = FrameQueue(drop_oldest=newest, depth=depth)
        self._stop, self._resumed = threading.Event(), threading.Event()
        self._resumed.set()
        self._error: BaseException | None = None
        self._last_number = -1
        self._last_arrival = 0.0

    def run(self) -> LiveReport:
        """Run until the source ends, a limit is reached or `stop` is called.

        Whatever happens, the threads have ended and source and presenters are closed when it
        returns or raises.

        Raises:
            FacewarpError: capture, work or a presenter met an error; raised here.
        """
        began = self._last_arrival = time.perf_counter()
        threads = [
            threading.Thread(target=self._guard, args=(part, after), name=name, daemon=True)
            for name, part, after in self._parts()
        ]
        has_ended = False
        try:
            for thread in threads:
                thread.start()
            while not self._stop.is_set() and not self._is_over(began):
                finished = self._finished.take(_IDLE_S)
                if finished is not None:
                    self._present(finished)
                elif self._finished.ended:
                    has_ended = not self._stop.is_set()
                    break
                else:
                    self._idle()
        finally:
            self._shut(threads)
        if self._error is not None:
            raise self._error
        seconds = time.perf_counter() - began
        return LiveReport(self._source.name, self._stats.summary(), not has_ended, seconds)

    def stop(self) -> None:
        """End `run` after the current frame; callable from any thread. Idempotent."""
        self._stop.set()
        self._resumed.set()

    def pause(self, paused: bool) -> None:
        """Freeze the image, or resume.

        Meanwhile a file waits, and the frames of a camera do not count.
        """
        self._stats.paused = paused
        if paused:
            self._resumed.clear()
        else:
            self._resumed.set()

    def _parts(self) -> list[tuple[str, Callable[[], None], FrameQueue[Any]]]:
        """Return the name and work of each thread, and the queue to what comes after it."""
        parts: list[tuple[str, Callable[[], None], FrameQueue[Any]]]
        parts = [("capture", self._capture, self._captured)]
        if isinstance(self._work, StagedProcessor):
            parts.append(("track", partial(self._track, self._work), self._tracked))
            parts.append(("draw", partial(self._draw, self._work), self._finished))
        else:
            parts.append(("process", self._process, self._finished))
        return parts

    def _is_over(self, began: float) -> bool:
        in_time = self._seconds is None or time.perf_counter() - began < self._seconds
        return not in_time or (self._frames is not None and self._stats.presented >= self._frames)

    def _guard(self, part: Callable[[], None], after: FrameQueue[Any]) -> None:
        """Run a part in a thread, and pass its end or error to the thread after it."""
        try:
            part()
        except BaseException as error:  # noqa: BLE001 - raised again by run
            self._error = self._error or error
            self.stop()
        finally:
            after.end()

    def _capture(self) -> None:
        number = 0
        for frame in self._source:
            stamp = time.perf_counter()
            if isinstance(frame, CapturedFrame):
                stamp = frame.captured
            self._last_arrival = stamp
            if not self._resumed.is_set():
                if self._newest:
                    continue
                self._resumed.wait()
            self._stats.arrive(stamp)
            if self._stop.is_set() or not self._captured.put(_Captured(frame, number, stamp)):
                return
            number += 1

    def _process(self) -> None:
        while not self._captured.ended:
            taken = self._captured.take(1.0)
            if taken is None:
                continue
            started = time.perf_counter()
            made = self._work(taken.frame)
            result = _Finished(taken, made, started, time.perf_counter())
            if not self._finished.put(result):
                return

    def _track(self, work: StagedProcessor) -> None:
        while not self._captured.ended:
            if not self._tracked.wait_until_empty(1.0):
                continue
            taken = self._captured.take(1.0)
            if taken is None:
                continue
            started = time.perf_counter()
            if not self._tracked.put(_Tracked(taken, work.track(taken.frame), started)):
                return

    def _draw(self, work: StagedProcessor) -> None:
        while not self._tracked.ended:
            tracked = self._tracked.take(1.0)
            if tracked is None:
                continue
            made = work.draw(tracked.found)
            result = _Finished(tracked.taken, made, tracked.started, time.perf_counter())
            if not self._finished.put(result):
                return

    def _present(self, result: _Finished) -> None:
        self._stats.notice = None
        taken, made = result.taken, result.made
        for presenter in self._presenters:
            presenter.present(taken.frame, made, self._stats)
        timing = Timing(
            index=taken.frame.index,
            time_s=taken.frame.time,
            captured=taken.stamp,
            started=result.started,
            detect_s=made.seconds.get("detect", 0.0),
            register_s=made.seconds.get("register", 0.0),
            render_s=made.seconds.get("render", 0.0),
            finished=result.finished,
            presented=time.perf_counter(),
            dropped=taken.number - self._last_number - 1,
        )
        self._last_number = taken.number
        self._stats.add(timing)
        if self._on_timing is not None:
            self._on_timing(timing)

    def _idle(self) -> None:
        quiet = time.perf_counter() - self._last_arrival > _QUIET_S
        waiting = f"waiting for pictures from {self._source.name}" if quiet else None
        self._stats.notice = "paused" if self._stats.paused else self._source.notice or waiting
        for presenter in self._presenters:
            presenter.idle(self._stats)

    def _shut(self, threads: Sequence[threading.Thread]) -> None:
        """End the threads and close source and presenters, whatever happens."""
        self.stop()
        for queue in (self._captured, self._tracked, self._finished):
            queue.close()
        steps = [self._source.close]
        steps += [partial(self._join, thread) for thread in threads]
        steps += [presenter.close for presenter in self._presenters]
        for step in steps:
            try:
                step()
            except BaseException as error:  # noqa: BLE001 - raised again by run
                self._error = self._error or error

    def _join(self, thread: threading.Thread) -> None:
        thread.join(_JOIN_S)
        if thread.is_alive():
            _log.warning("%s: the %s thread hangs", self._source.name, thread.name)
