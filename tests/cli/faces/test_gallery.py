"""``facewarp gallery``: a page that holds together, of free faces."""

import json
import re

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.face.gallery import page as gallery


@pytest.mark.slow
def test_the_page_shows_every_picture(folder, monkeypatch):
    """With a few of its clips, of a few frames each: all of them take minutes on a busy machine."""
    monkeypatch.setattr(gallery, "CLIPS", gallery.CLIPS[1::4])
    monkeypatch.setattr(gallery, "EVERY", 70)
    monkeypatch.setattr(gallery, "LOOKS", gallery.LOOKS[:2])
    result = CliRunner().invoke(app, ["gallery", "--out", "page", "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    page = (folder / "page" / "index.html").read_text("utf-8")
    shown = set(re.findall(r'src="([^"]+)"', page))
    there = {path.name for path in (folder / "page").iterdir()}
    assert there == shown | {"index.html"}
    assert len(told["files"]) == len(there)
    assert told["bytes"] < 2e6
    for name in shown:
        with PIL.Image.open(folder / "page" / name) as image:
            assert getattr(image, "n_frames", 1) == (3 if name.startswith("clip-") else 1)
    assert "http" not in page.replace("http-equiv", "")


def test_a_folder_that_cannot_be_is_told(folder):
    (folder / "file").write_text("in the way")
    result = CliRunner().invoke(app, ["gallery", "--out", "file/page"])
    assert result.exit_code == 1
    assert "cannot be written" in " ".join(result.output.split())


@pytest.mark.slow
def test_sheets_of_ones_own_clip(talk, folder):
    words = ["gallery", talk, "--out", "sheets", "--looks", "mesh,texture:tiger", "--json"]
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
    names = {path.name for path in (folder / "sheets").iterdir()}
    assert names == {
        "index.html", "sheet-plain.webp", "sheet-mesh.webp", "sheet-texture-tiger.webp"
    }  # fmt: skip
    pictures = {
        name: np.asarray(PIL.Image.open(folder / "sheets" / name).convert("RGB")).astype(int)
        for name in names - {"index.html"}
    }
    plain = pictures["sheet-plain.webp"]
    assert min(plain.shape[:2]) > 900
    for picture in pictures.values():
        assert picture.shape == plain.shape
    assert np.abs(pictures["sheet-texture-tiger.webp"] - plain).mean() > 5
    page = (folder / "sheets" / "index.html").read_text("utf-8")
    assert set(re.findall(r'src="([^"]+)"', page)) == names - {"index.html"}


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--looks", "mesh"], 2, "give clips"),
        (["--match", "none"], 2, "give clips"),
        (["no.mp4", "--looks", "texture:tigre"], 1, "Did you mean tiger"),
        (["no.mp4", "--looks", "mesh:red"], 1, "nothing after a colon"),
        (["no.mp4"], 1, "no.mp4"),
    ],
)
def test_what_sheets_cannot_be_made_of_is_told(folder, words, code, says):
    result = CliRunner().invoke(app, ["gallery", "--out", "sheets", *words])
    assert result.exit_code == code, result.output
    assert says in " ".join(result.output.split())
    assert not (folder / "sheets").exists()
