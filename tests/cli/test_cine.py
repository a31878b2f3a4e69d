import gc
import json
import subprocess
import sys

import nibabel as nib
import numpy as np
import pytest
import torch
from fixtures.dicom_scans import write_series
from typer.testing import CliRunner

from facewarp.cardiac.parts import PART_NAMES
from facewarp.cli.app import app
from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import save_weights
from facewarp.errors import FacewarpError
from facewarp.system.start import pause_collection


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def cine_of(beating, nifti_of, plain):
    def made(name, **more):
        return nifti_of(name, beating.images, plain @ beating.to_heart, time_step=0.15, **more)

    return made


@pytest.fixture
def _known(knowing, monkeypatch):
    monkeypatch.setattr("facewarp.core.model.load", lambda *_args: knowing)


@pytest.fixture
def damaged(nifti_of, rng):
    """Files that can't be followed, and what is to be said of each."""
    affine = np.diag([-1.5, -1.5, 8.0, 1.0])
    good = rng.integers(1, 999, (4, 5, 20, 20)).astype(np.float32)
    hole = good.copy()
    hole[1, 2, 3, 4] = np.nan
    lost = good.copy()
    lost[2, 3] = 0
    specks = 0 * good
    specks[..., 10, 10] = 500 + np.arange(20).reshape(4, 5)
    cut = nifti_of("cut.nii.gz", good, affine)
    cut.write_bytes(cut.read_bytes()[:-2000])
    flat = nifti_of("flat.nii", good, affine)
    with open(flat, "r+b") as file:
        file.seek(76 + 4 * 3)
        file.write(np.zeros(1, "<f4").tobytes())
    return {
        nifti_of("volume.nii.gz", good[0], affine): "not a cine",
        nifti_of("nan.nii.gz", hole, affine): "NaN",
        nifti_of("lost.nii.gz", lost, affine): "slice 4 of phase 3",
        nifti_of("dark.nii.gz", 0 * good, affine): "alike",
        nifti_of("nothing.nii.gz", specks, affine): "no heart",
        cut: "cut short",
        flat: "pixdim",
    }


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_one_patient(cine_of, tmp_path, beating):
    out = tmp_path / "out"
    done = run("cine", cine_of("anna_4d.nii.gz"), "--out", out, "--no-fields")
    assert done.exit_code == 0, done.output
    truth = beating.heart
    assert f"{truth.lv_ml(0.0):.0f} ml" in done.output
    assert "anna" in done.output
    assert sorted(p.name for p in (out / "anna").iterdir()) == [
        "cine.gif", "curves.csv", "indices.json", "labels_4d.nii.gz", "report.html",
        "sheet.png", "strain.csv",
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_bad_patients_do_not_lose_the_good_one(cine_of, damaged, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "anna").mkdir()
    good = cine_of("anna/sax.nii.gz")  # called by what it holds: the folder names the patient
    first, *rest = damaged
    words = ("--out", out, "--no-fields", "--movie", "none", "--json")
    done = run("cine", first, good, *rest, *words)
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    (anna,) = found["patients"]
    assert anna["patient"] == "anna"
    assert anna["output"] == str(out / "anna")
    assert "<h1>anna</h1>" in (out / "anna" / "report.html").read_text("utf-8")
    assert anna["lv"]["ef_percent"] > 40
    assert [failure["patient"] for failure in found["failed"]] == [str(path) for path in damaged]
    for failure, (path, reason) in zip(found["failed"], damaged.items(), strict=True):
        assert reason in failure["error"]
        assert path.name in failure["error"]
        assert "\n" not in failure["error"]
        assert failure["error"] in done.stderr
    assert f"{len(damaged)} of {len(damaged) + 1} patients failed" in done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["anna", "cohort.csv", "cohort.html"]


@pytest.mark.parametrize("command", [("cine", "x.nii.gz"), ("eval", "phantom")])
def test_one_copy_makes_no_interval(command):
    for count, why in (("1", "interval;"), ("101", "range"), ("x", "whole")):
        done = run(*command, "--strain-intervals", count)
        assert done.exit_code == 2
        assert why in done.output


@pytest.mark.usefixtures("_known")
def test_a_bad_patient_alone_leaves_nothing(damaged, tmp_path):
    for path, reason in damaged.items():
        done = run("cine", path, "--out", tmp_path / "out")
        assert done.exit_code == 1
        errors = [line for line in done.stderr.splitlines() if line.startswith("error:")]
        assert len(errors) == 1
        assert reason in errors[0]
        assert "Traceback" not in done.output
        assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_a_folder_of_patients_and_what_info_says(cine_of, beating, nifti_of, plain, tmp_path):
    es = int(beating.contraction.argmax()) + 1
    for name in ("patient001", "patient002"):
        folder = tmp_path / "training" / name
        folder.mkdir(parents=True)
        (folder / "Info.cfg").write_text(f"ED: 1\nES: {es}\nGroup: NOR\nNbFrame: 6\n")
        for frame in (1, es):
            target = f"training/{name}/{name}_frame{frame:02}.nii.gz"
            nifti_of(target, beating.images[frame - 1], plain @ beating.to_heart)
    words = ("--out", tmp_path / "out", "--no-fields", "--json")
    done = run("cine", tmp_path / "training", *words)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)["patients"]
    assert [one["patient"] for one in found] == ["patient001", "patient002"]
    assert {one["es_frame"] for one in found} == {es}
    assert {one["es_found_by"] for one in found} == {"Info.cfg"}


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_what_contradicts_is_refused_and_then_said_everywhere(beating, plain, tmp_path):
    """RR intervals apart, told distances of slices apart: the way out, and what is written then."""

    def tell(data, _t, _z):
        data.NominalInterval, data.HeartRate, data.SpacingBetweenSlices = 900, 90, 12

    affine = plain @ beating.to_heart
    write_series(tmp_path / "anna", 100 * beating.images, affine, tell=tell)
    out = tmp_path / "out"
    words = ["cine", tmp_path / "anna", "--out", out, "--json", "--no-fields", "--movie", "none"]
    for option, value, named in (
        ("--spacing", "1.5,1.5,10", "12 mm apart, their positions 10 mm"),
        ("--heart-rate", 66, "NominalInterval says 66.7 beats a minute (900 ms), HeartRate 90.0"),
    ):
        done = run(*words)
        assert done.exit_code == 1
        assert named in done.output
        assert option in done.output
        words += [option, value]
    done = run(*words)
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["patients"]
    assert found["heart_rate_bpm"] == 66
    assert found["inputs"]["heart rate"] == "--heart-rate"
    assert found["inputs"]["spacing"] == "--spacing"
    said = "--heart-rate says 66 beats a minute, HeartRate 90.0: the first is used"
    assert said in found["warnings"]
    written = json.loads((out / "anna" / "indices.json").read_text("utf-8"))
    assert said in written["warnings"]
    page = (out / "anna" / "report.html").read_text("utf-8")
    assert said in page
    assert "heart rate: --heart-rate" in page
    assert run(*words).exit_code == 0  # finished, and not done again
    assert run(*words[:-4], "--spacing", "1.5;1.5;10").exit_code == 1


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_one_of_several_cines_and_a_step_are_chosen(beating, plain, tmp_path):
    affine = plain @ beating.to_heart
    for number, title in enumerate(("SAX rest", "SAX stress"), start=1):
        write_series(tmp_path / "anna", 100 * beating.images, affine, title=title, number=number)
    words = ["cine", tmp_path / "anna", "--out", tmp_path / "out", "--json", "--no-fields"]
    done = run(*words)
    assert done.exit_code == 1
    assert "SAX rest (series 1, 10 slices x 6 phases" in done.output
    done = run(*words, "--series", "stress", "--time-step", 120, "--movie", "none", "--no-report")
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["patients"]
    assert found["heart_rate_bpm"] == pytest.approx(60 / 0.72, abs=0.01)
    assert found["inputs"]["time step"] == "--time-step"


