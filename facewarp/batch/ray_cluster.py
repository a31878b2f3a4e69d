"""Run jobs as tasks on an existing Ray cluster."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path

from facewarp.batch.jobs import Job, Outcome, failed, work_on
from facewarp.batch.worker_pool import Event, EventHandler, run_in_processes
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

_RETRIES = 3  # of a task whose worker or node is lost


def run_on_ray(
    jobs: Sequence[Job],
    address: str,
    on_event: EventHandler,
    *,
    time_limit_s: float | None = None,
) -> None:
    """Run jobs on a cluster.

    A task whose worker dies is given to another one; a job that is finished by then is skipped.
    Every node must see the paths of sources and targets, and have facewarp installed. Never more
    tasks are waiting than the cluster has processors.

    Args:
        jobs: what to do.
        address: of the cluster, ``"auto"`` or ``"host:port"``; a cluster that this process is
            connected to already is used as it is.
        on_event: called with every event, as it happens.
        time_limit_s: for each job, from when a worker of the cluster has it.

    Raises:
        FacewarpError: Ray is not installed, or there is no cluster, or it wants a token.
    """
    if has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # a cluster that wants none ignores it
    try:
        import ray
    except ImportError as error:
        fix = f"Install it: {install_command('cluster')}"
        raise FacewarpError("--ray needs Ray, which is not installed", fix=fix) from error
    ours = not ray.is_initialized()
    if ours:
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
            raise _no_cluster(address) from error
    try:
        _run([job.absolute() for job in jobs], on_event, time_limit_s)
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
    """Say why connecting may have failed: Ray itself does not tell a missing token apart."""
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


def _run(jobs: Sequence[Job], on_event: EventHandler, time_limit_s: float | None) -> None:
    import ray

    task = ray.remote(num_cpus=1, max_retries=_RETRIES)(_work_within)
    waiting = list(jobs)[::-1]
    running: dict[object, Job] = {}
    while waiting or running:
        most = 2 * max(int(ray.cluster_resources().get("CPU", 1)), 1)
        while waiting and len(running) < most:
            job = waiting.pop()
            running[task.remote(job, time_limit_s)] = job
            on_event(Event("started", job))
        (ready,), _ = ray.wait(list(running), num_returns=1)
        job = running.pop(ready)
        try:
            outcome = ray.get(ready)
        except ray.exceptions.RayError as error:
            lines = str(error).splitlines() or [type(error).__name__]
            line = f"the cluster lost it: {lines[0]} ({job.source}). Run the command again."
            outcome = failed(job, line)
        on_event(Event("ended", job, 1.0, outcome))


def _work_within(job: Job, time_limit_s: float | None) -> Outcome:
    """Run a job on a node; with a time limit in a process of its own, which can be ended."""
    if time_limit_s is None:
        return work_on(job)
    outcomes: list[Outcome] = []

    def heard(event: Event) -> None:
        if event.outcome is not None:
            outcomes.append(event.outcome)

    run_in_processes([job], 1, heard, time_limit_s=time_limit_s)
    return outcomes[0]
