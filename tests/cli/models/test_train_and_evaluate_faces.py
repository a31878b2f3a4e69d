"""``facewarp train`` and ``facewarp eval`` from the outside, on faces that are drawn."""

import csv
import json
import signal
from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.points import write_pts
from typer.testing import CliRunner, Result

from facewarp.cli.app import app
from facewarp.core.model import load
from facewarp.core.weights import file_sha256
from facewarp.training import run_log
from facewarp.training.synthetic.drawn_face import synthetic_faces
from facewarp.training.trainer import Trainer

CELEBAMASK_IDS = np.array([0, 1, 6, 7, 4, 5, 2, 12], dtype=np.uint8)
SMALL = ["model.input_shape=40,33", "model.field_shape=40,33", "batch=2", "checkpoint_every=2"]
NUMBERS = {"dice_initial", "dice_mean", "contour_px", "jacobian_std", "folds_percent"}


@pytest.fixture(scope="module")
def helen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with trainset/, afw/ and testset/."""
    folder = tmp_path_factory.mktemp("helen")
    faces = synthetic_faces(np.random.default_rng(11), 9)
    for name, some in (("trainset", faces[:5]), ("afw", faces[5:6]), ("testset", faces[6:])):
        (folder / name).mkdir()
        for face in some:
            cv2.imwrite(str(folder / name / f"{face.name}.jpg"), face.image)
            write_pts(folder / name / f"{face.name}.pts", face.landmarks)
    return folder


@pytest.fixture(scope="module")
def celebamask(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with train/ and val/."""
    folder = tmp_path_factory.mktemp("celebamask")
    faces = synthetic_faces(np.random.default_rng(12), 7)
    for name, some in (("train", faces[:4]), ("val", faces[4:])):
        for part in ("images", "masks"):
            (folder / name / part).mkdir(parents=True)
        for face in some:
            cv2.imwrite(str(folder / name / "images" / f"{face.name}.jpg"), face.image)
            masks = CELEBAMASK_IDS[face.labels]
            cv2.imwrite(str(folder / name / "masks" / f"{face.name}.png"), masks)
    return folder


@pytest.fixture(autouse=True)
def _without_tensorboard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_log, "open_tensorboard", lambda folder, step: None)


