"""Play files like a camera: at their own pace, and again from the start if asked."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

from facewarp.live.interfaces import CapturedFrame
from facewarp.media.frames import Frame, Source
from facewarp.media.video.pixels.color_conversion import Color

_log = logging.getLogger(__name__)


class PlayedSource(Source):
    """A source that yields frames at their own times, whether or not they are taken.

    Args:
        source: a file or folder.
        paced: whether frames wait for their time; the first is due at once.
        repeat: whether it begins anew at its end; times and indices go on.
    """

    def __init__(self, source: Source, *, paced: bool = True, repeat: bool = False) -> None:
        super().__init__(source.path)
        self.kind = source.kind
        self.size, self.rate, self.time_base = source.size, source.rate, source.time_base
        self.duration_s = None if repeat else source.duration_s
        self.frame_count = None if repeat else source.frame_count
        self.is_live = paced
        self.notes = source.notes
        self.color: Color | None = getattr(source, "color", None)
        self._source, self._paced, self._repeat = source, paced, repeat
        self._closed = threading.Event()

    @property
    def name(self) -> str:
        """Name of the source."""
        return self._source.name

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames; at camera pace each is stamped as it is yielded."""
        zero: float | None = None
        for frame in self._frames():
            if not self._paced:
                yield frame
                continue
            now = time.perf_counter()
            zero = now - frame.time if zero is None else zero
            if self._closed.wait(max(0.0, zero + frame.time - now)):
                return
            stamp = time.perf_counter()
            yield CapturedFrame(
                frame.image, frame.time, frame.index, frame.rotation, stamp, alpha=frame.alpha
            )

    def close(self) -> None:
        """End the iteration at once, even between two frames."""
        self._closed.set()
        self._source.close()

    def _frames(self) -> Iterator[Frame]:
        shift, count = 0.0, 0
        while not self._closed.is_set():
            last: Frame | None = None
            for frame in self._source:
                last = frame
                yield replace(frame, time=frame.time + shift, index=count) if shift else frame
                count += 1
            self.truncated = self.truncated or self._source.truncated
            if last is None or not self._repeat:
                return
            shift += last.time + 1 / self.fps
