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

from facewarp.batch.jobs import Job, Outcome, failed, work_on

_TRIES: Final = 2  # of a job whose process dies
_PATIENCE_S: Final = 20.0  # for processes to clean up after they are asked to stop
_LATE_PATIENCE_S: Final = 5.0  # for one whose time is over: the others wait for it
_NOTICE_S: Final = 300.0  # of silence that is told of
_START_S: Final = 60.0  # for a process to start; not counted as its job's time


@dataclass(frozen=True)
class Event:
    """Event of a job.

    Attributes:
        kind: ``"started"``, ``"progress"``, ``"silent"`` (nothing has been heard of it for long)
            or ``"ended"``.
        job: which.
        share: of the work done, 0 to 1.
        outcome: of a job that ended.
        silent_s: how long nothing has been heard.
    """

    kind: Literal["started", "progress", "silent", "ended"]
    job: Job
    share: float = 0.0
    outcome: Outcome | None = None
    silent_s: float = 0.0


EventHandler = Callable[[Event], None]


def run_here(jobs: Sequence[Job], on_event: EventHandler) -> None:
    """Run jobs one after the other in this process.

    Args:
        jobs: what to do.
        on_event: called with every event, as it happens.
    """
    for job in jobs:
        on_event(Event("started", job))
        on_event(Event("ended", job, 1.0, work_on(job, partial(_progress, on_event, job))))


def _progress(on_event: EventHandler, job: Job, share: float) -> None:
    on_event(Event("progress", job, share))


def run_in_processes(
    jobs: Sequence[Job],
    count: int,
    on_event: EventHandler,
    *,
    time_limit_s: float | None = None,
    notice_s: float = _NOTICE_S,
) -> None:
    """Run jobs in parallel processes.

    A process has one job at a time. One that dies, as when memory runs out, is replaced, and
    its job is tried once more after all others. One that works on its job for longer than it may
    is ended and replaced, and that job has failed. Ctrl-C stops the processes, which leave
    nothing half-written.

    Args:
        jobs: what to do.
        count: number of processes.
        on_event: called with every event, as it happens.
        time_limit_s: for each job, from when a process begins it.
        notice_s: after how much silence of a job there is a ``"silent"`` event.
    """
    context = get_context("spawn")
    waiting, tries = deque(jobs), dict.fromkeys((job.name for job in jobs), 0)
    workers = [_Worker(context) for _ in range(min(count, len(jobs)))]
    try:
        while waiting or any(worker.job for worker in workers):
            for worker in workers:
                if worker.job is None and waiting:
                    worker.begin(waiting.popleft(), time_limit_s or float("inf"), notice_s)
                    tries[worker.busy.name] += 1
                    on_event(Event("started", worker.busy))
            busy = [worker for worker in workers if worker.job is not None]
            ready = connection.wait([w.pipe for w in busy], max(0.0, min(map(_left, busy))))
            for worker in [worker for worker in busy if worker.pipe in ready]:
                job = worker.busy
                try:
                    said = worker.pipe.recv()
                except (EOFError, ConnectionError):
                    code = worker.stop()
                    job.sweep()
                    workers[workers.index(worker)] = _Worker(context)
                    if tries[job.name] < _TRIES:
                        waiting.append(job)
                        continue
                    said = failed(job, _died(code, job))
                if isinstance(said, Outcome):
                    worker.job = None
                    on_event(Event("ended", job, 1.0, said))
                else:
                    worker.heard(float(said))
                    on_event(Event("progress", job, float(said)))
            for worker in [worker for worker in workers if worker.job is not None]:
                job, now = worker.busy, time.monotonic()
                if now >= worker.ends:
                    worker.process.terminate()
                    worker.stop(_LATE_PATIENCE_S)
                    job.sweep()
                    workers[workers.index(worker)] = _Worker(context)
                    late = failed(job, _late(job, time_limit_s), now - (worker.began or now))
                    on_event(Event("ended", job, 1.0, late))
                elif now >= worker.told:
                    worker.told = float("inf")
                    on_event(Event("silent", job, worker.share, silent_s=notice_s))
    finally:
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE_S  # of all together
        for worker in workers:
            worker.stop(max(0.0, deadline - time.monotonic()))
            if worker.job is not None:
                worker.job.sweep()


def _left(worker: "_Worker") -> float:
    """Seconds until something is due that a worker does not say itself, at most an hour."""
    return min(min(worker.ends, worker.told) - time.monotonic(), 3600.0)


def _died(code: int | None, job: Job) -> str:
    return (
        f"the process that worked on it died twice (exit code {code}), as it does when memory "
        f"runs out ({job.source}). Use fewer --workers."
    )


def _late(job: Job, limit_s: float | None) -> str:
    return (
        f"it was not done within --time-limit {limit_s:g} and was ended ({job.source}). "
        "Give it longer, or see what is wrong with it."
    )


class _Worker:
    """A process, its pipe, and its current job.

    Attributes:
        began: when it began its job, on the clock `time.monotonic`; None before it has said so.
        ends: when it is ended, whatever it does.
        told: when its silence is told of.
        share: of the job done.
    """

    def __init__(self, context: SpawnContext) -> None:
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.job: Job | None = None
        self.began: float | None = None
        self.share = 0.0
        self.limit_s = self.notice_s = self.ends = self.told = float("inf")

    @property
    def busy(self) -> Job:
        assert self.job is not None
        return self.job

    def begin(self, job: Job, limit_s: float, notice_s: float) -> None:
        self.job, self.began, self.share = job, None, 0.0
        self.limit_s, self.notice_s, now = limit_s, notice_s, time.monotonic()
        self.ends, self.told = now + _START_S + limit_s, now + notice_s
        with suppress(OSError):  # it has died: reading from it says so
            self.pipe.send(job)

    def heard(self, share: float) -> None:
        now = time.monotonic()
        if self.began is None:
            self.began, self.ends = now, now + self.limit_s
        self.share, self.told = share, now + self.notice_s

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
            pipe.send(0.0)  # its time begins
            pipe.send(work_on(job, pipe.send))
    except (EOFError, OSError):
        return
