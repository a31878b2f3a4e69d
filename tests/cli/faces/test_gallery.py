"""``facewarp gallery``: a page that holds together, of free faces."""

import json
import re

import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.face.effects import gallery


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
