"""Tell where counted frames are others than a program would take them for."""

from typing import Final

from facewarp.media.frames import Frame, Source
from facewarp.media.images.sequence import FIRST

_OFF_FRAMES: Final = 1.5  # from where a constant rate has it: jitter of clocks stays below
_GAP_FRAMES: Final = 1.6  # between two frames: at least one is missing
_ODD_STEP: Final = 0.4  # of a frame more or less than one: more than clocks jitter
_ODD_STEPS: Final = 5  # from as many on it is no accident


class Pace:
    """Tell where programs that count frames would show one at another time.

    Args:
        source: of the frames.
        first: number that the first frame read is given.
    """

    def __init__(self, source: Source, first: int = FIRST) -> None:
        self._first = first
        self._source, self._start, self._last, self._count = source, 0.0, 0.0, 0
        self._told, self._odd = False, 0

    def add(self, frame: Frame) -> None:
        """Take the next frame."""
        if not self._count:
            self._start = self._last = frame.time
            self._tell_cut(frame)
        off = (frame.time - self._start) * self._source.fps - self._count
        gap = (frame.time - self._last) * self._source.fps
        self._odd += self._count > 0 and abs(gap - 1) > _ODD_STEP
        self._last = frame.time
        self._count += 1
        if abs(off) >= _OFF_FRAMES:
            way = "later" if off > 0 else "earlier"
            self._tell(f"is {abs(off):.1f} frames {way} than at its")
        elif gap >= _GAP_FRAMES:  # one lost frame: an average rate hides how late the others are
            self._tell(f"comes {gap:.1f} frames after the one before, at its")
        elif self._odd >= _ODD_STEPS:  # short and long steps in turn, which cancel out
            self._tell(f"comes {gap:.1f} frames after the one before, as others do, at its")

    def _tell_cut(self, frame: Frame) -> None:
        """Tell which frame of the whole clip the first one is, unless it is numbered by hand."""
        source = self._source
        left_out = round((frame.time - source.first_s) * source.fps)
        if not (source.start and left_out and self._first == FIRST):
            return
        told = f"passes and tracks count from --start: their frame {FIRST} is "
        if source.frames_before(frame.time) != left_out:  # they do not come evenly
            source.note(told + f"the one at {frame.time:.6g} s of the clip")
            return
        number = left_out + FIRST
        source.note(
            told + f"frame {number} of the whole clip; --first-frame {number} counts as that does"
        )

    def _tell(self, what: str) -> None:
        if self._told:
            return
        self._told = True
        self._source.note(
            f"its frames do not come evenly: frame {self._count} {what} "
            f"{self._source.fps:.6g} a second; "
            "passes and tracks count frames: give the clip a constant rate first "
            "(ffmpeg -i CLIP -fps_mode cfr NEW.mov)"
        )
