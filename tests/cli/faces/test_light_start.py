"""What following faces does without: torch where another engine runs, MediaPipe, drawings."""

import os
import subprocess
import sys
from importlib.resources import files

import pytest

from facewarp.system.machine import has_avx2

CLIP = files("facewarp.assets").joinpath("demo/astronaut.mp4")
HEAVY = {"torch", "mediapipe", "matplotlib", "onnx", "openvino.tools.ovc"}

IMPORT = """
import time
began = time.process_time()
import facewarp
ended = time.process_time()
import asyncio
print((ended - began) / (time.process_time() - ended))
"""

RUN = f"""
import sys
from facewarp.cli.app import main
sys.argv = ["facewarp", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end
print("LOADED", sorted({HEAVY} & set(sys.modules)))
"""


BLAS = """
import sys
from facewarp.system import machine
def limited():
    print("NUMPY", "numpy" in sys.modules)
    raise SystemExit
machine.limit_blas = limited
from facewarp.cli.app import main
sys.argv = ["facewarp", *sys.argv[1:]]
main()
"""


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FACEWARP_ENGINE", raising=False)


def run(*words):
    """Run a command in a process of its own; what it prints last."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *map(str, words)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def after_a_start(tmp_path_factory):
    """A cache in which a first start has left its networks, converted for OpenVINO by torch."""
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("started")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        for engine in ("openvino", "openvino-int8"):
            run("track", CLIP, "--out", folder / "out.mp4", "--engine", engine, "--end", "0.1")
    return folder / "cache"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["openvino", "openvino-int8"])
def test_track_never_imports_torch_or_mediapipe(engine, after_a_start, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(after_a_start))
    out = tmp_path / "tracked.mp4"
    assert run("track", CLIP, "--out", out, "--engine", engine, "--end", "1") == "LOADED []"
    assert out.is_file()


@pytest.mark.slow
def test_live_never_imports_torch_or_mediapipe(after_a_start, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(after_a_start))
    words = ("--headless", "--frames", "20", "--engine", "openvino-int8", "--effect", "field")
    assert run("live", "--source", CLIP, *words) == "LOADED []"


@pytest.mark.slow
@pytest.mark.skipif(not has_avx2(), reason="auto measures engines on this processor")
def test_not_even_a_first_start_imports_torch(own_cache, tmp_path):
    pytest.importorskip("openvino")
    assert run("track", CLIP, "--out", tmp_path / "tracked.mp4", "--end", "0.2") == "LOADED []"


def test_importing_facewarp_takes_no_time():
    shares = []  # of what a package of Python's own takes on the same machine
    for _ in range(5):
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], capture_output=True, text=True, env=os.environ
        )
        shares.append(float(done.stdout))
    assert min(shares) < 0.5


@pytest.mark.parametrize(
    "words",
    [
        ("track", "a.mp4"),
        ("track", "a.mp4", "--faces", "all"),
        ("live", "--headless"),
        ("cine", "a.nii"),
    ],
)
def test_numpy_is_loaded_only_once_its_threads_are_limited(words, tmp_path):
    (tmp_path / "a.nii").touch()
    done = subprocess.run(
        [sys.executable, "-c", BLAS, *words], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout == "NUMPY False\n", done.stderr
