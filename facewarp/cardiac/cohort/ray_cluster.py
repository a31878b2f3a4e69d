"""The same jobs as tasks on a Ray cluster that runs already."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facewarp.cardiac.cohort.job import Job, work_on
from facewarp.cardiac.cohort.outcomes import Outcome
from facewarp.cardiac.cohort.worker_pool import Event, Told
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

_RETRIES = 3  # of a task whose worker or node is lost


def run_on_ray(jobs: Sequence[Job], address: str, told: Told) -> None:
    """Do jobs on a cluster.

    A task whose worker dies is given to another one; a folder that is finished by then is found so
    and not made again. Sources and folders are paths that every node has to see, and facewarp has
    to be installed there. Never more tasks are waiting than the cluster has processors.

    Args:
        jobs: what is to be done.
        address: of the cluster, ``"auto"`` or ``"host:port"``; a cluster that this process is
            connected to already is used as it is.
        told: of every event, as it happens.

    Raises:
        FacewarpError: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
    except ImportError as error:
        fix = f"Install it with: {install_command('cluster')}"
        raise FacewarpError("--ray needs Ray, which is not installed", fix=fix) from error
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            what = "no Ray cluster answers at this address"
            fix = "Start one with: ray start --head"
            raise FacewarpError(what, address, fix) from error
    try:
        _run([_absolute(job) for job in jobs], told)
    finally:
        if ours:
            ray.shutdown()


def _run(jobs: Sequence[Job], told: Told) -> None:
    import ray

    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(work_on)
    waiting = list(jobs)[::-1]
    running: dict[object, Job] = {}
    while waiting or running:
        most = 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        while waiting and len(running) < most:
            job = waiting.pop()
            running[task.remote(job)] = job
            told(Event("started", job))
        (ready,), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(ready)
        try:
            outcome = ray.get(ready)
        except ray.exceptions.RayError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            line = f"the cluster lost it: {lines[0]} ({job.source}). Run the command again."
            outcome = Outcome(job.name, job.source, job.folder, "failed", error=line)
        told(Event("ended", job, 1.0, outcome))


def _absolute(job: Job) -> Job:
    """The job with paths that mean the same on every node."""
    labels = job.settings.labels
    model = job.settings.model
    settings = replace(
        job.settings,
        labels=None if labels is None else str(Path(labels).resolve()),
        model=str(Path(model).resolve()) if Path(model).exists() else model,
    )
    return replace(job, source=job.source.resolve(), folder=job.folder.resolve(), settings=settings)
