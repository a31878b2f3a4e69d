"""Interlaced video as whole pictures: bwdif, one picture a frame, where there are combs."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
from av.filter import Graph

from facewarp.media.video.reading.combs import Combing, CombWatch, Lines, combing_of, lines_of

_LEAST_WHOLE: Final = 5  # whole pictures in a row: around cuts, and of film at 29.97, are fewer
_MOST_HELD: Final = 12  # pictures at the beginning, until it is known whether there are combs
_MOST_UNTOLD: Final = 12  # pictures in a row of which nothing is told, in a video that has combs


@dataclass
class _Picture:
    """A picture of interlaced video as it came, and without combs once the filter has it."""

    stored: av.VideoFrame
    combing: Combing | None = None
    filtered: av.VideoFrame | None = None


class Deinterlacer:
    """Takes decoded pictures, gives progressive ones of the same times, one frame later.

    Nothing happens to a video without interlaced frames. From the first one on all pass through the
    filter, which leaves those alone that are not marked as interlaced. Where five and more marked
    ones in a row are whole nevertheless (cameras that put 25 or 30 pictures a second into 50 or 60
    fields, film on PAL discs), they stay as they are: the filter would take off their detail.

    Args:
        time_base: Seconds a tick of the pictures' timestamps.
        begun: Called once, when the first picture is deinterlaced.
        unmarked: Called once, with the order of fields, if a video without interlaced frames is
            combed all the same.
    """

    def __init__(
        self,
        time_base: Fraction,
        begun: Callable[[], None] = lambda: None,
        unmarked: Callable[[Combing], None] | None = None,
    ) -> None:
        self._time_base, self._begun = time_base, begun
        self._watch = None if unmarked is None else CombWatch(unmarked)
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()
        self._was_begun = False
        self._is_whole: bool | None = None
        self._whole_run = self._untold_run = 0
        self._has_combs = False
        self._waiting: deque[_Picture] = deque()  # in the filter, or held until it is known
        self._lines: deque[Lines | None] = deque([None, None], maxlen=3)

    def __call__(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Yield the pictures that are ready once this one, with its timestamp, has come."""
        if self._graph is None and not picture.interlaced_frame:
            if self._watch is not None:
                self._watch(picture)
            yield picture
            return
        self._watch = None
        shape = (picture.format.name, picture.width, picture.height)
        if self._graph is None or shape != self._shape:
            yield from self.flush()
            self._graph, self._shape = self._new_graph(picture), shape
        self._waiting.append(_Picture(picture))
        self._lines.append(lines_of(picture))
        self._judge()
        self._graph.vpush(picture)
        self._take()
        yield from self._ready()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield what is held back, at the end of a video."""
        if self._watch is not None:
            self._watch.end()
        if self._graph is not None:
            self._graph.vpush(None)
            self._take()
            for picture in self._waiting:
                picture.combing = picture.combing or Combing.UNKNOWN
            if self._is_whole is None:
                whole = sum(picture.combing is Combing.WHOLE for picture in self._waiting)
                self._is_whole = 2 * whole > len(self._waiting)
            yield from self._ready()
            self._graph = None
            self._lines.extend([None] * 3)

    def _judge(self) -> None:
        """Tell of the picture before the newest whether it is combed."""
        if len(self._waiting) > 1:
            self._waiting[-2].combing = combing_of(*self._lines)

    def _take(self) -> None:
        """Put what the filter has done beside the pictures it was given."""
        assert self._graph is not None
        todo = (picture for picture in self._waiting if picture.filtered is None)
        while True:
            try:
                done = self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            next(todo).filtered = done

    def _ready(self) -> Iterator[av.VideoFrame]:
        if self._is_whole is None and not self._is_known():
            return
        while self._waiting:
            picture = self._waiting[0]
            if picture.filtered is None or picture.combing is None:
                return
            self._waiting.popleft()
            self._count(picture.combing)
            if self._is_whole:
                yield picture.stored
                continue
            if picture.stored.interlaced_frame and not self._was_begun:
                self._was_begun = True
                self._begun()
            yield picture.filtered

    def _count(self, combing: Combing) -> None:
        """Go on to the next picture: are those around it whole, though they are marked?"""
        if combing is Combing.UNKNOWN:
            self._untold_run += 1
            if self._has_combs and self._untold_run >= _MOST_UNTOLD:
                self._whole_run, self._is_whole = 0, False
            return
        self._untold_run = 0
        if combing is Combing.WHOLE:
            self._whole_run += 1
            self._is_whole = self._is_whole or self._whole_run >= _LEAST_WHOLE
        else:
            self._whole_run, self._is_whole, self._has_combs = 0, False, True

    def _is_known(self) -> bool:
        """Whether the first pictures are enough to tell how to begin; then it is told."""
        seen = [picture.combing for picture in self._waiting]
        whole = seen.count(Combing.WHOLE)
        is_combed = any(combing is not None and combing.is_combed for combing in seen)
        if not (is_combed or whole >= _LEAST_WHOLE or len(seen) >= _MOST_HELD):
            return False
        self._is_whole = whole >= _LEAST_WHOLE and not is_combed
        return True

    def _new_graph(self, picture: av.VideoFrame) -> Graph:
        base = f"{self._time_base.numerator}/{self._time_base.denominator}"
        colors = f"colorspace={int(picture.colorspace)}:range={int(picture.color_range)}"
        size = f"{picture.width}x{picture.height}"
        graph = Graph()
        steps = [
            graph.add(
                "buffer",
                f"video_size={size}:pix_fmt={picture.format.name}:time_base={base}:{colors}",
            ),
            graph.add("bwdif", mode="send_frame", parity="auto", deint="interlaced"),
            graph.add("settb", base),
            graph.add("buffersink"),
        ]
        graph.link_nodes(*steps)
        graph.configure()
        return graph
