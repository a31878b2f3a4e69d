"""Many patients: found, worked on beside each other, never twice, and none stops the rest."""

import csv
import multiprocessing
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from facewarp.cardiac.cohort import job as job_module
from facewarp.cardiac.cohort import worker_pool
from facewarp.cardiac.cohort.discovery import discover
from facewarp.cardiac.cohort.job import Settings, finished, work_on
from facewarp.cardiac.cohort.outcomes import Cohort, Outcome
from facewarp.cardiac.cohort.runner import jobs_for, run_cohort
from facewarp.cardiac.cohort.table import write_cohort
from facewarp.cardiac.plots.svg_statistics import limits_of_agreement, outliers
from facewarp.errors import FacewarpError

QUICK = Settings(fields=False, report=False, movie="none")


def touch_cine(path, axes=4):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 3, 2)[:axes], np.float32), np.eye(4)), path)
    return path


@pytest.fixture
def patients(beating, nifti_of, plain):
    """Two cines that can be followed and a file that can't be read."""
    affine = plain @ beating.to_heart
    good = {name: nifti_of(f"{name}.nii.gz", beating.images, affine) for name in ("anna", "berta")}
    bad = good["anna"].parent / "cora.nii.gz"
    bad.write_bytes(good["anna"].read_bytes()[:4000])
    return {**good, "cora": bad}


@pytest.fixture
def _known(knowing, monkeypatch):
    monkeypatch.setattr("facewarp.core.model.load", lambda *_args: knowing)


