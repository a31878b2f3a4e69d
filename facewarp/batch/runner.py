"""Run a batch: in this process, in several, or on a cluster."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from facewarp.batch.jobs import Batch, Job, Outcome
from facewarp.batch.ray_cluster import run_on_ray
from facewarp.batch.worker_pool import Event, EventHandler, run_here, run_in_processes
from facewarp.errors import FacewarpError


def run_batch(
    jobs: Sequence[Job],
    folder: Path,
    what: str,
    *,
    workers: int | None = None,
    ray_address: str | None = None,
    time_limit_s: float | None = None,
    on_event: EventHandler | None = None,
    on_interrupt: Callable[[Batch], None] = lambda batch: None,
) -> Batch:
    """Run jobs, whichever of them fail.

    Args:
        jobs: what to do.
        folder: that holds what they write.
        what: they are, in the plural, for messages.
        workers: processes; None works in this one, unless there is a time limit.
        ray_address: run on this Ray cluster instead.
        time_limit_s: for each job; one that takes longer is ended and has failed.
        on_event: called with every event, as it happens.
        on_interrupt: called on Ctrl-C with what is finished, if anything is.

    Raises:
        FacewarpError: the cluster can't be reached.
        KeyboardInterrupt: with a note that says what was kept.
    """
    ended: dict[str, Outcome] = {}
    begun: dict[str, Job] = {}

    def heard(event: Event) -> None:
        begun[event.job.name] = event.job
        if event.outcome is not None:
            ended[event.job.name] = event.outcome
        if on_event is not None:
            on_event(event)

    def batch() -> Batch:
        return Batch(tuple(ended[job.name] for job in jobs if job.name in ended), folder)

    try:
        if ray_address is not None:
            run_on_ray(jobs, ray_address, heard, time_limit_s=time_limit_s)
        elif workers is not None or time_limit_s is not None:
            run_in_processes(jobs, workers or 1, heard, time_limit_s=time_limit_s)
        else:
            run_here(jobs, heard)
    except KeyboardInterrupt as stop:
        for name, job in begun.items():
            if name not in ended:  # what it wrote may have appeared just before
                with suppress(FacewarpError, OSError):
                    found = job.already()
                    ended |= {} if found is None else {name: replace(found, status="done")}
        kept = len(batch().of("done")) + len(batch().of("skipped"))
        if kept:
            on_interrupt(batch())
        stop.add_note(f"kept {kept} of {len(jobs)} {what} in {folder}; the same command goes on")
        raise
    return batch()
