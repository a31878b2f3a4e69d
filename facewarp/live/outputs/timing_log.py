"""Write the times of every frame to a file."""

import json
from pathlib import Path
from typing import TextIO

from facewarp.live.timing import Timing
from facewarp.system.atomic_files import OutputFile, write_error


class TimingWriter:
    """Write a JSON line for every frame, see `Timing.record`; lines are always whole.

    Args:
        target: the file, `.jsonl`.
        zero: the second of `time.perf_counter` that stamps are counted from.
    """

    def __init__(self, target: Path, zero: float) -> None:
        self.target = target
        self.kept = 0
        self._zero = zero
        self._output = OutputFile(target)
        self._file: TextIO = self._output.temporary.open("w", encoding="utf-8", buffering=1)

    def __call__(self, timing: Timing) -> None:
        """Write one line."""
        try:
            self._file.write(json.dumps(timing.record(self._zero)) + "\n")
        except OSError as error:
            raise write_error(error, self.target) from error
        self.kept += 1

    def close(self) -> None:
        """Move the file to its name."""
        if self._file.closed:
            return
        try:
            self._file.close()
        except OSError as error:
            self._output.discard()
            raise write_error(error, self.target) from error
        self._output.commit()