@pytest.mark.parametrize("words", [("--label-names", "lv=endo"), ("--label-order", "mnms")])
def test_what_is_said_of_labels_wants_labels(cine_of, tmp_path, words):
    done = run("cine", cine_of("anna.nii.gz"), "--out", tmp_path / "out", *words)
    assert done.exit_code == 2
    assert f"{words[0]}: this is for --labels; give that, too." in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("_known")
def test_options_that_cannot_be(cine_of, tmp_path):
    one, two = cine_of("anna.nii.gz"), cine_of("berta.nii.gz")
    out = tmp_path / "out"
    done = run("cine", one, two, "--ed", 1, "--out", out)
    assert done.exit_code == 1
    assert "one patient" in done.output
    (tmp_path / "again").mkdir()
    same = cine_of("again/anna_4d.nii.gz")
    done = run("cine", one, same, "--out", out)
    assert done.exit_code == 1
    assert "two patients are called anna" in done.output
    done = run("cine", one, "--ed", 9, "--out", out)
    assert done.exit_code == 1
    assert "frames 1 to 6" in done.output
    assert run("cine", one, "--ed", 0, "--out", out).exit_code == 2
    assert run("cine", one, "--movie", "mov", "--out", out).exit_code == 2
    assert run("cine", "--out", out).exit_code == 2
    assert not out.exists()


