"""Jobs side by side: what dies, hangs or is interrupted takes nobody with it."""

import multiprocessing
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from fixtures.waiting import until

from facewarp.batch import worker_pool
from facewarp.batch.jobs import Outcome, work_on
from facewarp.system import machine


@dataclass(frozen=True)
class PlainJob:
    """A job that does what its name says."""

    name: str
    target: Path
    threads: int | None = None

    @property
    def source(self):
        return Path(self.name)

    def run(self, report):
        with open(self.target.parent / "log.txt", "a", encoding="utf-8") as log:
            log.write(f"{self.name}\n")
        report(0.5)
        if self.name.startswith("killed"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name.startswith("wrong"):
            raise ValueError("two\nlines")
        if self.name.startswith("slow"):
            self._work_long()
        if self.name.startswith("deaf"):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            self.partial.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        found = {"cores": machine.cores(), "env": os.environ.get("OMP_NUM_THREADS")}
        return Outcome(self.name, self.source, self.target, "done", found)

    def _work_long(self):
        """Take long and clean up after oneself."""
        try:
            self.partial.touch()
            time.sleep(60)
        finally:
            self.partial.unlink()

    @property
    def partial(self):
        return self.target.with_name(f".{self.name}.partial")

    def sweep(self):
        self.partial.unlink(missing_ok=True)

    def absolute(self):
        return self


def jobs_of(folder, *names, threads=None):
    return [PlainJob(name, folder / name, threads) for name in names]


def ended(events):
    return {e.job.name: e.outcome.status for e in events if e.kind == "ended"}


@pytest.mark.slow
def test_a_process_that_dies_takes_nobody_with_it(tmp_path):
    jobs = jobs_of(tmp_path, "a", "killed", "b", "c", "d", threads=1)
    events = []
    worker_pool.run_in_processes(jobs, 2, events.append)
    assert ended(events) == {"a": "done", "b": "done", "c": "done", "d": "done", "killed": "failed"}
    log = (tmp_path / "log.txt").read_text("utf-8").split()
    assert sorted(log) == ["a", "b", "c", "d", "killed", "killed"]  # tried twice, others once
    (error,) = [e.outcome.error for e in events if e.outcome and e.outcome.status == "failed"]
    assert "exit code -9" in error
    assert any(e.kind == "progress" and e.share == 0.5 for e in events)
    found = [e.outcome.summary for e in events if e.outcome and e.outcome.status == "done"]
    assert found == [{"cores": 1, "env": "1"}] * 4  # workers do not fight over cores


@pytest.mark.slow
def test_a_job_over_its_time_limit_fails_alone_and_silence_is_told(tmp_path):
    jobs = jobs_of(tmp_path, "deaf", "a", "slow", "b")
    events = []
    worker_pool._LATE_PATIENCE_S, before = 0.5, worker_pool._LATE_PATIENCE_S
    try:
        worker_pool.run_in_processes(jobs, 2, events.append, time_limit_s=4.0, notice_s=0.5)
    finally:
        worker_pool._LATE_PATIENCE_S = before
    assert ended(events) == {"a": "done", "b": "done", "deaf": "failed", "slow": "failed"}
    late = [e.outcome for e in events if e.outcome and e.outcome.status == "failed"]
    assert all("--time-limit 4" in one.error and 4.0 <= one.seconds < 55 for one in late)
    assert {e.job.name for e in events if e.kind == "silent"} >= {"deaf", "slow"}
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]  # nothing half-written stays
    log = (tmp_path / "log.txt").read_text("utf-8").split()
    assert sorted(log) == ["a", "b", "deaf", "slow"]  # a job that hangs is not tried again
    assert not multiprocessing.active_children()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["slow", "deaf"])
def test_ctrl_c_stops_processes_that_clean_up_or_hang(tmp_path, monkeypatch, name):
    monkeypatch.setattr(worker_pool, "_PATIENCE_S", 2.0)
    jobs = jobs_of(tmp_path, "a", f"{name}1", f"{name}2")
    pids, halfway, began = set(), set(), []

    def stop(event):
        pids.update(child.pid for child in multiprocessing.active_children())
        if event.kind == "progress" and event.job.name != "a":
            halfway.add(event.job.name)
        if len(halfway) == 2:
            until(lambda: all(job.partial.exists() for job in jobs[1:]))  # they begin to write
            began.append(time.monotonic())
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        worker_pool.run_in_processes(jobs, 2, stop)
    assert time.monotonic() - began[0] < 55  # they would go on for 60 s
    assert [path.name for path in tmp_path.iterdir()] == ["log.txt"]
    assert len(pids) == 2
    assert not multiprocessing.active_children()


def test_an_error_is_one_line_of_its_jobs_outcome(tmp_path):
    events = []
    worker_pool.run_here(jobs_of(tmp_path, "wrong", "a"), events.append)
    assert ended(events) == {"wrong": "failed", "a": "done"}
    outcome = next(e.outcome for e in events if e.outcome and e.job.name == "wrong")
    assert outcome.error == "ValueError: two lines (wrong)"
    assert "Traceback" in outcome.trace
    assert outcome.seconds > 0


def test_cores_are_limited_for_the_process_that_asks(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_limit", None)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "")
    assert machine.cores() == os.cpu_count()
    assert machine.limited_cores() is None
    found = work_on(jobs_of(tmp_path, "a", threads=3)[0]).summary
    assert found == {"cores": 3, "env": "3"}
