"""Many patients: found, worked on beside each other, never twice, and none stops the rest."""

import csv
import os
import signal
import threading
from dataclasses import fields, replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from facewarp.batch.jobs import Batch, Outcome, work_on
from facewarp.cardiac.cine_options import CineOptions
from facewarp.cardiac.cohort import job as job_module
from facewarp.cardiac.cohort.discovery import discover
from facewarp.cardiac.cohort.job import Settings, finished
from facewarp.cardiac.cohort.runner import jobs_for, run_cohort
from facewarp.cardiac.cohort.table import write_cohort
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.cardiac.plots.svg_statistics import limits_of_agreement, outliers
from facewarp.cardiac.report.result_files import ResultFiles
from facewarp.errors import FacewarpError
from facewarp.system import machine

FEW = ResultFiles(fields=False, report=False, movie="none")
QUICK = Settings(files=FEW)


def test_every_setting_but_the_device_tells_folders_apart():
    reading = ReadOptions((1.0, 1.0, 8.0), 0.03, 60.0, "stress")
    analysis = CineOptions(reading, "ed.nii", "acdc", ed=1, es=9, label_names="lv=1", refined=False)
    files = ResultFiles(fields=False, report=False, movie="none", mesh=True, dicom_out=True)
    usual, other = Settings().flat(), Settings("mine", "cuda", analysis, files, True, 3).flat()
    groups = (Settings, CineOptions, ReadOptions, ResultFiles)
    names = {one.name for group in groups for one in fields(group)}
    assert usual.keys() == names - {"device", "analysis", "files", "reading"}
    assert len(usual) == sum(len(fields(group)) for group in groups) - 4  # no name twice
    assert usual.keys() == other.keys() == {key for key in usual if usual[key] != other[key]}


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


@pytest.mark.parametrize(("cores", "first"), [(1, "import"), (2, "read")])
def test_files_are_read_beside_imports_where_two_cores_are(tmp_path, monkeypatch, cores, first):
    seen, is_read = [], threading.Event()

    def read(*_given):
        seen.append("read")
        is_read.set()
        raise FacewarpError("it cannot be read")

    def imports():
        assert cores == 1 or is_read.wait(20)
        seen.append("import")

    monkeypatch.setattr(machine, "_limit", cores)
    monkeypatch.setattr("facewarp.cardiac.io.patient.open_cine", read)
    monkeypatch.setattr("facewarp.core.model.load", lambda *_args: None)
    monkeypatch.setattr(job_module, "_import_libraries", imports)
    (job,) = jobs_for({"a": touch_cine(tmp_path / "a.nii")}, tmp_path / "out", QUICK)
    assert work_on(job).error == "it cannot be read"
    assert seen[0] == first
    assert sorted(seen) == ["import", "read"]
    assert not (tmp_path / "out").exists()


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
    assert finished(replace(berta, settings=Settings(files=replace(FEW, movie="gif")))) is None
    beside = berta.source.with_name("berta.json")
    beside.write_text('{"HeartRate": 60}')  # which the heart rate is read from
    assert finished(berta) is None
    beside.unlink()
    assert finished(berta) is not None
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
    write_cohort(Batch(outcomes, tmp_path))
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
    write_cohort(Batch(tuple(outcomes), tmp_path / "out"))
    with open(tmp_path / "out" / "cohort.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["status"] for row in rows] == ["failed", "failed"]
    assert "indices.json is not as it was written" in rows[0]["error"]
    assert (rows[1]["patient"], rows[1]["error"]) == ("'=berta", "'@x")


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


def test_a_folder_called_heart_is_not_the_model_on_other_machines(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "heart").mkdir()
    (tmp_path / "mine").mkdir()
    job = job_module.Job("a", Path("heart"), Path("out"), QUICK).absolute()
    assert job.settings.model == "heart"
    assert job.source == tmp_path / "heart"
    mine = replace(job, settings=replace(QUICK, model="mine")).absolute()
    assert mine.settings.model == str(tmp_path / "mine")


def test_one_scan_under_two_names_is_told(tmp_path):
    """It would count twice in distributions, outliers and limits of agreement."""
    sides = {"edv_ml": 100.1234, "esv_ml": 40.4321, "sv_ml": 59.6913, "ef_percent": 59.6178}

    def found(patient, mass):
        summary = {
            "flags": [{"name": "coverage", "verdict": "look"}],
            "phases": 3,
            "quality": {"agreement": [0.9], "loop_p95_mm": 1.0, "folds_percent": 0.0},
            "strain": None,
            "truth": None,
            "lv": sides,
            "rv": sides,
            "lv_mass_g": mass,
        }
        return Outcome(patient, tmp_path / patient, tmp_path / "out" / patient, "done", summary)

    (tmp_path / "out").mkdir()
    outcomes = found("anna", 90.1), found("berta", 90.2), found("anna_copy", 90.1)
    write_cohort(Batch(outcomes, tmp_path / "out"))
    with open(tmp_path / "out" / "cohort.csv", newline="", encoding="utf-8") as file:
        rows = [row["odd"] for row in csv.DictReader(file)]
    told = "coverage; the very same numbers as {}"
    assert rows == [told.format("anna_copy"), "coverage", told.format("anna")]
    page = (tmp_path / "out" / "cohort.html").read_text("utf-8")
    assert page.count("one scan under two names counts twice here") == 2
