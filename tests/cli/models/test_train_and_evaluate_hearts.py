"""``facewarp train acdc`` and ``facewarp eval acdc`` from the outside, on hearts that are drawn."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from facewarp.cli.app import app
from facewarp.core.model import load
from facewarp.core.weights import file_sha256
from facewarp.training import run_log
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

SMALL = [
    "model.grid_shape=8,48,48",
    "model.spacing_mm=4,4,12",
    "model.input_shape=8,48,48",
    "model.field_shape=8,24,24",
    "view_shape=8,32,32",
    "batch=1",
    "checkpoint_every=2",
]
NUMBERS = {
    *("n_pairs", "dice_initial", "dice_mean", "dice_rv", "dice_myo", "dice_lv", "hd95_mm"),
    *("sdlogj", "jacobian_std", "folds_percent", "parts_dice", "seconds_per_pair"),
}
VOLUMES = {"edv_mae_ml", "esv_mae_ml", "ef_mae", "ef_bias", "ef_correlation"}


@pytest.fixture(autouse=True)
def _without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "open_tensorboard", lambda folder, step: None)


@pytest.fixture(scope="module")
def acdc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patients in two folders, deep in another."""
    place = tmp_path_factory.mktemp("data") / "acdc"
    for number in (1, 2, 15, 18, 19, 101):
        inner = "training" if number <= 100 else "testing"
        write_drawn_patient(place / "database" / inner, number)
    return place


