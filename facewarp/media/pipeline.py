"""One pass through a source: every frame is worked on, written, and recorded."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from facewarp.media.records import RecordWriter
from facewarp.media.sinks import Sink
from facewarp.media.sources import Frame, Image, Source

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
    note that says so; on any other error neither output appears.

    Args:
        source: an open source; closed at the end.
        sink: an open sink; closed at the end.
        work: from a frame to its new picture and its records.
        records: where records go; dropped without.
        advance: called after each frame.
    """
    began = perf_counter()
    try:
        with source, sink:
            if records is None:
                _pump(source, sink, work, None, advance)
            else:
                with records:
                    _pump(source, sink, work, records, advance)
    except KeyboardInterrupt as stop:
        stop.add_note(f"kept {sink.kept} frames in {sink.target}" if sink.kept else "nothing kept")
        raise
    seconds = perf_counter() - began
    return Pass(source.path, sink.target, sink.kept, seconds, source.truncated)


def _pump(
    source: Source,
    sink: Sink,
    work: Work,
    records: RecordWriter | None,
    advance: Callable[[], None],
) -> None:
    for frame in source:
        image, found = work(frame)
        sink.write(frame.with_image(image))
        if records is not None:
            for record in found:
                records.write(record)
        advance()