def test_patients_are_found_in_folders_and_lists(tmp_path):
    for name in ("a", "b"):
        touch_cine(tmp_path / "flat" / f"{name}_4d.nii.gz")
        touch_cine(tmp_path / "deep" / name / "cine.nii.gz")
    touch_cine(tmp_path / "flat" / "a_gt.nii.gz", axes=3)
    (tmp_path / "flat" / "torn.nii.gz").write_bytes(b"no")
    assert list(discover([tmp_path / "flat"])) == ["a", "b", "torn"]
    assert list(discover([tmp_path / "deep"])) == ["a", "b"]
    touch_cine(tmp_path / "phases" / "1.nii.gz", axes=3)
    touch_cine(tmp_path / "phases" / "2.nii.gz", axes=3)
    assert discover([tmp_path / "phases"]) == {"phases": tmp_path / "phases"}
    named = tmp_path / "list.csv"
    named.write_text("path,group\nflat/b_4d.nii.gz,NOR\n# none\ndeep/a,DCM\n")
    assert list(discover([named])) == ["b", "a"]
    named.write_text("# nobody\n")
    with pytest.raises(FacewarpError, match="names no patient"):
        discover([named])
    with pytest.raises(FacewarpError, match="two patients are called a"):
        discover([tmp_path / "flat", tmp_path / "deep"])


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_one_bad_patient_and_what_is_done_once(patients, tmp_path):
    out = tmp_path / "out"
    jobs = jobs_for(patients, out, QUICK)
    first = run_cohort(jobs, out)
    assert [outcome.status for outcome in first.outcomes] == ["done", "done", "failed"]
    assert "cora.nii.gz" in first.outcomes[2].error
    assert sorted(p.name for p in out.iterdir()) == ["anna", "berta", "cohort.csv", "cohort.html"]
    with open(out / "cohort.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["done", "done", "failed"]
    found = first.outcomes[0].summary
    assert float(rows[0]["lv_ef_percent"]) == pytest.approx(found["lv"]["ef_percent"])
    assert float(rows[0]["peak_circumferential_engineering_percent"]) < -5
    assert int(rows[0]["bytes"]) == sum(p.stat().st_size for p in (out / "anna").iterdir())
    page = (out / "cohort.html").read_text("utf-8")
    assert "cora" in page
    assert "<svg" in page
    before = (out / "anna" / "indices.json").stat().st_mtime_ns
    assert [o.status for o in run_cohort(jobs, out).outcomes] == ["skipped", "skipped", "failed"]
    assert (out / "anna" / "indices.json").stat().st_mtime_ns == before

    anna, berta, _ = jobs
    (out / "anna" / "sheet.png").write_bytes(b"cut")  # an output was damaged
    assert finished(anna) is None
    assert finished(berta) is not None
    assert finished(replace(berta, settings=replace(QUICK, movie="gif"))) is None
    os.utime(berta.source, ns=(1, 1))  # the input is another one
    assert finished(berta) is None
    assert work_on(anna).status == "done"
    assert finished(anna) is not None
    assert work_on(replace(anna, resume=False)).status == "done"


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize("share", [0.0, 0.5], ids=["begun", "half done"])
def test_ctrl_c_keeps_whole_patients_and_resumes(patients, tmp_path, share):
    out = tmp_path / "out"
    jobs = jobs_for({name: patients[name] for name in ("anna", "berta")}, out, QUICK)

    def stop(event):
        if event.job.name == "berta" and event.share >= share:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as stopped:
        run_cohort(jobs, out, on_event=stop)
    assert stopped.value.__notes__ == [f"kept 1 of 2 patients in {out}; the same command goes on"]
    assert sorted(p.name for p in out.iterdir()) == ["anna", "cohort.csv", "cohort.html"]
    again = run_cohort(jobs, out)
    assert [outcome.status for outcome in again.outcomes] == ["skipped", "done"]
    assert sorted(p.name for p in out.iterdir()) == ["anna", "berta", "cohort.csv", "cohort.html"]


def slow_work(job, progress=None):
    """Stands for an analysis that takes long and cleans up after itself."""
    try:
        (job.folder.parent / f".{job.name}.partial").touch()
        progress(0.1)
        time.sleep(60)
    finally:
        (job.folder.parent / f".{job.name}.partial").unlink()
    return Outcome(job.name, job.source, job.folder, "done")


def slow_serve(pipe):
    worker_pool.work_on = slow_work
    worker_pool._serve(pipe)


@pytest.mark.slow
def test_ctrl_c_stops_processes_which_clean_up(tmp_path, monkeypatch):
    monkeypatch.setattr(
        worker_pool._Worker,
        "__init__",
        lambda self, context: _fake_worker(self, context, slow_serve),
    )
    jobs = jobs_for({name: tmp_path / name for name in "ab"}, tmp_path, QUICK)
    pids, halfway = set(), set()

    def stop(event):
        pids.update(child.pid for child in multiprocessing.active_children())
        if event.kind == "progress":
            halfway.add(event.job.name)
        if len(halfway) == 2:
            signal.raise_signal(signal.SIGINT)

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        worker_pool.run_in_processes(jobs, 2, stop)
    assert time.monotonic() - began < 45
    assert list(tmp_path.iterdir()) == []
    assert len(pids) == 2
    assert not multiprocessing.active_children()


def hanging_serve(pipe):
    """Stands for analyses of which one is done and the others hang, deaf to what ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        job = pipe.recv()
        if job.name == "whole":
            pipe.send(Outcome(job.name, job.source, job.folder, "failed", error="said"))
        else:
            pipe.send(0.1)
            os.kill(os.getpid(), signal.SIGSTOP)


@pytest.mark.slow
def test_ctrl_c_ends_processes_that_hang(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "_PATIENCE_S", 2.0)
    monkeypatch.setattr(
        worker_pool._Worker,
        "__init__",
        lambda self, context: _fake_worker(self, context, hanging_serve),
    )
    jobs = jobs_for({n: tmp_path / n for n in ("whole", "a", "b", "c")}, tmp_path, QUICK)
    ended, hanging, pids = [], set(), []

    def stop(event):
        ended.extend([event.job.name] if event.kind == "ended" else [])
        hanging.update([event.job.name] if event.kind == "progress" else [])
        if len(hanging) == 3:
            pids.extend(child.pid for child in multiprocessing.active_children())
            hanging.clear()
            began.append(time.monotonic())
            signal.raise_signal(signal.SIGINT)

    began = []
    with pytest.raises(KeyboardInterrupt):
        worker_pool.run_in_processes(jobs, 3, stop)
    assert time.monotonic() - began[0] < 2.0 * 2
    assert ended == ["whole"]
    assert len(pids) == 3
    assert not multiprocessing.active_children()


def fake_work(job, progress=None):
    """Stands for an analysis: what a name says becomes of its patient."""
    with open(job.folder.parent / "log.txt", "a", encoding="utf-8") as log:
        log.write(f"{job.name}\n")
    if job.name.startswith("killed"):
        os.kill(os.getpid(), signal.SIGKILL)
    if progress:
        progress(0.5)
    return Outcome(job.name, job.source, job.folder, "done")


def fake_serve(pipe):
    worker_pool.work_on = fake_work
    worker_pool._serve(pipe)


@pytest.mark.slow
def test_a_process_that_dies_takes_nobody_with_it(tmp_path, monkeypatch):
    monkeypatch.setattr(
        worker_pool._Worker, "__init__", lambda self, context: _fake_worker(self, context)
    )
    names = ["a", "killed", "b", "c", "d"]
    jobs = jobs_for({name: tmp_path / name for name in names}, tmp_path, QUICK)
    events = []
    worker_pool.run_in_processes(jobs, 2, events.append)
    ended = {e.job.name: e.outcome.status for e in events if e.kind == "ended"}
    assert ended == {"a": "done", "b": "done", "c": "done", "d": "done", "killed": "failed"}
    log = (tmp_path / "log.txt").read_text("utf-8").split()
    assert sorted(log) == ["a", "b", "c", "d", "killed", "killed"]  # tried twice, others once
    (error,) = [e.outcome.error for e in events if e.outcome and e.outcome.status == "failed"]
    assert "exit code -9" in error
    assert any(e.kind == "progress" and e.share == 0.5 for e in events)


def _fake_worker(self, context, serve=fake_serve):
    self.pipe, theirs = context.Pipe()
    self.process = context.Process(target=serve, args=(theirs,), daemon=True)
    self.process.start()
    theirs.close()
    self.job = None


def summary_of(ef, true_ef):
    side = {"edv_ml": 150.0, "esv_ml": 60.0, "sv_ml": 90.0, "ef_percent": ef}
    truth = {"lv": {**side, "ef_percent": true_ef}, "rv": side, "lv_mass_g": 100.0}
    return {
        "lv": side, "rv": side, "lv_mass_g": 110.0, "phases": 2, "truth": truth, "strain": None,
        "flags": [{"name": "folds", "verdict": "ok"}],
        "quality": {"agreement": [1.0, 0.9], "loop_p95_mm": 1.0, "folds_percent": 0.0},
    }  # fmt: skip


def test_the_page_lists_outliers_and_agreement(tmp_path):
    efs = [55.0, 57, 60, 62, 58, 59, 12]
    outcomes = tuple(
        Outcome(f"p{i}", Path(f"p{i}"), tmp_path / f"p{i}", "done", summary_of(ef, ef - 2))
        for i, ef in enumerate(efs)
    )
    write_cohort(Cohort(outcomes, tmp_path))
    page = (tmp_path / "cohort.html").read_text("utf-8")
    assert "LV EF, % 12 (median 58)" in page
    assert "Found against readers" in page
    assert ">+2.0<" in page
    assert "href='p0" not in page  # there is no such page
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_statistics():
    values = np.array([1.0, 2, 3, 2, 1, 2, 40, np.nan])
    assert outliers(values).tolist() == [False] * 6 + [True, False]
    assert not outliers(np.array([1.0, 2, 90])).any()
    bias, limit = limits_of_agreement(np.array([3.0, 5]), np.array([1.0, 2]))
    assert bias == pytest.approx(2.5)
    assert limit == pytest.approx(1.96 * np.std([2, 3], ddof=1))


@pytest.fixture
def ray_home(tmp_path, monkeypatch):
    """A home of Ray's own: a local Ray leaves a token there, which later ones then want."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return home


@pytest.mark.slow
def test_a_killed_ray_worker_repeats_its_task_alone(tmp_path, ray_home):
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    from facewarp.cardiac.cohort import ray_cluster

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        cluster_work = ray_cluster.work_on
        ray_cluster.work_on = ray_work
        jobs = jobs_for({name: tmp_path / name for name in "abcdef"}, tmp_path, QUICK)
        events = []
        ray_cluster.run_on_ray(jobs, "auto", events.append)
    finally:
        ray_cluster.work_on = cluster_work
        ray.shutdown()
    ended = {e.job.name: e.outcome.status for e in events if e.kind == "ended"}
    assert ended == dict.fromkeys("abcdef", "done")
    log = (tmp_path / "log.txt").read_text("utf-8").split()
    assert sorted(set(log)) == sorted("abcdef")
    assert log.count("c") == 2  # killed midway, and done by another worker
    assert len(log) == 7


def ray_work(job):
    """A patient's work of which one dies midway the first time."""
    with open(job.folder.parent / "log.txt", "a", encoding="utf-8") as log:
        log.write(f"{job.name}\n")
    mark = job.folder.parent / "killed"
    if job.name == "c" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return Outcome(job.name, job.source, job.folder, "done")


def test_missing_cluster_and_missing_ray_are_errors(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    from facewarp.cardiac.cohort.ray_cluster import run_on_ray

    with pytest.raises(FacewarpError, match="not installed"):
        run_on_ray([], "auto", lambda _: None)


def test_weights_that_change_during_a_cohort_are_loaded_anew(monkeypatch):
    loaded = []
    monkeypatch.setattr(
        "facewarp.core.model.load", lambda *args: loaded.append(args) or len(loaded)
    )
    load = job_module._model
    assert [load("a", "cpu", "1"), load("a", "cpu", "1"), load("a", "cpu", "2")] == [1, 1, 2]


@pytest.mark.parametrize("name", ["flags", "quality", "strain", "truth", "phases"])
def test_one_odd_result_fails_its_patient_alone(tmp_path, name):
    whole = {
        "flags": [{"name": "a", "verdict": "ok"}],
        "phases": 3,
        "quality": {"agreement": [0.9], "loop_p95_mm": 1.0, "folds_percent": 0.0},
        "strain": None,
        "truth": None,
    }
    outcomes = [
        Outcome(patient, tmp_path / patient, tmp_path / "out" / patient, "done", dict(whole))
        for patient in ("anna", "=berta")
    ]
    odd = {key: value for key, value in whole.items() if key != name}
    outcomes[0] = replace(outcomes[0], summary=odd)
    outcomes[1] = replace(outcomes[1], summary=None, status="failed", error="@x")
    (tmp_path / "out").mkdir()
    write_cohort(Cohort(tuple(outcomes), tmp_path / "out"))
    with open(tmp_path / "out" / "cohort.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert "indices.json is not as it was written" in rows[0]["error"]
    assert (rows[1]["patient"], rows[1]["error"]) == ("'=berta", "'@x")


@pytest.mark.parametrize("with_token", [False, True])
def test_where_no_cluster_answers_the_token_is_spoken_of(ray_home, monkeypatch, with_token):
    def refuse(**options):
        raise ConnectionError("after 20 s")

    monkeypatch.setitem(
        sys.modules, "ray", SimpleNamespace(is_initialized=lambda: False, init=refuse)
    )
    from facewarp.cardiac.cohort.ray_cluster import run_on_ray

    token = ray_home / ".ray" / "auth_token"
    if with_token:
        token.parent.mkdir()
        token.write_text("secret", "utf-8")
    with pytest.raises(FacewarpError) as caught:
        run_on_ray([], "head:6379", lambda _: None)
    told = str(caught.value)
    assert ("another token" in told) == with_token
    assert ("there is none here" in told) != with_token
    assert str(token) in told
    assert "secret" not in told
    assert os.environ.get("RAY_AUTH_MODE") == ("token" if with_token else None)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate")]
)
def test_memory_that_runs_out_is_one_patients_failure(tmp_path, monkeypatch, error):
    def fails(_job, _told):
        raise error

    monkeypatch.setattr("facewarp.cardiac.cohort.job._analyse", fails)
    outcome = work_on(jobs_for({"anna": tmp_path / "a.nii"}, tmp_path, QUICK)[0])
    assert outcome.status == "failed"
    assert "not enough memory" in outcome.error