@pytest.mark.usefixtures("_known")
def test_the_input_is_never_the_output(cine_of, beating, nifti_of, plain, tmp_path):
    """--out such that the patient's output folder would be the patient's own folder."""
    folder = tmp_path / "patient"
    folder.mkdir()
    for phase, image in enumerate(beating.images):
        nifti_of(f"patient/{phase}.nii.gz", image, plain @ beating.to_heart)
    before = sorted(p.name for p in folder.iterdir())
    done = run("cine", folder, "--out", tmp_path)
    assert done.exit_code == 1
    assert "holds other things" in done.output
    assert sorted(p.name for p in folder.iterdir()) == before


@pytest.fixture
def weights(tmp_path):
    """A small network that has learnt nothing and takes everything for the left ventricle."""
    config = ModelConfig(
        kind="heart",
        classes=PART_NAMES,
        grid_shape=(16, 128, 128),
        spacing_mm=(1.8, 1.8, 10.0),
        input_shape=(16, 128, 128),
        field_shape=(16, 64, 64),
        features=FeatureConfig((4, 8), ((1, 2, 2),), (), 0),
        steps=(StepConfig((4, 8), ((2, 2, 2),), (1, 2, 2), 1, 3, "stride"),),
        guidance="probabilities",
    )
    net = GuidedRegistration(config)
    torch.nn.init.zeros_(net.parts.classify.weight)
    net.parts.classify.bias.data = torch.tensor([0.0, 0.0, 0.0, 9.0])
    save_weights(net, tmp_path / "net.safetensors", {})
    return tmp_path / "net.safetensors"


@pytest.mark.slow
def test_with_a_network_of_its_own_and_labels(weights, cine_of, beating, nifti_of, plain, tmp_path):
    """Nothing moves, so that the labels given are in every phase; the model's hash is told."""
    affine = plain @ beating.to_heart
    labels = nifti_of("ed.nii.gz", beating.labels[0], affine, dtype=np.uint8)
    out = tmp_path / "out"
    words = ("--labels", labels, "--model", weights, "--es", 3, "--json", "--movie", "webm")
    done = run("cine", cine_of("anna.nii.gz"), "--out", out, *words)
    assert done.exit_code == 0, done.output
    (found,) = json.loads(done.stdout)["patients"]
    assert found["model"] == {"name": str(weights), "sha256": Model(
        GuidedRegistration(ModelConfig.from_json(_config(weights))), path=weights
    ).sha256}  # fmt: skip
    assert found["ed_labels_by"] == str(labels)
    written = np.asarray(nib.load(out / "anna" / "labels_4d.nii.gz").dataobj).T
    for phase in range(6):
        assert (written[phase] == beating.labels[0]).mean() > 0.995


