"""Outcomes: what became of each patient of a cohort."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        name: of the patient.
        source: the cine.
        folder: the results.
        status: ``"skipped"`` where they were there already.
        summary: what ``indices.json`` holds; None if failed.
        error: what went wrong, one line; "" if nothing did.
        seconds: that it took.
        bytes: that the folder holds.
        peak_mb: most memory that its process ever had; None where that cannot be told.
        trace: where it went wrong, for those who ask.
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
    """What became of many patients.

    Attributes:
        outcomes: of each, in the order in which they were named.
        folder: that holds their folders.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path

    def of(self, status: str) -> tuple[Outcome, ...]:
        """Those of one status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)
