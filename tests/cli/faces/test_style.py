"""``--style``, ``--each`` and ``--plugin``: what is drawn, and what the files say of it."""

import os

import av
import cv2
import numpy as np
import PIL.Image
import pytest
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.cli.faces.effect_options import EffectSelection


def run(*words):
    return CliRunner().invoke(app, list(map(str, words)))


def well(*words):
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def pixels(path):
    return np.array(PIL.Image.open(path).convert("RGB")).astype(int)


@pytest.mark.slow
def test_pictures_with_a_style_say_so(photo, folder, portrait):
    drawing = cv2.cvtColor(cv2.Canny(portrait.image, 60, 160), cv2.COLOR_GRAY2RGB)
    mixed = (portrait.image // 2 + (255 - drawing) // 2).astype(np.uint8)
    PIL.Image.fromarray(mixed).save("drawn.png")
    for suffix in ("png", "jpg", "webp"):
        out = f"styled.{suffix}"
        well("track", photo, "--out", out, "--effect", "style", "--style", "drawn.png")
        image = PIL.Image.open(out)
        said = image.info.get("Comment") or image.info.get("comment") or image.getexif().get(270)
        said = said.decode() if isinstance(said, bytes) else said
        assert "facewarp style transfer" in said
        assert "drawn.png" in said
        assert np.abs(pixels(out) - pixels(photo)).mean() > 0.5
    well("track", photo, "--out", "mesh.png", "--effect", "mesh")
    assert "Comment" not in PIL.Image.open("mesh.png").info


@pytest.mark.slow
@pytest.mark.parametrize("command", ["track", "live"])
def test_videos_with_a_style_say_so(command, talk, folder):
    words = ["--effect", "style", "--style", "bronze", "--style-mode", "color"]
    if command == "track":
        well("track", talk, "--out", "styled.mp4", *words)
    else:
        well("live", "--source", talk, "--headless", "--record", "styled.mp4", *words)
    with av.open("styled.mp4") as container:
        assert "facewarp style transfer" in container.metadata["comment"]
        assert sum(1 for _ in container.decode(video=0)) == 10


def test_effects_by_turns_with_one_of_ones_own(photo, folder):
    (folder / "mine.py").write_text(
        "import facewarp\n\n@facewarp.effect\ndef block(picture, face, template):\n"
        "    x0, y0, x1, y1 = (int(v) for v in face.box)\n    picture[y0:y1, x0:x1] = 0\n"
    )
    well("track", photo, "--out", "out.png", "--each", "block,mesh", "--plugin", "mine.py")
    black = (pixels("out.png") == 0).all(-1)
    assert black.sum() > 2000


def test_options_reach_those_effects_by_turns_that_take_them():
    options = EffectSelection(
        each="texture:tiger,style:bronze,mesh", match="none", blend="tint", style_mode="color"
    )
    tiger, bronze, _ = options.make("face", False).effects
    assert (tiger.match, tiger.blend) == ("none", "tint")
    assert bronze.mode == "color"


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["--style", "bronze"], 2, "say --effect style"),
        (["--effect", "style", "--style", "nowhere.jpg"], 1, "nowhere.jpg"),
        (["--effect", "style", "--style", "brnze"], 1, "Did you mean bronze?"),
        (["--each", "mesh", "--effect", "mesh"], 2, "leave --effect out"),
        (["--each", "mesh:red"], 2, "after a colon"),
        (["--each", "mesk"], 1, "Did you mean mesh"),
        (["--each", "mesh,style", "--match", "none"], 2, "no effect of --each takes it"),
        (["--each", "mesh", "--style-mode", "color"], 2, "no effect of --each takes it"),
        (["--each", "texture", "--texture", "tiger"], 2, "names what is drawn itself"),
        (["--each", "texture", "--makeup", "lips=red"], 2, "--makeup"),
        (["--plugin", "mine.py"], 2, "--each"),
        (["--each", "mine", "--plugin", "mine.py"], 1, "mine.py"),
    ],
)
def test_what_does_not_go_together_is_told(photo, folder, words, code, says):
    result = run("track", photo, "--out", "out.png", *words)
    assert result.exit_code == code, result.output
    assert says in " ".join(result.output.split())
    assert not os.path.exists("out.png")
