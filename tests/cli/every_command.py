"""Every command once, as a program of its own: what `make test-newest` and `test-oldest` run.

`make test` leaves it out: there the same commands run under strace, see test_network_check.py.
"""

import json
import os
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from facewarp.cli.app import COMMANDS
from facewarp.cli.network_check import drawn_patients, probes

ASSETS = Path(str(resources.files("facewarp.assets")))
CLIP, PORTRAIT = ASSETS / "demo" / "astronaut.mp4", ASSETS / "demo" / "portrait.png"
ALONE = {
    "demo": ["demo", "--out", "demo"],
    "register": ["register", PORTRAIT, PORTRAIT, "--out", "pair"],
    "template": ["template", "list"],
    "phantom": ["phantom", "--out", "phantoms", "--patients", "1", "--phases", "4"],
    "textures": ["textures"],
    "cameras": ["cameras"],
}
"""Commands beside those whose silence is proven; each ends by itself within seconds."""

TIME_LIMIT_S = 900  # of a command, on a machine that much else waits for
pytestmark = pytest.mark.timeout(TIME_LIMIT_S + 60)

WATCHED = (
    *("track", "cine", "bench", "doctor", "export onnx", "export openvino", "export pt2", "train"),
    *("live --headless", "live --web"),
    *("engine torch", "engine onnx", "engine openvino", "engine openvino-int8"),
)
"""The commands of `facewarp doctor --network`."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest.fixture(scope="module")
def watched(place: Path) -> dict[str, list[str]]:
    """The commands of `facewarp doctor --network` by name."""
    out = place / "out"
    out.mkdir()
    found = probes(out, drawn_patients(place / "data"), seconds=0.1)
    return {probe.name: list(probe.command) for probe in found}


def run(command: list[str | Path], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache")}
    environment.pop("FACEWARP_ENGINE", None)
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment,
        capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_a_command_runs(name: str, place: Path) -> None:
    done = run([sys.executable, "-m", "facewarp", *ALONE[name]], place)
    has_no_camera = name == "cameras" and "no camera" in done.stderr
    assert done.returncode == (1 if has_no_camera else 0), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", WATCHED)
def test_a_watched_command_runs(name: str, watched: dict[str, list[str]], place: Path) -> None:
    if name not in watched:
        pytest.skip("what it needs is not installed")
    done = run(watched[name], place)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_live_session_of_a_file_runs(place: Path) -> None:
    words = ["live", "--source", str(CLIP), "--headless", "--stats", "times.jsonl"]
    done = run([sys.executable, "-m", "facewarp", *words], place)
    assert done.returncode == 0, done.stderr
    lines = (place / "times.jsonl").read_text("utf-8").splitlines()
    assert len([json.loads(line) for line in lines]) > 100


def test_no_command_is_forgotten(watched: dict[str, list[str]]) -> None:
    assert set(watched) <= set(WATCHED)
    covered = {name.split()[0] for name in (*watched, *ALONE)}
    # Their parts run in others, on data that takes minutes or that cannot be shipped.
    assert set(COMMANDS) - covered == {"eval", "gallery", "page"}