@pytest.fixture(scope="module")
def run(acdc: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A run of two steps, validated once, and what the command said."""
    out = tmp_path_factory.mktemp("runs") / "short"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_log, "open_tensorboard", lambda folder, step: None)
        result = train(acdc, out, "--steps", "2", "--seed", "3", "--json")
    assert result.exit_code == 0, result.stderr
    return out, result


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def train(data: Path, out: Path, *words: str | Path) -> Result:
    settings = [word for setting in SMALL for word in ("--set", setting)]
    return invoke("train", "acdc", "--data", data, "--out", out, *settings, *words)


def said(result: Result) -> str:
    """Standard error in one line, for messages may be wrapped in tables."""
    return " ".join(result.stderr.split())


@pytest.mark.slow
def test_training_leaves_a_run_and_one_json_object(run: tuple[Path, Result]) -> None:
    out, result = run
    told = json.loads(result.stdout)
    assert (told["out"], told["steps"]) == (str(out), 2)
    assert told["weights_sha256"] == file_sha256(out / "model.safetensors")
    with open(out / "validation.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 1
    assert {"dice_mean", "hd95_mm", "sdlogj", "parts_dice"} <= rows[0].keys()
    assert told["best_validation_dice"] == pytest.approx(float(rows[0]["dice_mean"]), rel=1e-4)
    assert (out / "validation_2.png").is_file()
    for text in ("Reading patients", "acdc: 1-2 (2 patients)", "1 patients", "HD95"):
        assert text in said(result)
    model = load(out)
    assert model.metadata["training_data"] == "acdc: 1-2 (2 patients)"
    assert model.metadata["preset"] == "acdc"
    assert model.config.grid_shape == (8, 48, 48)


@pytest.mark.slow
def test_a_run_goes_on_with_its_own_settings(acdc: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first = train(acdc, out, "--steps", "2", "--no-validate")
    assert first.exit_code == 0, first.stderr
    result = invoke(
        *("train", "acdc", "--data", acdc, "--out", out),
        *("--resume", "--steps", "3", "--no-validate", "--json", "-q"),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 3
    config = json.loads((out / "config.json").read_text("utf-8"))
    assert (config["batch"], config["view_shape"], config["steps"]) == (1, [8, 32, 32], 3)
    with open(out / "log.csv", newline="", encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "split", "n"),
    [
        (["--protocol", "paper"], "test patients 15, 18-19", 3),
        (["--protocol", "memwarp"], "official test patients 101", 1),
        (["--patients", "18-19"], "patients 18-19", 2),
    ],
)
def test_evaluation_as_json(
    acdc: Path, run: tuple[Path, Result], words: list[str], split: str, n: int
) -> None:
    out, _ = run
    result = invoke("eval", "acdc", "--data", acdc, "--model", out, "--json", *words)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told.keys() >= NUMBERS | VOLUMES
    assert all(np.isfinite(told[name]) for name in NUMBERS)
    assert (told["dataset"], told["split"], told["n_pairs"]) == ("acdc", split, n)
    assert told["protocol"] == ("paper" if "paper" in words else "memwarp")
    assert told["weights_sha256"] == file_sha256(out / "model.safetensors")
    assert 20 < told["dice_initial"] < 100
    assert "J + 3" in told["sdlogj_definition"]


@pytest.mark.slow
def test_evaluation_prints_a_table_and_writes_what_is_asked(
    acdc: Path, run: tuple[Path, Result], tmp_path: Path
) -> None:
    out, _ = run
    rows, picture = tmp_path / "rows.csv", tmp_path / "best.png"
    result = invoke(
        *("eval", "acdc", "--data", acdc, "--model", out, "--patients", "18,19"),
        *("--out", rows, "--picture", picture, "--threads", "1"),
    )
    assert result.exit_code == 0, result.stderr
    for text in ("acdc, memwarp: 2 patients", "myocardium", "unregistered", "SDlogJ", "EF"):
        assert text in result.stdout
    assert file_sha256(out / "model.safetensors") in result.stdout
    with open(rows, newline="", encoding="utf-8") as file:
        assert [row["patient"] for row in csv.DictReader(file)] == ["patient018", "patient019"]
    assert cv2.imread(str(picture)).shape[1] == 6 * 2 * 128
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "face"], "'face' is for a face model, not a heart's (--preset). Choose one"),
        (["--preset", "nope"], "there is no training preset 'nope'"),
        (["--set", "view_shape=9,33,32"], "views can't be so large"),
        (["--resume"], "there is no run to resume"),
    ],
)
def test_wrong_training_ends_in_one_line(
    acdc: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    result = train(acdc, tmp_path / "run", *words)
    assert result.exit_code == 1
    assert message in said(result)
    assert result.stderr.strip().splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "run").exists()


def test_hearts_presets_are_not_for_faces(tmp_path: Path) -> None:
    result = invoke("train", "helen", "--data", tmp_path, "--preset", "acdc")
    assert result.exit_code == 1
    assert (
        "'acdc' is for a heart model, not a face's (--preset). Choose one of face, paper, "
        in said(result)
    )


def test_wrong_data_end_in_one_line(acdc: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    spoilt = write_drawn_patient(tmp_path / "spoilt", 18, shape=(5, 24, 24))
    min(spoilt.glob("*_gt.nii.gz")).unlink()
    trials = [
        (["train", "acdc", "--data", tmp_path / "nope"], "there is no such file or folder"),
        (["train", "acdc", "--data", tmp_path / "empty"], "there are no patients here"),
        (["train", "acdc", "--data", tmp_path / "spoilt"], "there are no patients to train on"),
        (["eval", "acdc", "--data", tmp_path / "empty"], "there are no patients here"),
        (["eval", "acdc", "--data", acdc, "--patients", "7"], "there is no patient '7'"),
        (["eval", "acdc", "--data", acdc, "--model", "face"], "this is no heart model: 'face'"),
        (["eval", "acdc", "--data", acdc, "--model", "nope"], "no model is called 'nope'"),
    ]
    for words, message in trials:
        extra = ["--out", tmp_path / "run"] if words[0] == "train" else []
        result = invoke(*words, *extra)
        assert result.exit_code == 1, message
        assert message in said(result)
        assert result.stderr.strip().splitlines()[-1].startswith("error: ")


@pytest.mark.slow
def test_a_spoilt_patient_is_named(run: tuple[Path, Result], tmp_path: Path) -> None:
    out, _ = run
    spoilt = write_drawn_patient(tmp_path, 18, shape=(5, 24, 24))
    min(spoilt.glob("*_gt.nii.gz")).unlink()
    result = invoke("eval", "acdc", "--data", tmp_path, "--model", out)
    assert result.exit_code == 1
    assert "has no labels" in said(result)
    assert "patient018" in said(result)


def test_no_data_is_wrong_usage() -> None:
    for words in (["train", "acdc"], ["eval", "acdc"], ["eval", "acdc", "--protocol", "nope"]):
        assert invoke(*words).exit_code == 2
