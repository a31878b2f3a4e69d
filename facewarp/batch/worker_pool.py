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
from facewarp.system.start import claim_process

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
    pool = _Pool(jobs, on_event, time_limit_s, notice_s)
    try:
        pool.start(min(count, len(jobs)))
        while pool.is_busy:
            pool.give_out()
            pool.listen()
            pool.look_at_the_clock()
    finally:
        pool.stop()


class _Pool:
    """Processes and the jobs that wait for one.

    Args:
        jobs: what to do.
        on_event: called with every event, as it happens.
        limit_s: for each job; None for no limit.
        notice_s: see `run_in_processes`.
    """

    def __init__(
        self, jobs: Sequence[Job], on_event: EventHandler, limit_s: float | None, notice_s: float
    ) -> None:
        self._context = get_context("spawn")
        self._waiting = deque(jobs)
        self._tries = dict.fromkeys((job.name for job in jobs), 0)
        self._on_event, self._limit_s, self._notice_s = on_event, limit_s, notice_s
        self._workers: list[_Worker] = []

    def start(self, count: int) -> None:
        """Start processes."""
        for _ in range(count):
            self._workers.append(_Worker(self._context))

    @property
    def is_busy(self) -> bool:
        """Whether anything is left to do."""
        return bool(self._waiting or self._at_work())

    def give_out(self) -> None:
        """Give every idle process a job, while there are any."""
        for worker in self._workers:
            if worker.job is None and self._waiting:
                worker.begin(self._waiting.popleft(), self._limit_s or float("inf"), self._notice_s)
                self._tries[worker.busy.name] += 1
                self._on_event(Event("started", worker.busy))

    def listen(self) -> None:
        """Wait until a process says something or something is due, and take in what was said."""
        busy = self._at_work()
        ready = connection.wait([w.pipe for w in busy], max(0.0, min(map(_left, busy))))
        for worker in busy:
            if worker.pipe in ready:
                self._hear(worker)

    def look_at_the_clock(self) -> None:
        """End the jobs whose time is over, and tell of those that are silent for long."""
        for worker in self._at_work():
            job, now = worker.busy, time.monotonic()
            if now >= worker.ends:
                worker.process.terminate()
                self._replace(worker, _LATE_PATIENCE_S)
                late = failed(job, _late(job, self._limit_s), now - (worker.began or now))
                self._on_event(Event("ended", job, 1.0, late))
            elif now >= worker.told:
                worker.told = float("inf")
                silent = Event("silent", job, worker.share, silent_s=self._notice_s)
                self._on_event(silent)

    def stop(self) -> None:
        """End all processes, and remove what they leave half-written."""
        for worker in self._workers:
            worker.process.terminate()
        deadline = time.monotonic() + _PATIENCE_S  # of all together
        for worker in self._workers:
            worker.stop(max(0.0, deadline - time.monotonic()))
            if worker.job is not None:
                worker.job.sweep()

    def _at_work(self) -> "list[_Worker]":
        return [worker for worker in self._workers if worker.job is not None]

    def _hear(self, worker: "_Worker") -> None:
        """Take in a share, an outcome, or that the process has died."""
        job = worker.busy
        try:
            said = worker.pipe.recv()
        except (EOFError, ConnectionError):
            code = self._replace(worker)
            if self._tries[job.name] < _TRIES:
                self._waiting.append(job)
                return
            said = failed(job, _died(code, job))
        if isinstance(said, Outcome):
            worker.job = None
            self._on_event(Event("ended", job, 1.0, said))
        else:
            worker.heard(float(said))
            self._on_event(Event("progress", job, float(said)))

    def _replace(self, worker: "_Worker", patience_s: float = _PATIENCE_S) -> int | None:
        """End a process, clean up after its job, start another, and return the exit code."""
        code = worker.stop(patience_s)
        worker.busy.sweep()
        self._workers[self._workers.index(worker)] = _Worker(self._context)
        return code


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
    claim_process()
    try:
        while True:
            job: Job = pipe.recv()
            pipe.send(0.0)  # its time begins
            pipe.send(work_on(job, pipe.send))
    except (EOFError, OSError):
        return
