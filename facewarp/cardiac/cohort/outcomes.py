"""Outcomes of the patients of a cohort."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """Outcome of a job.

    Attributes:
        name: of the patient.
        source: the cine.
        folder: the results.
        status: ``"skipped"`` where they were there already.
        summary: content of ``indices.json``; None if failed.
        error: one line; "" without one.
        seconds: duration.
        bytes: size of the folder.
        peak_mb: peak memory of its process; None where unknown.
        trace: of the error.
    """

    name: str
    source: Path
    folder: Path
    status: Status
    summary: dict[str, Any] | None = None
    error: str = ""
    seconds: float = 0.0
    bytes: int = 0
    peak_mb: float | None = None
    trace: str = ""


@dataclass(frozen=True)
class Cohort:
    """Outcomes of many patients.

    Attributes:
        outcomes: of each, in the order given.
        folder: that holds their folders.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path

    def of(self, status: str) -> tuple[Outcome, ...]:
        """Return the outcomes of one status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)
