"""Measure a live session: times of each frame, counters and percentiles."""

import math
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np

STAGES = ("wait", "detect", "register", "render", "process", "present", "age")
"""What is measured of a frame, in seconds: from its capture to the start of work on it; the parts
of that work; the whole of it; from its end until presented; and from capture until presented."""

_DISPLAYED = 90  # frames that the numbers on display are taken of
_LEAST_S, _STEP = 1e-5, 1.01  # of the histograms: bins are 1 % wide, and so are percentiles exact
_BINS = math.ceil(math.log(1e3 / _LEAST_S) / math.log(_STEP))


@dataclass(frozen=True)
class Timing:
    """Times of one frame through the loop, in seconds of `time.perf_counter`.

    Attributes:
        index: `Frame.index`.
        time_s: the frame's time on its source's clock.
        captured: when it came out of the camera, or was due in a file played at camera pace.
        started: when work on it began.
        detect_s: spent looking for faces.
        register_s: spent registering them.
        render_s: spent drawing.
        finished: when it was ready to be presented.
        presented: when it had been.
        dropped: frames captured since the one presented before, that a newer one replaced.
    """

    index: int
    time_s: float
    captured: float
    started: float
    detect_s: float
    register_s: float
    render_s: float
    finished: float
    presented: float
    dropped: int = 0

    @property
    def age_s(self) -> float:
        """Seconds from capture to the end of presenting."""
        return self.presented - self.captured

    def stages(self) -> tuple[float, ...]:
        """Return the seconds of each of `STAGES`."""
        return (
            max(self.started - self.captured, 0.0),
            self.detect_s,
            self.register_s,
            self.render_s,
            self.finished - self.started,
            self.presented - self.finished,
            self.age_s,
        )

    def record(self, zero: float) -> dict[str, Any]:
        """Return the times for a line of statistics, in seconds counted from `zero`."""
        stamps = {
            "captured_s": self.captured,
            "started_s": self.started,
            "finished_s": self.finished,
            "presented_s": self.presented,
        }
        return {
            "frame": self.index,
            "time_s": round(self.time_s, 6),
            **{name: round(stamp - zero, 6) for name, stamp in stamps.items()},
            "detect_s": round(self.detect_s, 6),
            "register_s": round(self.register_s, 6),
            "render_s": round(self.render_s, 6),
            "age_s": round(self.age_s, 6),
            "dropped": self.dropped,
        }


class LiveStats:
    """Counters and times of a session in constant memory; callable from any thread.

    Attributes:
        notice: what a viewer should know, such as `camera lost, waiting`; None if nothing.
        paused: whether the viewer has paused the session.
        recording: the name of the file that is being recorded; None if none is.
    """

    def __init__(self) -> None:
        self.notice: str | None = None
        self.paused = False
        self.recording: str | None = None
        self._lock = threading.Lock()
        self._recent: deque[Timing] = deque(maxlen=_DISPLAYED)
        self._arrivals: deque[float] = deque(maxlen=_DISPLAYED)
        self._counts = np.zeros((len(STAGES), _BINS), np.int64)
        self._arrived = self._presented = self._dropped = 0
        self._first = self._last = 0.0

    def arrive(self, stamp: float) -> None:
        """Count a frame captured at a time (s of `time.perf_counter`)."""
        with self._lock:
            self._arrived += 1
            self._arrivals.append(stamp)

    def add(self, timing: Timing) -> None:
        """Count a frame presented."""
        stages = np.maximum(timing.stages(), _LEAST_S)
        bins = (np.log(stages / _LEAST_S) / math.log(_STEP)).astype(np.int64)
        with self._lock:
            self._counts[np.arange(len(STAGES)), bins.clip(0, _BINS - 1)] += 1
            self._recent.append(timing)
            self._first = self._first if self._presented else timing.presented
            self._last = timing.presented
            self._presented += 1
            self._dropped += timing.dropped

    @property
    def presented(self) -> int:
        """Frames presented so far."""
        return self._presented

    @property
    def dropped(self) -> int:
        """Frames captured so far that newer ones replaced before they were presented."""
        return self._dropped

    def snapshot(self) -> dict[str, Any]:
        """Return the statistics of the last seconds, for a display.

        Returns:
            `fps` presented and `capture_fps` captured a second, counted; `age_ms` and
            `age_p95_ms` from capture until presented; `detect_ms`, `register_ms`,
            `render_ms`, `present_ms`, medians; `frames` presented and `dropped` since the
            beginning; `notice`, `paused`, `recording`. A number not known yet is None.
        """
        with self._lock:
            recent = [timing.stages() for timing in self._recent]
            stamps = [timing.presented for timing in self._recent]
            arrivals = list(self._arrivals)
            frames, dropped = self._presented, self._dropped
        median, high = (
            1000 * np.percentile(recent, (50, 95), axis=0)
            if recent
            else np.full((2, len(STAGES)), np.nan)
        )
        typical = dict(zip(STAGES, (_number(value) for value in median), strict=True))
        return {
            "fps": _rate(stamps),
            "capture_fps": _rate(arrivals),
            "age_ms": typical["age"],
            "age_p95_ms": _number(high[STAGES.index("age")]),
            "detect_ms": typical["detect"],
            "register_ms": typical["register"],
            "render_ms": typical["render"],
            "present_ms": typical["present"],
            "frames": frames,
            "dropped": dropped,
            "notice": self.notice,
            "paused": self.paused,
            "recording": self.recording,
        }

    def summary(self) -> dict[str, Any]:
        """Return the statistics of the whole session.

        Returns:
            `captured`, `presented` and `dropped` frames; `seconds` between the first and
            the last one presented; `fps` counted over them; `p50_ms` and `p95_ms`: stage ->
            milliseconds, exact to half a percent. A number that can't be known is None.
        """
        with self._lock:
            counts = self._counts.copy()
            captured, presented, dropped = self._arrived, self._presented, self._dropped
            seconds = self._last - self._first
        return {
            "captured": captured,
            "presented": presented,
            "dropped": dropped,
            "seconds": round(seconds, 3),
            "fps": round((presented - 1) / seconds, 2) if presented > 1 and seconds > 0 else None,
            "p50_ms": _percentiles(counts, 0.50),
            "p95_ms": _percentiles(counts, 0.95),
        }


def _percentiles(counts: np.ndarray, share: float) -> dict[str, float | None]:
    """Return percentiles of each stage in ms, from its histogram."""
    found: dict[str, float | None] = {}
    for stage, histogram in zip(STAGES, counts, strict=True):
        total = int(histogram.sum())
        if total == 0:
            found[stage] = None
            continue
        place = int(np.searchsorted(histogram.cumsum(), share * total))
        value = 0.0 if place == 0 else _LEAST_S * _STEP ** (place + 0.5)
        found[stage] = round(1000 * value, 3)
    return found


def _rate(stamps: list[float]) -> float | None:
    """Return events a second over the last two seconds."""
    recent = [stamp for stamp in stamps if stamps[-1] - stamp <= 2.0]
    if len(recent) < 2 or recent[-1] <= recent[0]:
        return None
    return round((len(recent) - 1) / (recent[-1] - recent[0]), 1)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else round(float(value), 1)
