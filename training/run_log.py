"""Log of a training run: CSV tables, and TensorBoard events where it is installed."""

import csv
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from facewarp.system.atomic_files import write_error, written
from facewarp.training.checkpoint import LOG

log = logging.getLogger(__name__)


class RunLog:
    """``log.csv`` (a row per step), ``validation.csv`` and TensorBoard events of a run's folder.

    Args:
        folder: the run's folder.
        step: step the run is resumed from: later rows, of a run that was killed, are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self._train = TableLog(folder / LOG, step)
        self._validation = TableLog(folder / "validation.csv", step)
        self._board = open_tensorboard(folder, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._train.close()
        self._validation.close()
        if self._board is not None:
            self._board.close()

    def train(self, step: int, values: Mapping[str, float]) -> None:
        """Log an optimization step."""
        self._record("train", self._train, step, values)

    def validation(self, step: int, values: Mapping[str, float]) -> None:
        """Log a validation."""
        self._record("validation", self._validation, step, values)

    def _record(self, kind: str, table: "TableLog", step: int, values: Mapping[str, float]) -> None:
        table.write({"step": step, **values})
        if self._board is not None:
            for name, value in values.items():
                self._board.add_scalar(f"{kind}/{name}", value, step)


class TableLog:
    """A CSV file with a row a step, on disk as soon as it is written.

    Args:
        path: the file. Its rows up to `step` are kept, so that no step is missing or repeated.
        step: step the run is resumed from; 0 begins a new file.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = _rows_until(path, step)
        self._path = path
        self._columns: list[str] | None = list(kept[0]) if kept else None
        with (
            written(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as new,
        ):
            if self._columns is not None:
                writer = csv.DictWriter(new, self._columns)
                writer.writeheader()
                writer.writerows(kept)
        self._file = open(path, "a", newline="", encoding="utf-8")  # noqa: SIM115

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row; the first one's keys are the columns.

        Raises:
            FacewarpError: the disk is full.
        """
        is_first = self._columns is None
        columns = self._columns = self._columns or list(row)
        writer = csv.DictWriter(self._file, columns, restval="", extrasaction="ignore")
        try:
            if is_first:
                writer.writeheader()
            writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
            self._file.flush()
        except OSError as error:
            raise write_error(error, self._path) from error

    def close(self) -> None:
        """Close the file."""
        try:
            self._file.close()
        except OSError as error:  # what `write` could not flush
            log.debug("%s: %s", self._path, error)


def _rows_until(path: Path, step: int) -> list[dict[str, str]]:
    """Read the rows of a table up to a step, without a truncated last line."""
    if step == 0 or not path.is_file():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        whole = [line for line in file if line.endswith("\n")]
    return [row for row in csv.DictReader(whole) if int(row["step"]) <= step]


def open_tensorboard(folder: Path, step: int) -> Any | None:
    """Return a TensorBoard writer, or None where tensorboard is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        log.info("tensorboard is not installed; the CSV log has everything")
        return None
    return SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)
