"""``facewarp eval acdc --methods`` and ``train baseline`` of hearts, on synthetic hearts."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from facewarp.cli.app import app
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

FILES = {
    *("table.md", "table.csv", "table.json", "patients.csv", "index.html"),
    *("dice-by-method.png", "dice-by-part.png", "examples.png"),
}


@pytest.fixture(scope="module")
def acdc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("acdc")
    for number in (1, 18, 19, 20):
        write_drawn_patient(place, number)
    return place


def invoke(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_methods_are_compared_and_written(acdc: Path, tmp_path: Path) -> None:
    out = tmp_path / "figures"
    result = invoke(
        *("eval", "acdc", "--data", acdc, "--protocol", "memwarp", "--limit", "2", "--json"),
        *("--methods", "unregistered,lcc-demons,krebs", "--runs", tmp_path, "--figures", out),
        *("--out", tmp_path / "rows.csv"),
    )
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)
    assert (record["n_pairs"], record["protocol"], record["directions"]) == (2, "memwarp", 2)
    assert "the first 2" in record["split"]
    still, demons = record["methods"]
    assert still["dice_mean"] == pytest.approx(still["dice_initial"])
    assert demons["dice_mean"] > still["dice_mean"]
    assert [one["name"] for one in record["skipped"]] == ["krebs"]
    assert "facewarp train baseline krebs" in " ".join(result.stderr.split())
    assert {path.name for path in out.iterdir()} == FILES
    with open(tmp_path / "rows.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["method"] for row in rows] == ["unregistered"] * 2 + ["lcc-demons"] * 2
    page = (out / "index.html").read_text("utf-8")
    assert page.count("src='data:image/png") == 3
    assert "http" not in page
    assert (out / "table.md").read_text("utf-8").count("| lcc-demons") == 1


def test_a_method_that_is_not_there_is_refused(acdc: Path) -> None:
    result = invoke("eval", "acdc", "--data", acdc, "--methods", "dis")
    assert result.exit_code == 1
    assert "there is no method 'dis' on hearts" in " ".join(result.stderr.split())


def test_picture_is_refused_for_a_comparison(acdc: Path, tmp_path: Path) -> None:
    words = ("--methods", "unregistered", "--picture", tmp_path / "sheet.png")
    result = invoke("eval", "acdc", "--data", acdc, *words)
    assert result.exit_code == 1
    assert "--figures" in result.stderr
    assert not (tmp_path / "sheet.png").exists()


@pytest.mark.slow
def test_a_baseline_is_trained_and_then_compared(acdc: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "baseline-krebs"
    words = ("train", "baseline", "krebs", "--data", acdc, "--out", out, "--json", "-q")
    result = invoke(*words, "--steps", "1")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["weights"] == str(out / "model.safetensors")
    result = invoke(
        *("eval", "acdc", "--data", acdc, "--methods", "krebs", "--limit", "1", "--json", "-q"),
        *("--runs", out.parent),
    )
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["methods"][0]["method"] == "krebs"


def test_a_run_that_can_not_be_resumed_is_an_error(acdc: Path, tmp_path: Path) -> None:
    result = invoke("train", "baseline", "esr", "--data", acdc, "--resume", "--out", tmp_path)
    assert result.exit_code == 1
    assert "esr takes no --resume" in " ".join(result.stderr.split())
    result = invoke("train", "baseline", "esr", "--data", acdc, "--steps", "3", "--out", tmp_path)
    assert result.exit_code == 1
    assert "esr takes no --steps" in " ".join(result.stderr.split())
    result = invoke("train", "baseline", "krebs", "--data", acdc, "--resume", "--out", tmp_path)
    assert result.exit_code == 1
    assert "there is no run to resume" in " ".join(result.stderr.split())


def test_training_a_baseline_without_patients_is_an_error(tmp_path: Path) -> None:
    words = ("--data", tmp_path / "none", "--out", tmp_path / "out")
    result = invoke("train", "baseline", "krebs", *words)
    assert result.exit_code == 1
    assert "there is no such file or folder" in " ".join(result.stderr.split())
    assert not (tmp_path / "out").exists()
