"""Interlaced video as whole pictures: FFmpeg's bwdif, one picture a frame."""

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
from av.filter import Graph


class Deinterlacer:
    """Takes decoded pictures, gives progressive ones of the same times, one frame later.

    Nothing happens to a video without interlaced frames. From the first one on all pass through the
    filter, which leaves those alone that are not marked as interlaced.

    Args:
        time_base: Seconds a tick of the pictures' timestamps.
        begun: Called once, when the first interlaced picture comes.
    """

    def __init__(self, time_base: Fraction, begun: Callable[[], None] = lambda: None) -> None:
        self._time_base, self._begun = time_base, begun
        self._graph: Graph | None = None
        self._shape: tuple[object, ...] = ()

    def __call__(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Yield the pictures that are ready once this one, with its timestamp, has come."""
        if self._graph is None and not picture.interlaced_frame:
            yield picture
            return
        shape = (picture.format.name, picture.width, picture.height)
        if self._graph is None or shape != self._shape:
            yield from self.flush()
            if not self._shape:
                self._begun()
            self._graph, self._shape = self._new_graph(picture), shape
        self._graph.vpush(picture)
        yield from self._ready()

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield what is held back, at the end of a video."""
        if self._graph is not None:
            self._graph.vpush(None)
            yield from self._ready()
            self._graph = None

    def _ready(self) -> Iterator[av.VideoFrame]:
        assert self._graph is not None
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return

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