@pytest.fixture(scope="module")
def weights(helen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a run of one step."""
    out = tmp_path_factory.mktemp("runs") / "short"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_log, "open_tensorboard", lambda folder, step: None)
        result = train(helen, out, "--steps", "1", "--no-validate")
    assert result.exit_code == 0, result.stderr
    return out / "model.safetensors"


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def train(data: Path, out: Path, *words: str | Path, dataset: str = "helen") -> Result:
    settings = [word for setting in SMALL for word in ("--set", setting)]
    return invoke("train", dataset, "--data", data, "--out", out, *settings, *words)


def said(result: Result) -> str:
    """Standard error in one line, for messages may be wrapped in tables."""
    return " ".join(result.stderr.split())


def test_training_leaves_a_run_and_one_json_object(helen: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "mine"
    result = train(helen, out, "--steps", "3", "--set", "validate_every=2", "--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["out"], told["steps"]) == (str(out), 3)
    assert told["weights"] == str(out / "model.safetensors")
    assert told["weights_sha256"] == file_sha256(out / "model.safetensors")
    assert told["seconds"] > 0
    with open(out / "validation.csv", newline="", encoding="utf-8") as file:
        dice = [float(row["dice_mean"]) for row in csv.DictReader(file)]
    assert len(dice) == 2
    assert told["best_validation_dice"] == pytest.approx(max(dice), rel=1e-4)
    pictures = {path.name for path in out.glob("*.png")}
    assert pictures == {"validation_2.png", "validation_3.png"}
    assert not list(out.glob("*.part"))
    for text in ("trainset (2), afw (1)", "3 photographs", "kept out", "step 2: validation Dice"):
        assert text in said(result)
    model = load(out)
    assert model.metadata["training_data"] == "trainset (2), afw (1)"
    assert model.metadata["preset"] == "face"


def test_a_run_goes_on_with_its_own_settings(helen: Path, tmp_path: Path) -> None:
    assert train(helen, tmp_path / "run", "--steps", "2", "--seed", "5").exit_code == 0
    result = invoke(
        *("train", "helen", "--data", helen, "--out", tmp_path / "run"),
        *("--resume", "--steps", "3", "--json", "-q"),
    )
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert json.loads(result.stdout)["steps"] == 3
    config = json.loads((tmp_path / "run" / "config.json").read_text("utf-8"))
    assert (config["batch"], config["seed"], config["steps"]) == (2, 5, 3)
    with open(tmp_path / "run" / "log.csv", newline="", encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]


def test_a_run_starts_from_a_model_and_records_it(
    helen: Path, weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    result = train(helen, out, "--steps", "1", "--no-validate", "--start-from", weights)
    assert result.exit_code == 0, result.stderr
    result = train(helen, out, "--steps", "2", "--no-validate", "--resume")
    assert result.exit_code == 0, result.stderr
    assert load(out).metadata["started_from"] == file_sha256(weights)
    result = train(helen, out, "--steps", "3", "--resume", "--start-from", weights)
    assert "error: a run that is resumed has weights of its own" in result.stderr
    result = train(helen, tmp_path / "other", "--start-from", "nobody")
    assert "no model is called 'nobody'" in result.stderr
    assert not (tmp_path / "other").exists()


def test_going_on_with_other_photographs_is_noticed(helen: Path, tmp_path: Path) -> None:
    assert train(helen, tmp_path / "run", "--steps", "1").exit_code == 0
    result = train(helen / "trainset", tmp_path / "run", "--resume", "--steps", "1")
    assert result.exit_code == 0
    assert "warning: the run was begun with trainset (2), afw (1); now" in said(result)


def test_ctrl_c_keeps_a_checkpoint_with_a_note(
    helen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Trainer.train_step

    def interrupted(self: Trainer, batch: dict[str, object]) -> dict[str, float]:
        if self.step == 1:
            signal.raise_signal(signal.SIGINT)
        return step(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    result = train(helen, tmp_path / "run", "--steps", "50", "--no-validate")
    assert result.exit_code == 130
    out = tmp_path / "run"
    assert f"interrupted: step 2 is kept in {out}; --resume goes on from it" in said(result)
    monkeypatch.undo()
    monkeypatch.setattr(run_log, "open_tensorboard", lambda folder, step: None)
    result = train(helen, out, "--steps", "3", "--no-validate", "--resume")
    assert result.exit_code == 0, result.stderr
    assert "from step 2 on" in " ".join(result.stdout.split())


def test_masks_are_trained_on_alone_and_with_points(
    helen: Path, celebamask: Path, tmp_path: Path
) -> None:
    one = train(celebamask, tmp_path / "a", "--steps", "1", dataset="celebamask")
    assert one.exit_code == 0, one.stderr
    assert "train (2)" in one.stdout
    both = train(
        *(helen, tmp_path / "b", "--steps", "1", "--no-validate"),
        *("--celebamask", celebamask, "--celebamask-share", "0.5", "--extra", helen / "testset"),
    )
    assert both.exit_code == 0, both.stderr
    assert "trainset (5), afw (1), testset (3), train (4)" in " ".join(both.stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "nope=1"], "there is no setting 'nope' (--set). Settings here: model, loss"),
        (["--set", "lr"], "'lr' is not a setting (--set). Write it as key=value"),
        (["--set", "batch=0"], "batch is 0. Give at least 1."),
        (["--preset", "nope"], "there is no training preset 'nope'. Choose one of face, paper"),
        (["--resume"], "there is no run to resume"),
        (["--device", "abacus"], "there is no device 'abacus' here"),
        (["--extra", "nowhere"], "there is no such file or folder (nowhere)"),
        (["--celebamask", "nowhere"], "there is no such file or folder (nowhere)"),
    ],
)
def test_wrong_training_ends_in_one_line(
    helen: Path, tmp_path: Path, words: list[str], message: str
) -> None:
    result = train(helen, tmp_path / "run", *words)
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_missing_data_and_bad_places_end_in_one_line(helen: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    trials = [
        (train(tmp_path / "empty", tmp_path / "run"), "no photographs here"),
        (train(tmp_path / "nope", tmp_path / "run"), "there is no such file or folder"),
        (train(helen, tmp_path / "file"), "can't write here"),
        (train(helen, tmp_path / "file" / "run"), "can't write here"),
        (train(helen, tmp_path / "run", dataset="celebamask"), "no images/ and masks/ here"),
    ]
    for result, message in trials:
        assert result.exit_code == 1, message
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_a_run_is_not_overwritten(helen: Path, weights: Path) -> None:
    before = file_sha256(weights)
    result = train(helen, weights.parent)
    assert result.exit_code == 1
    assert "a run is here already" in result.stderr
    result = train(helen, weights.parent, "--resume", "--preset", "paper")
    assert "the run is of preset 'face'" in result.stderr
    assert file_sha256(weights) == before


def test_no_data_is_wrong_usage() -> None:
    for words in (["train", "helen"], ["eval", "celebamask"], ["train"], ["eval", "nope"]):
        assert invoke(*words).exit_code == 2


def test_evaluation_prints_a_table_and_the_models_hash(helen: Path, weights: Path) -> None:
    result = invoke("eval", "helen", "--data", helen, "--model", weights)
    assert result.exit_code == 0, result.stderr
    for text in ("helen testset: 3 pairs", "brow left", "unregistered", file_sha256(weights)):
        assert text in result.stdout


def test_evaluation_as_json_with_rows_and_sheet(helen: Path, weights: Path, tmp_path: Path) -> None:
    rows, picture = tmp_path / "pairs.csv", tmp_path / "pairs.png"
    words = ["--pairs-csv", rows, "--picture", picture, "--threads", "1", "--json"]
    result = invoke("eval", "helen", "--data", helen / "testset", "--model", weights, *words)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told.keys() >= NUMBERS
    assert all(np.isfinite(told[name]) for name in NUMBERS)
    assert (told["dataset"], told["split"], told["n_pairs"]) == ("helen", "testset", 3)
    assert told["weights_sha256"] == file_sha256(weights)
    assert list(told["dice_per_part"]) == [
        *("face", "brow_left", "brow_right", "eye_left", "eye_right", "nose", "mouth")
    ]
    assert 0 < told["dice_initial"] < 100
    with open(rows, newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["fixed"] for row in table] == ["drawn_0006", "drawn_0007", "drawn_0008"]
    mean = np.mean([float(row["dice_mean"]) for row in table])
    assert told["dice_mean"] == pytest.approx(mean, rel=1e-4)
    assert cv2.imread(str(picture)).shape[1] == 6 * 260


def test_the_same_seed_gives_the_same_numbers(helen: Path, weights: Path) -> None:
    found = []
    for seed in (0, 0, 1):
        result = invoke(
            *("eval", "helen", "--data", helen, "--model", weights, "--json"),
            *("--seed", str(seed), "--limit", "2"),
        )
        found.append(json.loads(result.stdout))
    assert [told["n_pairs"] for told in found] == [2, 2, 2]
    assert found[0]["dice_mean"] == found[1]["dice_mean"] != found[2]["dice_mean"]


def test_masks_are_evaluated_without_landmarks(celebamask: Path, weights: Path) -> None:
    for folder in (celebamask, celebamask / "val"):
        result = invoke("eval", "celebamask", "--data", folder, "--model", weights.parent, "--json")
        assert result.exit_code == 0, result.stderr
        told = json.loads(result.stdout)
        assert (told["split"], told["n_pairs"], told["landmark_px"]) == ("val", 3, None)


def test_wrong_evaluations_end_in_one_line(helen: Path, weights: Path, tmp_path: Path) -> None:
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    for suffix in (".jpg", ".pts"):
        source = min((helen / "testset").glob(f"*{suffix}"))
        (lonely / f"one{suffix}").write_bytes(source.read_bytes())
    pointless = tmp_path / "pointless"
    pointless.mkdir()
    (pointless / "a.jpg").write_bytes((lonely / "one.jpg").read_bytes())
    (tmp_path / "empty").mkdir()
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"nothing")
    trials = [
        (tmp_path / "empty", weights, "no photographs here"),
        (tmp_path / "nope", weights, "there is no such file or folder"),
        (pointless, weights, "1 photographs have no .pts file: a.jpg"),
        (lonely, weights, "pairs need at least 2 photographs, and there are 1 (lonely)"),
        (helen, "nope", "no model is called 'nope'"),
        (helen, tmp_path / "nope.safetensors", "there is no such weights file"),
        (helen, damaged, "not readable as safetensors"),
    ]
    for data, model, message in trials:
        result = invoke("eval", "helen", "--data", data, "--model", model)
        assert result.exit_code == 1, message
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["face", "paper"])
def test_the_presets_train_as_they_are(helen: Path, tmp_path: Path, preset: str) -> None:
    result = invoke(
        *("train", "helen", "--data", helen, "--out", tmp_path, "--preset", preset),
        *("--steps", "1", "--set", "batch=2", "--no-validate", "--json"),
    )
    assert result.exit_code == 0, result.stderr
    assert load(tmp_path).config.input_shape in {(160, 130), (320, 260)}


def test_training_goes_by_steps_or_epochs(helen: Path, tmp_path: Path) -> None:
    result = train(helen, tmp_path / "run", "--steps", "2", "--epochs", "1")
    assert result.exit_code == 1
    assert "steps and epochs both say how long to train (--epochs). Give one" in said(result)


@pytest.mark.slow
def test_epochs_and_sizes_are_kept(helen: Path, tmp_path: Path) -> None:
    words = ("--preset", "paper", "--size", "quarter", "--epochs", "1", "--no-validate")
    result = invoke(
        *("train", "helen", "--data", helen, "--out", tmp_path / "run", "--json", "-q"),
        *("--set", "batch=2", *words),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["steps"] == 3
    config = load(tmp_path / "run").config
    assert (config.input_shape, config.field_shape) == ((80, 65), (40, 33))
