"""Write the times of every frame to a file."""

import json
import logging
import os
from pathlib import Path
from typing import TextIO

from facewarp.errors import FacewarpError
from facewarp.live.timing import Timing
from facewarp.system.atomic_files import OutputFile, write_error

_log = logging.getLogger(__name__)


class TimingWriter:
    """Write a JSON line for every frame, see `Timing.record`; lines are always whole.

    What keeps it from writing is said once, and raised when it is closed: no show ends because
    its times have no room.

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
        self._whole = 0  # bytes
        self._failure: FacewarpError | None = None

    def __call__(self, timing: Timing) -> None:
        """Write one line, as long as that works."""
        if self._failure is not None:
            return
        line = json.dumps(timing.record(self._zero)) + "\n"
        try:
            self._file.write(line)
        except OSError as error:
            self._failure = write_error(error, self.target)
            what = "%s: nothing more is written, the session goes on: %s"
            _log.warning(what, self.target, self._failure.what)
            return
        self._whole += len(line)
        self.kept += 1

    def close(self) -> None:
        """Move the file to its name.

        Raises:
            FacewarpError: not all could be written; the lines before are kept.
        """
        if self._file.closed:
            return
        try:
            self._file.close()
        except OSError as error:
            self._failure = self._failure or write_error(error, self.target)
        if self._failure is None:
            self._output.commit()
            return
        if self._whole:
            os.truncate(self._output.temporary, self._whole)
            self._output.commit()
        else:
            self._output.discard()
        raise self._failure
