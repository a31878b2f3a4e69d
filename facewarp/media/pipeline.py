"""One pass through a source: every frame is worked on, written, and recorded."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from facewarp.media.frames import Frame, Image, Source
from facewarp.media.records import RecordWriter
from facewarp.media.sinks import Sink

Record = Mapping[str, Any]
Work = Callable[[Frame], tuple[Image, Iterable[Record]]]


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
    sink: Sink,
    work: Work,
    records: RecordWriter | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Pass:
    """Read ``source`` to its end through ``work`` into ``sink`` and ``records``.

    Reading and writing run in threads of their own where they are slow; ``work`` runs here. On
    Ctrl-C both outputs keep what was done, under their final names, and the exception carries a
    note that says so. On any other error neither output appears, but pictures of a folder that
    are finished stay.

    Args:
        source: an open source; closed at the end.
        sink: an open sink; closed at the end.
        work: from a frame to its new picture and its records.
        records: where records go, closed at the end; dropped without.
        advance: called after each frame.
    """
    began = perf_counter()
    try:
        with source, records or nullcontext(), sink:  # the sink is the first to close, or to fail
            for frame in source:
                image, found = work(frame)
                sink.write(frame.with_image(image))
                if records is not None:
                    for record in found:
                        records.write(record)
                advance()
    except KeyboardInterrupt as stop:
        stop.add_note(_kept(sink, records))
        raise
    return Pass(source.path, sink.target, sink.kept, perf_counter() - began, source.truncated)


def _kept(sink: Sink, records: RecordWriter | None) -> str:
    """What an interrupted pass has left."""
    if not sink.kept:
        return f"nothing was written to {sink.target}"
    frames = "the first frame" if sink.kept == 1 else f"the first {sink.kept} frames"
    data = f" and their data in {records.target}" if records is not None and records.kept else ""
    return f"kept {frames} in {sink.target}{data}"
