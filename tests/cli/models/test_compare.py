"""``facewarp eval helen --methods`` and ``facewarp train baseline``, on synthetic faces."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from fixtures.points import write_pts
from typer.testing import CliRunner, Result

from facewarp.cli.app import app
from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import save_weights
from facewarp.training.config.presets import FACE_CLASSES
from facewarp.training.synthetic.drawn_face import synthetic_faces

TINY = ModelConfig(
    classes=FACE_CLASSES,
    input_shape=(40, 33),
    field_shape=(40, 33),
    features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=()),
    steps=(StepConfig(channels=(8, 8), strides=(2,), control_level=1, box=3),),
)
FILES = {
    *("table.md", "table.csv", "table.json", "index.html", "pairs.csv"),
    *("dice-by-method.png", "dice-by-part.png", "examples.png", "training-curves.png"),
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for face in synthetic_faces(np.random.default_rng(21), 4):
        cv2.imwrite(str(folder / f"{face.name}.jpg"), face.image)
        write_pts(folder / f"{face.name}.pts", face.landmarks)
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """A folder in which the preset ``paper`` was trained, and nothing else."""
    run = tmp_path / "runs" / "helen-paper"
    save_weights(GuidedRegistration(TINY), run / "model.safetensors", {})
    (run / "log.csv").write_text("step,loss,align\n1,2,0\n2,1.5,0.5\n3,1.2,0.4\n")
    (run / "validation.csv").write_text("step,dice_mean\n3,40\n")
    return run.parent


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_methods_are_compared_and_written(photographs: Path, runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    result = invoke(
        *("eval", "helen", "--data", photographs, "--runs", runs, "--figures", out, "--json"),
        *("--methods", "unregistered,dis,esr-cpd,paper,paper+polyaffine"),
    )
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert record["n_pairs"] == 4
    names = [method["method"] for method in record["methods"]]
    assert names == ["unregistered", "dis", "paper", "paper+polyaffine"]
    still = record["methods"][0]
    assert still["dice_mean"] == pytest.approx(still["dice_initial"])
    assert still["jacobian_std"] == still["folds_percent"] == 0
    assert len({method["dice_initial"] for method in record["methods"]}) == 1
    assert record["methods"][2]["weights_sha256"]
    assert [one["name"] for one in record["skipped"]] == ["esr-cpd"]
    assert "facewarp train baseline esr" in " ".join(result.stderr.split())
    assert {path.name for path in out.iterdir()} == FILES
    with open(out / "table.csv", newline="", encoding="utf-8") as file:
        assert [row["method"] for row in csv.DictReader(file)] == names
    assert json.loads((out / "table.json").read_text("utf-8"))["methods"] == record["methods"]
    with open(out / "pairs.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == [name for name in names for _ in range(4)]
    by_pair = [float(row["dice_mean"]) for row in rows]
    claim = record["orderings"][0]
    assert (claim["ahead"], claim["behind"]) == ("paper", "dis")
    assert claim["difference"] == pytest.approx(np.mean(by_pair[8:12]) - np.mean(by_pair[4:8]))
    assert claim["claim"] in (out / "table.md").read_text("utf-8")
    page = (out / "index.html").read_text("utf-8")
    assert page.count("src='data:image/png") == 4
    assert "http" not in page
    assert (out / "table.md").read_text("utf-8").count("| paper") == 2


def test_thorough_is_refused_for_a_comparison(photographs: Path) -> None:
    words = ("--methods", "dis", "--thorough")
    result = invoke("eval", "helen", "--data", photographs, *words)
    assert result.exit_code == 1
    assert "methods are compared by one look at each face" in " ".join(result.stderr.split())


def test_a_method_that_is_not_there_is_refused(photographs: Path) -> None:
    result = invoke("eval", "helen", "--data", photographs, "--methods", "nope")
    assert result.exit_code == 1
    assert "there is no method 'nope'" in " ".join(result.stderr.split())


def test_nothing_to_compare_is_an_error_with_a_fix(photographs: Path, tmp_path: Path) -> None:
    result = invoke(
        *("eval", "helen", "--data", photographs, "--methods", "paper", "--runs", tmp_path)
    )
    assert result.exit_code == 1
    assert "--preset paper --out" in " ".join(result.stderr.split())


@pytest.mark.slow
def test_a_baseline_is_trained_and_then_compared(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "baseline-flownets"
    words = ("--out", out, "--steps", "2", "--batch", "2", "--width", "2", "--json", "-q")
    result = invoke("train", "baseline", "flownets", "--data", photographs, *words)
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["weights"] == str(out / "model.safetensors")
    words = ("--out", out, "--steps", "3", "--resume", "--json", "-q")
    result = invoke("train", "baseline", "flownets", "--data", photographs, *words)
    assert result.exit_code == 0, result.stderr
    with open(out / "log.csv", newline="", encoding="utf-8") as file:
        assert [row["step"] for row in csv.DictReader(file)] == ["1", "2", "3"]
    result = invoke(
        *("eval", "helen", "--data", photographs, "--methods", "flownets", "--json", "-q"),
        *("--runs", out.parent, "--limit", "2"),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["methods"][0]["method"] == "flownets"


def test_training_a_baseline_without_photographs_is_an_error(tmp_path: Path) -> None:
    words = ("--data", tmp_path / "none", "--out", tmp_path / "out")
    result = invoke("train", "baseline", "esr", *words)
    assert result.exit_code == 1
    assert "there is no such file or folder" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("word", "kind"), [("precision", "precision"), ("optimizer", "optimiser")])
def test_unknown_settings_are_refused_before_data_are_read(
    tmp_path: Path, word: str, kind: str
) -> None:
    out = tmp_path / "out"
    words = ("--data", tmp_path, "--out", out, f"--{word}", "half")
    result = invoke("train", "baseline", "flownets", *words)
    assert result.exit_code == 1
    assert f"there is no {kind} 'half'" in " ".join(result.stderr.split())
    assert not out.exists()
