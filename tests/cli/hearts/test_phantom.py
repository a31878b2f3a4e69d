import json

import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app

TINY = ("--phases", 3, "--slice-mm", 20, "--pixel-mm", 4, "--no-fields")


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_phantoms_are_made_once(tmp_path):
    out = tmp_path / "set"
    line = ("phantom", "--out", out, "--ef", "35", *TINY)
    done = run(*line, "--json")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)["phantoms"]
    assert [round(one["lv"]["ef_percent"]) for one in told] == [35]
    assert "1 written" in done.stderr
    times = [path.stat().st_mtime_ns for path in sorted(out.rglob("*.gz"))]
    again = run(*line)
    assert "1 of them there before" in again.stdout
    assert [path.stat().st_mtime_ns for path in sorted(out.rglob("*.gz"))] == times
    other = run(*line, "--seed", 1)
    assert other.exit_code == 1
    assert "Nothing is overwritten" in other.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ef", "sixty"), "no list of numbers from 5 to 80"),
        (("--ef", "60,99"), "no list of numbers from 5 to 80"),
        (("--infarct", "17"), "no list of numbers from 0 to 16"),
        (("--infarct", "2.5"), "whole numbers"),
        (("--ef", "80", "--infarct", "8", "--slice-mm", "2"), "ejects 80 %"),
    ],
)
def test_what_cannot_be_made_is_told_before_anything_is_written(words, said, tmp_path):
    done = run("phantom", "--out", tmp_path / "set", *words)
    assert done.exit_code == 1
    assert said in done.stderr
    assert not (tmp_path / "set").exists()
