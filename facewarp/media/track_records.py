"""Track data as JSON lines or CSV, one record a face and frame."""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facewarp.media.table_writer import RowFile

LANDMARKS = 68
FIELDS = (
    "frame", "time_s", "face", "state", "confidence", "box", "landmarks", "folds_percent",
)  # fmt: skip
"""A record: frame index, seconds, face id, tracking/uncertain/lost, 0 to 1, the box (x0, y0, x1,
y1) px, the landmarks (68, 2) px, and the share of folded points in percent."""
FILE = "file"
"""The name of the frame's file, its own or that of its clip: a further field. A frame without a
face has one record too, whose fields are null but for frame, time_s and file."""

_DECIMALS = {"time_s": 6, "box": 2, "landmarks": 2}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "box": ("box_x0", "box_y0", "box_x1", "box_y1"),
    "landmarks": tuple(f"{axis}{point}" for point in range(LANDMARKS) for axis in "xy"),
}


class RecordWriter(RowFile):
    """Writes records to `.jsonl` or `.csv`; whole or interrupted, the file holds whole records.

    In CSV the box becomes box_x0 .. box_y1, the landmarks x0, y0 .. x67, y67. What a record does
    not have is null, or an empty cell.

    Args:
        target: The file, its kind told by the suffix.
        inputs: Files that must not be overwritten.
        files: Whether records have the field `FILE`.
    """

    def __init__(self, target: Path, inputs: Iterable[Path] = (), *, files: bool = False) -> None:
        self._fields = (*FIELDS, FILE) if files else FIELDS
        self._is_csv = target.suffix.lower() == ".csv"
        names: Sequence[str] = self._fields
        if self._is_csv:
            names = [column for name in names for column in _COLUMNS.get(name, (name,))]
        super().__init__(target, names, inputs)

    def write(self, record: Mapping[str, Any]) -> None:
        """Write one record; its keys are among `FIELDS`, arrays may be numpy's.

        Raises:
            FacewarpError: It could not be written.
        """
        unknown = set(record) - {*FIELDS, FILE}
        if unknown:
            raise ValueError(f"a record has no {sorted(unknown)}, only {self._fields}")
        plain = {name: _plain(record.get(name), _DECIMALS.get(name, 4)) for name in self._fields}
        row = [plain[name] for name in self._fields]
        if self._is_csv:
            row = [cell for name in self._fields for cell in _cells(plain, name)]
        self.append(row)


def open_records(
    path: str | os.PathLike[str], inputs: Iterable[Path] = (), *, files: bool = False
) -> RecordWriter:
    """Open a file for track data; see `RecordWriter`."""
    return RecordWriter(Path(path), inputs, files=files)


def _plain(value: Any, decimals: int) -> Any:
    """Numbers as Python's own, rounded, in nested lists; what is not finite as None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item, decimals) for item in value]
    if isinstance(value, float):
        return round(value, decimals) if np.isfinite(value) else None
    return value


def _cells(record: Mapping[str, Any], field: str) -> list[Any]:
    if field not in _COLUMNS:
        return [record[field]]
    columns, value = _COLUMNS[field], record[field]
    if value is None:
        return [None] * len(columns)
    cells = [cell for item in value for cell in (item if isinstance(item, list) else [item])]
    if len(cells) != len(columns):
        raise ValueError(f"{field} has {len(cells)} numbers, not {len(columns)}")
    return cells
