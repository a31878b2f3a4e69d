"""Run a cohort: one job a patient, then one table and one page."""

from collections.abc import Callable, Sequence
from pathlib import Path

from facewarp.batch.jobs import Batch
from facewarp.batch.runner import run_batch
from facewarp.batch.worker_pool import Event
from facewarp.cardiac.cohort.job import Job, Settings
from facewarp.cardiac.cohort.table import write_cohort


def jobs_for(
    patients: dict[str, Path],
    out: Path,
    settings: Settings,
    *,
    resume: bool = True,
    threads: int | None = None,
) -> list[Job]:
    """Return a job for each patient, with a folder of its name below another."""
    return [Job(n, p, out / n, settings, resume, threads) for n, p in patients.items()]


def run_cohort(
    jobs: Sequence[Job],
    out: Path,
    *,
    workers: int = 1,
    ray_address: str | None = None,
    time_limit_s: float | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> Batch:
    """Analyze patients, and write ``cohort.csv`` and ``cohort.html`` for more than one.

    Both are also written when the run is interrupted.

    Args:
        jobs: the patients.
        out: the folder of their folders.
        workers: processes; 1 works in this one, unless there is a time limit.
        ray_address: run on this Ray cluster instead.
        time_limit_s: for each patient.
        on_event: called with every event, as it happens.

    Raises:
        FacewarpError: the cluster can't be reached, or the table can't be written.
    """

    def write(cohort: Batch) -> None:
        if len(jobs) > 1:
            write_cohort(cohort)

    cohort = run_batch(
        jobs,
        out,
        "patients",
        workers=workers if workers > 1 else None,
        ray_address=ray_address,
        time_limit_s=time_limit_s,
        on_event=on_event,
        on_interrupt=write,
    )
    if any(outcome.status != "failed" for outcome in cohort.outcomes):
        write(cohort)
    return cohort