def _config(path):
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return file.metadata()["config"]


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_register_takes_volumes(beating, nifti_of, plain, tmp_path):
    es = int(beating.contraction.argmax())
    paths = [
        nifti_of(f"{name}.nii.gz", beating.images[phase], plain @ beating.to_heart)
        for name, phase in (("ed", 0), ("es", es))
    ]
    out = tmp_path / "pair"
    done = run("register", *paths, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["parts_dice"] > 0.93 > found["parts_dice_initial"]
    assert found["folds_percent"] < 1
    assert sorted(p.name for p in out.iterdir()) == [
        "field.nii.gz", "jacobian.nii.gz", "labels_fixed.nii.gz", "labels_warped.nii.gz",
        "sheet.png", "warped.nii.gz",
    ]  # fmt: skip
    assert nib.load(out / "field.nii.gz").shape == (130, 120, 10, 1, 3)
    again = run("register", *paths, "--out", out)
    assert again.exit_code == 0
    assert "Dice" in again.output


@pytest.mark.usefixtures("_known")
def test_register_refuses_what_does_not_go_together(beating, nifti_of, plain, tmp_path):
    volume = nifti_of("ed.nii.gz", beating.images[0], plain @ beating.to_heart)
    cine = nifti_of("cine.nii.gz", beating.images, plain @ beating.to_heart)
    out = tmp_path / "pair"
    for fixed, moving, match in (
        (volume, tmp_path / "face.jpg", "picture"),
        (volume, cine, "a cine of 6 phases"),
        (volume, tmp_path / "none.nii.gz", "no such file"),
    ):
        done = run("register", fixed, moving, "--out", out)
        assert done.exit_code == 1
        assert match in done.output
        assert not out.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_dicom_out_of_a_nifti_is_refused_before_the_work(cine_of, tmp_path):
    done = run("cine", cine_of("anna.nii.gz"), "--out", tmp_path / "out", "--dicom-out")
    assert done.exit_code == 1
    assert "no study to file results under" in " ".join(done.stderr.split())
    assert not (tmp_path / "out" / "anna").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_a_mesh_is_written_when_asked(cine_of, tmp_path):
    words = ("--mesh", "--no-fields", "--no-report", "--movie", "none", "--json")
    done = run("cine", cine_of("anna.nii.gz"), "--out", tmp_path / "out", *words)
    assert done.exit_code == 0, done.stderr
    found = {path.name for path in (tmp_path / "out" / "anna").iterdir()}
    assert {"mesh.pvd", "mesh.glb", *(f"mesh_{n:02d}.vtp" for n in range(1, 7))} <= found
    assert not any(name.endswith(".dcm") for name in found)


@pytest.mark.slow
@pytest.mark.usefixtures("_known")
def test_labels_in_mnms_order_are_told_of_in_json(cine_of, nifti_of, beating, plain, tmp_path):
    drawn = np.array([0, 3, 2, 1], np.uint8)[beating.labels[0]]
    labels = nifti_of("gt.nii.gz", drawn, plain @ beating.to_heart, dtype=np.uint8)
    words = ("--labels", labels, "--ed", 1, "--json", "--no-fields", "--movie", "none")
    done = run("cine", cine_of("anna.nii.gz"), "--out", tmp_path / "out", *words)
    (found,) = json.loads(done.stdout)["patients"]
    assert found["ed_labels_order"] == {"name": "mnms", "found_by": "anatomy"}
    assert found["lv"]["edv_ml"] == pytest.approx(beating.heart.lv_ml(), rel=0.02)
    assert any("in the order of M&Ms" in text for text in found["warnings"])
    words = ("--label-order", "acdc", *words)
    done = run("cine", cine_of("anna.nii.gz"), "--out", tmp_path / "other", *words)
    (found,) = json.loads(done.stdout)["patients"]
    assert any("--label-order is followed" in text for text in found["warnings"])


@pytest.mark.parametrize(
    ("words", "threads"),
    [
        ([], None),
        (["--workers", 3], 2),
        (["--ray", "auto"], 1),
        (["--threads", 5], 5),
        (["--workers", 3, "--threads", 5], 5),
    ],
)
def test_threads_are_shared_out_unless_they_are_given(
    cine_of, tmp_path, monkeypatch, words, threads
):
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    told = []

    def end(*args, threads, **options):
        told.append(threads)
        raise FacewarpError("enough")

    monkeypatch.setattr("facewarp.cardiac.cohort.runner.jobs_for", end)
    result = run("cine", cine_of("scan.nii.gz"), "--out", tmp_path / "out", *words)
    assert "enough" in result.stderr
    assert told == [threads]


def test_the_collector_runs_again_when_all_is_imported(tmp_path, nifti_of, monkeypatch):
    """What was imported stays, and is not gone through while a heart is followed."""
    found = []

    def end(*_args, **_options):
        found.append((gc.isenabled(), gc.get_freeze_count()))
        raise FacewarpError("far enough")

    monkeypatch.setattr("facewarp.cardiac.cohort.runner.run_cohort", end)
    file = nifti_of("any.nii.gz", np.ones((3, 2, 4, 4), np.float32), np.eye(4))
    pause_collection()
    try:
        assert run("cine", file, "--out", tmp_path / "out").exit_code == 1
    finally:
        gc.enable()
        gc.unfreeze()
    assert found[0][0]
    assert found[0][1] > 10_000


def test_patients_are_found_and_shared_out_without_torch(tmp_path, nifti_of, rng):
    file = nifti_of("one.nii.gz", rng.integers(1, 9, (2, 3, 8, 8)).astype(np.float32), np.eye(4))
    code = """
import sys
import facewarp.batch.runner
def shared_out(jobs, *_more, **_told):
    print([job.name for job in jobs], sorted({"torch", "pydicom"} & set(sys.modules)))
    raise SystemExit
facewarp.batch.runner.run_batch = shared_out
from facewarp.cli.app import main
sys.argv = ["facewarp", *sys.argv[1:]]
main()
"""
    words = [sys.executable, "-c", code, "-q", "cine", file, "--out", tmp_path / "out"]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "['one'] []"
