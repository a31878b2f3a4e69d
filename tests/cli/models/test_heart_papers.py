"""The paper's hearts: its preset, guided and not, trained a step and measured by its protocol."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.core.model import load
from facewarp.training import run_log
from facewarp.training.config.train_config import WHOLE_GRID
from facewarp.training.synthetic.acdc_folders import write_drawn_patient

SMALL = ("model.grid_shape=16,32,32", "model.spacing_mm=6,6,6", "model.input_shape=16,32,32")
SMALL += ("model.field_shape=8,16,16", "batch=1")


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["acdc-paper", "acdc-paper-unguided"])
def test_the_papers_hearts_are_trained_and_measured(
    preset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_log, "open_tensorboard", lambda folder, step: None)
    for number in (1, 2, 15, 16):
        write_drawn_patient(tmp_path / "acdc", number)
    settings = [word for setting in SMALL for word in ("--set", setting)]
    run = tmp_path / "runs" / preset
    words = ["train", "acdc", "--data", tmp_path / "acdc", "--preset", preset, "--out", run]
    words += ["--steps", "1", "--no-validate", "-q", *settings]
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.stderr
    guided = preset == "acdc-paper"
    assert load(run).config.guided == guided
    assert load(run).metadata["view_shape"] == WHOLE_GRID
    words = ["eval", "acdc", "--data", tmp_path / "acdc", "--protocol", "paper", "--model", run]
    result = CliRunner().invoke(app, [str(word) for word in [*words, "--json", "-q"]])
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert (told["protocol"], told["n_pairs"], told["directions"]) == ("paper", 2, 1)
    assert told["dice_mean"] == pytest.approx(told["dice_initial"], abs=5), "it has learnt nothing"
    if not guided:
        assert told["parts_dice"] is None
        assert told["n_volumes"] == 0
    figures = tmp_path / "figures"
    words = ["eval", "acdc", "--data", tmp_path / "acdc", "--protocol", "paper", "--limit", "1"]
    words += ["--methods", f"unregistered,{preset}", "--runs", run.parent, "--figures", figures]
    result = CliRunner().invoke(app, [str(word) for word in [*words, "-q"]])
    assert result.exit_code == 0, result.stderr
    page = (figures / "index.html").read_text("utf-8")
    assert page.count("src='data:image/png") == 4, "the run's curves are among them"
    assert (figures / "training-curves.png").stat().st_size > 10_000
