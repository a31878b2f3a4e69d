"""Tables of numbers, written row by row: CSV or JSON lines."""

import contextlib
import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, TextIO

from facewarp.errors import FacewarpError
from facewarp.media.outputs import Output
from facewarp.system.atomic_files import OutputFile, plain_cell, write_error

SUFFIXES = (".csv", ".jsonl")


class RowFile(Output):
    """Rows in `.csv` or `.jsonl`; whole or interrupted, the file holds whole rows.

    Args:
        target: the file, its kind told by the suffix.
        columns: names of the columns; None in a row becomes an empty cell, or null.
        inputs: files that must not be overwritten.

    Raises:
        FacewarpError: the file is of no such kind or can't be written.
    """

    refusal: ClassVar = "data is written as .jsonl or .csv"
    """What is said of a file of another kind."""

    def __init__(self, target: Path, columns: Sequence[str], inputs: Iterable[Path] = ()) -> None:
        super().__init__(target)
        if target.suffix.lower() not in SUFFIXES:
            raise FacewarpError(self.refusal, target, "Give the file one of these suffixes.")
        self._columns = tuple(columns)
        self._output = OutputFile(target, inputs)
        self._file: TextIO = self._output.temporary.open(
            "w",
            encoding="utf-8",
            errors="backslashreplace",
            newline="",  # names may be no UTF-8
        )
        self._rows = None
        if target.suffix.lower() == ".csv":
            self._rows = csv.writer(self._file, lineterminator="\n")
            self._rows.writerow(self._columns)

    def append(self, row: Sequence[Any]) -> None:
        """Append a row, a value a column.

        Raises:
            FacewarpError: it could not be written.
        """
        try:
            if self._rows is not None:
                self._rows.writerow([plain_cell(v) if isinstance(v, str) else v for v in row])
            else:
                plain = dict(zip(self._columns, row, strict=True))
                self._file.write(json.dumps(plain, separators=(",", ":")) + "\n")
        except OSError as error:
            raise write_error(error, self.target) from error
        self.kept += 1

    def close(self, *, keep_partial: bool = False) -> None:
        """See `Output.close`. A table without rows is written too."""
        if self._file.closed:
            return
        try:
            self._file.close()
        except OSError as error:
            self.abort()
            raise write_error(error, self.target) from error
        if keep_partial and self.kept == 0:
            self._output.discard()
        else:
            self._output.commit()

    def abort(self) -> None:
        """See `Output.abort`."""
        self.kept = 0
        with contextlib.suppress(OSError):  # what can't be flushed is not wanted any more
            self._file.close()
        self._output.discard()


class TableWriter(RowFile):
    """Write rows of numbers and texts."""

    refusal = f"a table is written as {' or '.join(SUFFIXES)}"

    def write(self, row: Sequence[Any]) -> None:
        """Write a row, a value a column.

        Raises:
            FacewarpError: it could not be written.
        """
        self.append(row)
