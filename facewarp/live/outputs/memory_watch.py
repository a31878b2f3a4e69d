"""Measure the memory of the process, to show whether it grows; hand back what is free."""

import gc
import time

from facewarp.live.interfaces import ProcessedFrame
from facewarp.live.timing import LiveStats
from facewarp.media.frames import Frame
from facewarp.system.memory import resident_bytes, return_freed_memory

_MB = 1e6


class MemoryWatch:
    """A presenter that measures the memory now and then, from construction to closing.

    Models, decoders and encoders take theirs in the first seconds, and what comes then should stay.
    Every ten seconds what refers to itself is collected, as a video's picture with side data does
    (1.4 MB of 720p each time that a file begins anew), and what is free is handed back.

    Args:
        every_s: seconds between two notes.
        settled_s: seconds after which the first seconds are over, and between two returns.

    Attributes:
        notes: (seconds since the beginning, MB), in order.
    """

    def __init__(self, every_s: float = 60.0, settled_s: float = 10.0) -> None:
        self.notes: list[tuple[float, float]] = []
        self._every_s, self._settled_s = every_s, settled_s
        self._began = time.perf_counter()
        self._next_s, self._return_s = 0.0, settled_s
        self.idle()

    def present(self, frame: Frame, made: ProcessedFrame, stats: LiveStats) -> None:
        """See `interfaces.Presenter`."""
        self.idle()

    def idle(self, stats: LiveStats | None = None) -> None:
        """See `interfaces.Presenter`."""
        gone_s = time.perf_counter() - self._began
        if gone_s >= self._return_s:
            gc.collect()
            return_freed_memory()
            self._return_s = gone_s + self._settled_s
        if gone_s >= self._next_s:
            self._next_s = gone_s + (self._every_s if self.notes else self._settled_s)
            self._note(gone_s)

    def close(self) -> None:
        """See `interfaces.Presenter`."""
        self._note(time.perf_counter() - self._began)

    def summary(self) -> dict[str, float | None]:
        """Return MB at the `start`, once `settled` (None if it ended before) and at the `end`."""
        sizes = [round(size, 1) for _, size in self.notes]
        return {
            "start": sizes[0] if sizes else None,
            "settled": sizes[1] if len(sizes) > 2 else None,
            "end": sizes[-1] if sizes else None,
        }

    def _note(self, gone_s: float) -> None:
        size = resident_bytes()
        if size is not None:
            self.notes.append((gone_s, size / _MB))
