"""``facewarp textures`` and ``--makeup``, from their arguments to what lies in the folder."""

import json
import os
from importlib.resources import files
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.face.rendering.textures import list_textures

CLIP = str(files("facewarp.assets").joinpath("demo/astronaut.mp4"))


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def test_the_list_names_every_texture(folder):
    result = run("textures")
    assert result.exit_code == 0, result.output
    for name in list_textures():
        assert name in result.stdout
    assert os.listdir(folder) == []


def test_json_holds_names_blends_and_parts(folder):
    result = run("textures", "--json")
    listed = {entry["name"]: entry for entry in json.loads(result.stdout)["textures"]}
    assert sorted(listed) == list_textures()
    assert listed["wireframe"]["blend"] == "glow"
    assert "lips" in listed["makeup"]["parts"]


@pytest.mark.slow
def test_a_sheet_shows_them_worn(folder):
    result = run("textures", "tiger", "makeup+lips=black:1", "--out", "sheet.png", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["sheet"] == "sheet.png"
    sheet = np.array(PIL.Image.open("sheet.png"))
    half = sheet.shape[1] // 2
    assert np.abs(sheet[:, :half].astype(int) - sheet[:, half : 2 * half]).mean() > 5
    assert os.listdir(folder) == ["sheet.png"]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["textures", "tigre"], 1, "Did you mean tiger"),
        (["textures", "--out", "sheet.mp4"], 1, "a sheet is a picture"),
        (["textures", "--on", "x.png"], 2, "--out"),
        (["textures", "tiger", "--out", "s.png", "--on", "none.png"], 1, "none.png"),
        (["track", "x.png", "--makeup", "lips=red"], 2, "wears no texture"),
        (["track", "x.png", "--makeup", "lips=red"], 2, "for --makeup:"),
        (
            ["track", "x.png", "--effect", "texture", "--texture", "tiger", "--makeup", "lips=red"],
            2,
            "changes a look",
        ),
        (["track", CLIP, "--effect", "texture", "--makeup", "lip=red"], 1, "Did you mean lips"),
    ],
)
def test_what_does_not_go_together_is_told(folder, words, code, says):
    result = run(*words)
    assert result.exit_code == code
    assert says in " ".join(result.output.split())
    assert os.listdir(folder) == []


def test_a_sheet_does_not_take_the_place_of_a_texture(folder):
    PIL.Image.new("RGBA", (260, 320), "red").save("skin.png")
    content = Path("skin.png").read_bytes()
    result = run("textures", "tiger", "skin.png", "--out", "skin.png")
    assert result.exit_code == 1
    assert "output and input are the same file (skin.png)" in result.output
    assert Path("skin.png").read_bytes() == content


def test_makeup_goes_onto_the_photo(photo):
    words = ("track", photo, "--out", "red.png", "--effect", "texture", "--makeup", "lips=red:1")
    assert run(*words).exit_code == 0
    before, after = (
        np.array(PIL.Image.open(p).convert("RGB")).astype(int) for p in (photo, "red.png")
    )
    change = after - before
    y, x = np.unravel_index(np.argmax(change[..., 0] - change[..., 1]), change.shape[:2])
    assert change[y, x, 0] - change[y, x, 1] > 40


def test_a_texture_painted_for_mediapipe_is_worn(folder, portrait):
    PIL.Image.fromarray(portrait.frame()).save("photo.png")
    PIL.Image.new("RGBA", (128, 128), (0, 200, 0, 255)).save("paint.png")
    words = ["--effect", "texture", "--texture", "paint.png"]
    result = run("track", "photo.png", *words, "--texture-uv", "mediapipe", "--out", "worn.png")
    assert result.exit_code == 0, result.output
    before, worn = (np.array(PIL.Image.open(f"{n}.png").convert("RGB")) for n in ("photo", "worn"))
    greener = (
        worn[..., 1].astype(int) - worn[..., 0] > before[..., 1].astype(int) - before[..., 0] + 40
    )
    assert 0.02 < greener.mean() < 0.5


def test_a_layout_is_for_a_file(folder):
    for words in (["--texture", "tiger"], []):
        result = run("track", "x.mp4", "--effect", "texture", *words, "--texture-uv", "mediapipe")
        assert result.exit_code == 2
        assert "--texture FILE" in " ".join(result.output.split())
