"""Run jobs as tasks on an existing Ray cluster."""

import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facewarp.cardiac.cohort.job import Job, work_on
from facewarp.cardiac.cohort.outcomes import Outcome
from facewarp.cardiac.cohort.worker_pool import Event, EventHandler
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

_RETRIES = 3  # of a task whose worker or node is lost


def run_on_ray(jobs: Sequence[Job], address: str, on_event: EventHandler) -> None:
    """Run jobs on a cluster.

    A task whose worker dies is given to another one; a folder that is finished by then is skipped.
    Every node must see the paths of sources and folders, and have facewarp installed. Never more
    tasks are waiting than the cluster has processors.

    Args:
        jobs: the patients.
        address: of the cluster, ``"auto"`` or ``"host:port"``; a cluster that this process is
            connected to already is used as it is.
        on_event: called with every event, as it happens.

    Raises:
        FacewarpError: Ray is not installed, or there is no cluster, or it wants a token.
    """
    if has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # a cluster that wants none ignores it
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
            raise _no_cluster(address) from error
    try:
        _run([_absolute(job) for job in jobs], on_event)
    finally:
        if ours:
            ray.shutdown()


def token_file() -> Path:
    """Return where Ray looks for the token that a cluster may want.

    It is what `RAY_AUTH_TOKEN_PATH` names, or ``~/.ray/auth_token``. A local ``ray.init()`` leaves
    one there, and a head that is started later wants it of everybody.
    """
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return Path(named) if named else Path.home() / ".ray" / "auth_token"


def has_token() -> bool:
    """Whether this user has a token for Ray, in a file or in `RAY_AUTH_TOKEN`."""
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or token_file().is_file()


def _no_cluster(address: str) -> FacewarpError:
    """What is said where connecting failed: Ray itself does not tell a missing token apart."""
    if has_token():
        what = "no Ray cluster answers at this address, or it wants another token than this user's"
    else:
        what = "no Ray cluster answers at this address, or it wants a token, and there is none here"
    fix = (
        "Start one with: ray start --head. One that runs may want the token of the user who "
        f"started it: copy ~/.ray/auth_token from its head to {token_file()}, or set "
        "RAY_AUTH_TOKEN."
    )
    return FacewarpError(what, address, fix)


def _run(jobs: Sequence[Job], on_event: EventHandler) -> None:
    import ray

    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(work_on)
    waiting = list(jobs)[::-1]
    running: dict[object, Job] = {}
    while waiting or running:
        most = 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        while waiting and len(running) < most:
            job = waiting.pop()
            running[task.remote(job)] = job
            on_event(Event("started", job))
        (ready,), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(ready)
        try:
            outcome = ray.get(ready)
        except ray.exceptions.RayError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            line = f"the cluster lost it: {lines[0]} ({job.source}). Run the command again."
            outcome = Outcome(job.name, job.source, job.folder, "failed", error=line)
        on_event(Event("ended", job, 1.0, outcome))


def _absolute(job: Job) -> Job:
    """Return the job with paths that are the same on every node."""
    labels = job.settings.labels
    model = job.settings.model
    settings = replace(
        job.settings,
        labels=None if labels is None else str(Path(labels).resolve()),
        model=str(Path(model).resolve()) if Path(model).exists() else model,
    )
    return replace(job, source=job.source.resolve(), folder=job.folder.resolve(), settings=settings)
