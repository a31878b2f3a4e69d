"""Jobs of a batch and their outcomes."""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from facewarp.errors import FacewarpError
from facewarp.system.machine import limit_cores
from facewarp.system.memory import peak_mb

Status = Literal["done", "skipped", "failed"]
Report = Callable[[float], None]
"""Called with the share of a job that is done, 0 to 1."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of a job.

    Attributes:
        name: of the job.
        source: what was read.
        target: what was written, a file or a folder.
        status: ``"skipped"`` where it was there already.
        summary: what was found; None if failed.
        error: one line; "" without one.
        seconds: duration.
        bytes: size of what was written.
        peak_mb: peak memory of its process; None where unknown.
        trace: of the error.
    """

    name: str
    source: Path
    target: Path
    status: Status
    summary: dict[str, Any] | None = None
    error: str = ""
    seconds: float = 0.0
    bytes: int = 0
    peak_mb: float | None = None
    trace: str = ""


class Job(Protocol):
    """One input of a batch. Jobs are pickled on their way to another process.

    Attributes:
        name: tells it from the others of its batch.
        source: what is read.
        target: what is written.
        threads: for computing; None for as many as the machine has cores.
    """

    @property
    def name(self) -> str:
        """See `Job`."""

    @property
    def source(self) -> Path:
        """See `Job`."""

    @property
    def target(self) -> Path:
        """See `Job`."""

    @property
    def threads(self) -> int | None:
        """See `Job`."""

    def run(self, report: Report) -> Outcome:
        """Do it, unless it is done already; what it raises fails this job alone.

        Args:
            report: called with the share of the work done, 0 to 1.

        Returns:
            A ``"done"`` or ``"skipped"`` outcome; `work_on` measures its time and memory.
        """

    def already(self) -> Outcome | None:
        """Return a ``"skipped"`` outcome where it is done already, and whole; None otherwise."""

    def sweep(self) -> None:
        """Remove what a process that was killed during it has left half-written."""

    def absolute(self) -> Self:
        """Return the job with paths that are the same on every machine of a cluster."""


@dataclass(frozen=True)
class Batch:
    """Outcomes of many jobs.

    Attributes:
        outcomes: of each, in the order given.
        folder: that holds what they wrote.
    """

    outcomes: tuple[Outcome, ...]
    folder: Path

    def of(self, status: Status) -> tuple[Outcome, ...]:
        """Return the outcomes of one status."""
        return tuple(outcome for outcome in self.outcomes if outcome.status == status)


def work_on(job: Job, report: Report | None = None) -> Outcome:
    """Run a job; an error is part of the outcome, nothing but Ctrl-C is raised.

    Args:
        job: what to do.
        report: see `Job.run`.
    """
    began = time.perf_counter()
    if job.threads is not None:
        limit_cores(job.threads)
    try:
        outcome = job.run(report or (lambda _: None))
    except Exception as error:  # noqa: BLE001 - the other jobs shall not suffer from it
        trace = "".join(traceback.format_exception(error))
        line = str(error) if isinstance(error, FacewarpError) else _unforeseen(error, job.source)
        outcome = failed(job, line)
        outcome = replace(outcome, trace=trace)
    if outcome.status == "skipped":
        return outcome
    return replace(outcome, seconds=time.perf_counter() - began, peak_mb=peak_mb())


def failed(job: Job, error: str, seconds: float = 0.0) -> Outcome:
    """Return the outcome of a job that failed for a reason, one line."""
    return Outcome(job.name, job.source, job.target, "failed", error=error, seconds=seconds)


def _unforeseen(error: Exception, source: Path) -> str:
    if isinstance(error, MemoryError) or "allocate" in str(error):
        return f"there is not enough memory ({source}). Use fewer --workers, or a larger machine."
    return f"{type(error).__name__}: {' '.join(str(error).split())} ({source})"
