import csv
import json

import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.training.synthetic.phantom import folder


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.slow
def test_the_shipped_model_is_measured_on_a_phantom(tmp_path):
    words = ("--patients", 1, "--ef", 50, "--phases", 3, "--pixel-mm", 2, "--slice-mm", 10)
    done = run("eval", "phantom", *words, "--out", tmp_path / "rows.csv", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["n_phantoms"] == 1
    errors = found["errors"]
    assert set(found["targets"]) < set(errors)
    assert errors["ef_error"] < 8
    assert errors["dice_ed"] > 80
    assert errors["displacement_mm"] < 2.5
    assert "displacement of the wall in-plane" in done.stderr
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["ef_true"]) == pytest.approx(50)


def test_a_folder_without_phantoms_is_told(tmp_path):
    done = run("eval", "phantom", "--data", tmp_path)
    assert done.exit_code == 1
    assert f"no phantom to measure on ({tmp_path})" in " ".join(done.stderr.split())
    done = run("eval", "phantom", "--data", tmp_path / "none")
    assert done.exit_code == 1
    assert "no such file or folder" in done.stderr


def test_a_table_that_cannot_be_written_is_told_before_phantoms_are_made(tmp_path, monkeypatch):
    monkeypatch.setattr(folder, "write_phantom", lambda *_, **__: pytest.fail("made"))
    (tmp_path / "file").touch()
    done = run("eval", "phantom", "--patients", 1, "--out", tmp_path / "file" / "rows.csv")
    assert done.exit_code == 1
    assert "part of the path is a file" in " ".join(done.stderr.split())
