"""Jobs on a Ray cluster: workers that are lost, and clusters that can't be had."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from facewarp.batch import ray_cluster
from facewarp.batch.jobs import Outcome
from facewarp.errors import FacewarpError


@dataclass(frozen=True)
class PlainJob:
    """A job of which the one called c dies midway the first time."""

    name: str
    target: Path
    threads: int | None = None

    @property
    def source(self):
        return Path(self.name)

    def run(self, report):
        with open(self.target.parent / "log.txt", "a", encoding="utf-8") as log:
            log.write(f"{self.name}\n")
        mark = self.target.parent / "killed"
        if self.name == "c" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if self.name == "hangs":
            os.kill(os.getpid(), signal.SIGSTOP)
        return Outcome(self.name, self.source, self.target, "done")

    def sweep(self):
        return

    def absolute(self):
        return self


def ended_on_ray(jobs, **options):
    events = []
    ray_cluster.run_on_ray(jobs, "auto", events.append, **options)
    return {e.job.name: e.outcome for e in events if e.kind == "ended"}


@pytest.mark.slow
def test_a_killed_worker_repeats_its_task_and_a_hung_one_ends(tmp_path, ray_home, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr("facewarp.batch.worker_pool._LATE_PATIENCE_S", 0.5)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        outcomes = ended_on_ray([PlainJob(name, tmp_path / name) for name in "abcdef"])
        hung = ended_on_ray([PlainJob("hangs", tmp_path / "hangs")], time_limit_s=1.0)["hangs"]
    finally:
        ray.shutdown()
    assert {name: one.status for name, one in outcomes.items()} == dict.fromkeys("abcdef", "done")
    log = (tmp_path / "log.txt").read_text("utf-8").split()
    log.remove("hangs")
    assert sorted(set(log)) == sorted("abcdef")
    assert log.count("c") == 2  # killed midway, and done by another worker
    assert len(log) == 7
    assert hung.status == "failed"
    assert "--time-limit 1" in hung.error


def test_missing_ray_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(FacewarpError, match="not installed"):
        ray_cluster.run_on_ray([], "auto", lambda _: None)


@pytest.mark.parametrize("with_token", [False, True])
def test_where_no_cluster_answers_the_token_is_spoken_of(
    move_home, tmp_path, monkeypatch, with_token
):
    home = move_home(tmp_path / "home")

    def refuse(**options):
        raise ConnectionError("after 20 s")

    monkeypatch.setitem(
        sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=refuse)
    )
    token = home / ".ray" / "auth_token"
    if with_token:
        token.parent.mkdir()
        token.write_text("secret", "utf-8")
    with pytest.raises(FacewarpError) as caught:
        ray_cluster.run_on_ray([], "head:6379", lambda _: None)
    told = str(caught.value)
    assert ("another token" in told) == with_token
    assert ("there is none here" in told) != with_token
    assert str(token) in told
    assert "secret" not in told
    assert os.environ.get("RAY_AUTH_MODE") == ("token" if with_token else None)
