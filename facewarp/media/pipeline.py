"""One pass through a source: what is found in every frame is drawn, written and recorded.

decoding -> finding -> drawing (the caller's thread) -> encoding, a thread each
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

from facewarp.media.frames import Frame, Image, Source
from facewarp.media.prefetch import ReadAhead, queue_depth
from facewarp.media.sinks import Sink
from facewarp.media.track_records import RecordWriter

Record = Mapping[str, Any]
Found = TypeVar("Found")

_AHEAD = 16  # frames found in and not drawn yet: work for the others during a thorough search


@dataclass(frozen=True)
class Pass:
    """What one pass did.

    Attributes:
        source: what was read.
        output: what was written.
        frames: how many frames were written.
        seconds: wall time, reading and writing included.
        truncated: the source was damaged or ended early; what could be read was written.
    """

    source: Path
    output: Path
    frames: int
    seconds: float
    truncated: bool

    @property
    def fps(self) -> float:
        """Frames per second of wall time."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def run_pass(
    source: Source,
    open_sink: Callable[[], Sink],
    follow: Callable[[Iterable[Frame]], Iterator[tuple[Frame, Found]]],
    draw: Callable[[Frame, Found], tuple[Image | Frame, Iterable[Record]]],
    open_records: Callable[[], RecordWriter] | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Pass:
    """Read a source to its end through ``follow`` and ``draw`` into a sink and records.

    Reading and writing run in threads of their own where they are slow, and so does ``follow``,
    a few frames ahead of ``draw``, which runs here. On Ctrl-C both outputs keep what was done,
    under their final names, and the exception carries a note that says so. On any other error
    neither output appears, but pictures of a folder that are finished stay.

    Args:
        source: an open source; closed at the end.
        open_sink: opens where pictures go, while the first frame is being found; closed at the
            end.
        follow: from the source's frames to the same frames, in order, with what is in each; it may
            hold some back. Runs in a thread of its own.
        draw: from a frame and what is in it to its new picture, or the frame with it, and its
            records.
        open_records: the same for records, which are dropped without.
        advance: called after each frame.
    """
    began = perf_counter()

    sink: Sink | None = None
    records: RecordWriter | None = None
    try:
        with ExitStack() as opened:
            opened.enter_context(source)
            depth = min(_AHEAD, queue_depth(3 * source.size[0] * source.size[1]))
            ahead = ReadAhead(lambda: follow(source), depth, f"find {source.name}")
            seen = opened.enter_context(closing(ahead))
            if open_records is not None:
                records = opened.enter_context(open_records())
            sink = open_sink()
            opened.enter_context(sink)  # closes, or fails, before the records
            for frame, found in seen:
                image, told = draw(frame, found)
                sink.write(image if isinstance(image, Frame) else frame.with_image(image))
                if records is not None:
                    for record in told:
                        records.write(record)
                advance()
    except KeyboardInterrupt as stop:
        stop.add_note(_kept(sink, records))
        raise
    assert sink is not None
    return Pass(source.path, sink.target, sink.kept, perf_counter() - began, source.truncated)


def _kept(sink: Sink | None, records: RecordWriter | None) -> str:
    """Return what an interrupted pass has left."""
    if sink is None:
        return "nothing was written yet"
    if not sink.kept:
        return f"nothing was written to {sink.target}"
    frames = "the first frame" if sink.kept == 1 else f"the first {sink.kept} frames"
    data = f" and their data in {records.target}" if records is not None and records.kept else ""
    return f"kept {frames} in {sink.target}{data}"
