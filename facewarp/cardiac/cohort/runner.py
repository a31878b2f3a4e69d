"""Run a cohort: one job a patient, then one table and one page."""

from collections.abc import Callable, Sequence
from pathlib import Path

from facewarp.cardiac.cohort.job import Job, Settings
from facewarp.cardiac.cohort.outcomes import Cohort, Outcome
from facewarp.cardiac.cohort.ray_cluster import run_on_ray
from facewarp.cardiac.cohort.table import write_cohort
from facewarp.cardiac.cohort.worker_pool import Event, run_here, run_in_processes


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
    on_event: Callable[[Event], None] | None = None,
) -> Cohort:
    """Analyze patients, and write ``cohort.csv`` and ``cohort.html`` for more than one.

    Both are also written when the run is interrupted.

    Args:
        jobs: the patients.
        out: the folder of their folders.
        workers: processes; 1 works in this one.
        ray_address: run on this Ray cluster instead.
        on_event: called with every event, as it happens.

    Raises:
        FacewarpError: the cluster can't be reached, or the table can't be written.
    """
    ended: dict[str, Outcome] = {}

    def heard(event: Event) -> None:
        if event.outcome is not None:
            ended[event.job.name] = event.outcome
        if on_event is not None:
            on_event(event)

    def cohort() -> Cohort:
        return Cohort(tuple(ended[job.name] for job in jobs if job.name in ended), out)

    try:
        if ray_address is not None:
            run_on_ray(jobs, ray_address, heard)
        elif workers > 1:
            run_in_processes(jobs, workers, heard)
        else:
            run_here(jobs, heard)
    except KeyboardInterrupt as stop:
        kept = len(cohort().of("done")) + len(cohort().of("skipped"))
        if len(jobs) > 1 and kept:
            write_cohort(cohort())
        stop.add_note(f"kept {kept} of {len(jobs)} patients in {out}; the same command goes on")
        raise
    if len(jobs) > 1 and any(outcome.status != "failed" for outcome in ended.values()):
        write_cohort(cohort())
    return cohort()
