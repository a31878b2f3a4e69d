"""The README's commands and code run as written, on a short clip and a portrait."""

import re
import shlex
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source, read_video

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text("utf-8")
CLIP = ROOT / "assets" / "demo" / "astronaut.mp4"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def commands(word):
    """Every ``facewarp WORD ...`` line of the README, without its comment."""
    lines = "\n".join(blocks("sh")).splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.startswith(f"facewarp {word}")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the README speaks of, to stand in."""
    with open_source(CLIP, end=0.2) as source, open_sink(tmp_path / "talk.mp4", like=source) as out:
        for frame in source:
            out.write(frame)
    Image.open(ROOT / "assets" / "demo" / "portrait.png").save(tmp_path / "photo.jpg")
    (tmp_path / "footage").mkdir()
    shutil.copy(tmp_path / "talk.mp4", tmp_path / "footage")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_begins_with_installing_and_making():
    install, make = (block.splitlines() for block in blocks("sh")[:2])
    assert [line.split()[:2] for line in install] == [
        ["python3", "-m"], ["pip", "install"], ["pip", "install"], ["facewarp", "doctor"],
    ]  # fmt: skip
    assert [line.split()[:2] for line in make] == [["make", "demo"], ["make", "test"]]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^demo:", makefile, re.MULTILINE)
    assert re.search(r"^test:", makefile, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("line", commands("track"))
def test_track_commands_run(folder, line):
    words = shlex.split(line)[1:]
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    out = folder / words[words.index("--out") + 1]
    files = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else [out]
    assert max(path.stat().st_size for path in files) > 1000


@pytest.mark.parametrize("line", [*commands("train"), *commands("eval")])
def test_other_commands_are_understood(folder, line):
    """There are no photographs in DIR; the commands get as far as saying so."""
    (folder / "DIR").mkdir()
    run = CliRunner().invoke(app, shlex.split(line)[1:])
    assert run.exit_code == 1, run.output
    assert "DIR" in run.output


@pytest.mark.slow
def test_the_python_code_runs(folder, capsys):
    (code,) = blocks("python")
    Image.fromarray(next(read_video(CLIP, start=3)).image).save(folder / "other.jpg")
    names = {}
    exec(compile(code, "README.md", "exec"), names)
    assert "tracking" in capsys.readouterr().out
    assert names["warped"].shape == names["fixed"].shape == (320, 260, 3)
    assert len(list(read_video(folder / "t.mp4"))) == len(list(read_video("talk.mp4")))
    assert np.isfinite(names["reg"].field).all()


def test_its_pictures_and_links_exist():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert targets
    missing = [target for target in targets if not (ROOT / target).exists()]
    assert not missing


def test_the_guide_to_installing_lists_every_extra():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    guide = (ROOT / "docs" / "install.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", guide, re.MULTILINE))
    assert listed >= set(project["optional-dependencies"]) - {"test", "dev"}
