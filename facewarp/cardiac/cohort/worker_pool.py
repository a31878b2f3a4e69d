"""Worker pool: run jobs in several processes, isolated from one another's crashes."""

import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Final, Literal

from facewarp.cardiac.cohort.job import Job, work_on
from facewarp.cardiac.cohort.outcomes import Outcome

_TRIES: Final = 2  # of a job whose process dies
_PATIENCE_S: Final = 20.0  # for a process to clean up after it is asked to stop


@dataclass(frozen=True)
class Event:
    """Event of a job.

    Attributes:
        kind: ``"started"``, ``"progress"`` or ``"ended"``.
        job: the patient.
        share: of the work done, 0 to 1.
        outcome: of a job that ended.
    """

    kind: Literal["started", "progress", "ended"]
    job: Job
    share: float = 0.0
    outcome: Outcome | None = None


EventHandler = Callable[[Event], None]


def run_here(jobs: Sequence[Job], on_event: EventHandler) -> None:
    """Run jobs one after the other in this process.

    Args:
        jobs: the patients.
        on_event: called with every event, as it happens.
    """
    for job in jobs:
        on_event(Event("started", job))
        on_event(Event("ended", job, 1.0, work_on(job, partial(_progress, on_event, job))))


def _progress(on_event: EventHandler, job: Job, share: float) -> None:
    on_event(Event("progress", job, share))


def run_in_processes(jobs: Sequence[Job], count: int, on_event: EventHandler) -> None:
    """Run jobs in parallel processes.

    A process has one patient at a time. One that dies, as when memory runs out, is replaced, and
    its job is tried once more after all others. Ctrl-C stops the processes,
    which leave no half-written folder.

    Args:
        jobs: the patients.
        count: number of processes.
        on_event: called with every event, as it happens.
    """
    context = get_context("spawn")
    waiting, tries = deque(jobs), dict.fromkeys((job.name for job in jobs), 0)
    workers = [_Worker(context) for _ in range(min(count, len(jobs)))]
    try:
        while waiting or any(worker.job for worker in workers):
            for worker in workers:
                if worker.job is None and waiting:
                    worker.begin(waiting.popleft())
                    tries[worker.busy.name] += 1
                    on_event(Event("started", worker.busy))
            ready = connection.wait([worker.pipe for worker in workers if worker.job is not None])
            for worker in [worker for worker in workers if worker.pipe in ready]:
                job = worker.busy
                try:
                    said = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    code = worker.stop()
                    workers[workers.index(worker)] = _Worker(context)
                    if tries[job.name] < _TRIES:
                        waiting.append(job)
                        continue
                    error = _died(code, job)
                    said = Outcome(job.name, job.source, job.folder, "failed", error=error)
                if isinstance(said, Outcome):
                    worker.job = None
                    on_event(Event("ended", job, 1.0, said))
                else:
                    on_event(Event("progress", job, float(said)))
    finally:
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE_S  # of all together
        for worker in workers:
            worker.stop(max(0.0, deadline - time.monotonic()))


def _died(code: int | None, job: Job) -> str:
    return (
        f"the process that worked on it died twice (exit code {code}), as it does when memory "
        f"runs out ({job.source}). Use fewer --workers."
    )


class _Worker:
    """A process, its pipe, and its current job."""

    def __init__(self, context: SpawnContext) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None

    @property
    def busy(self) -> Job:
        assert self.job is not None
        return self.job

    def begin(self, job: Job) -> None:
        self.job = job
        with suppress(OSError):  # it has died: reading from it says so
            self.pipe.send(job)

    def stop(self, patience_s: float = _PATIENCE_S) -> int | None:
        """End the process, killing one that hangs, and return its exit code."""
        self.pipe.close()
        self.process.join(patience_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        return self.process.exitcode


def _serve(pipe: Connection) -> None:
    """Run jobs from the pipe in a worker process, until the pipe is closed."""

    def leave(*_: object) -> None:
        raise SystemExit(143)  # cleans up on its way

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    signal.signal(signal.SIGTERM, leave)
    try:
        while True:
            job: Job = pipe.recv()
            pipe.send(work_on(job, pipe.send))
    except (EOFError, OSError):
        return
