"""The guide to effects: its example runs as written."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from facewarp.cli.app import app
from facewarp.face.effects.plugins import USER_EFFECTS

DOCS = Path(__file__).parents[1] / "docs"
TEXT = (DOCS / "effects.md").read_text("utf-8")
COMMANDS = [
    line.split(" #")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]


@pytest.fixture(autouse=True)
def _nothing_is_left():
    before = dict(USER_EFFECTS)
    yield
    USER_EFFECTS.clear()
    USER_EFFECTS.update(before)


def test_the_example_of_an_effect_runs_as_written(photo, folder):
    (example,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    (folder / "clown.py").write_text(example)
    Image.open(photo).save("photo.jpg", quality=95)
    (line,) = [command for command in COMMANDS if "track photo.jpg" in command]
    result = CliRunner().invoke(app, shlex.split(line)[1:])
    assert result.exit_code == 0, result.output
    before, after = (
        np.array(Image.open(p).convert("RGB")).astype(int) for p in ("photo.jpg", "clown.png")
    )
    redder = (after - before)[..., 0] - (after - before)[..., 1]
    assert (redder > 60).sum() > 50
