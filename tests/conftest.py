"""Fixtures that every test may use."""

import gc
import logging
import math
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from fractions import Fraction
from importlib.resources import files
from pathlib import Path

import cv2  # before PyAV: its windows hang otherwise, see facewarp.media

# isort: split
import av
import numpy as np
import PIL.Image
import pytest

pytest_plugins = [
    "fixtures.clips",
    "fixtures.expressions",
    "fixtures.faces",
    "fixtures.flashes",
    "fixtures.full_disk",
    "fixtures.hearts",
    "fixtures.pictures",
    "fixtures.ray",
    "fixtures.two_heads",
]

# What "auto" would choose depends on the machine; tests that are about engines name theirs.
os.environ.setdefault("FACEWARP_ENGINE", "torch")
# A user's own templates are none of the tests' business, nor theirs the user's.
os.environ["XDG_DATA_HOME"] = str(Path(tempfile.gettempdir()) / f"facewarp-tests-{os.getpid()}")

_FIRST = ("waits", "slow")  # marks of tests that are begun before others


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for no garbage among thousands of tests and modules, which all stay to the end."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with slow tests: of short ones workers can share what is left to the end.

    Those that wait come first of all, beside checks and tests that compute; at the end nothing
    would be left to do meanwhile.
    """
    items.sort(key=lambda item: [item.get_closest_marker(mark) is None for mark in _FIRST])


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of research data named by FACEWARP_DATA; tests that want it skip without it."""
    named = os.environ.get("FACEWARP_DATA")
    if not named:
        pytest.skip("needs research data: FACEWARP_DATA is not set")
    folder = Path(named)
    if not folder.is_dir():
        pytest.fail(f"FACEWARP_DATA names a folder that does not exist: {folder}")
    return folder


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands that a test runs say where messages go, which is nothing to other tests."""
    logger = logging.getLogger("facewarp")
    before = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = before[0], before[1]
    logger.setLevel(before[2])


@pytest.fixture(autouse=True)
def nothing_is_made_beyond_a_test() -> Iterator[None]:
    """A command that fails does not wait for its networks; the next test is not to meet them."""
    yield
    for thread in threading.enumerate():
        if thread.name == "facewarp-ahead":
            thread.join()


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run."""
    return np.random.default_rng(20200307)


class Portrait:
    """The shipped portrait, whose head can be drawn into frames.

    Places are in px of the portrait, measured by eye.
    """

    MIDDLE = np.array([224.0, 132.0])  # of the square around the landmarks
    SIDE = 96.0
    EYES = np.array([(202.5, 101.5), (247.5, 104.0)])
    MOUTH = np.array([226.0, 145.0])
    CHIN = np.array([221.5, 175.0])

    def __init__(self) -> None:
        path = files("facewarp.assets").joinpath("demo/portrait.png")
        encoded = np.frombuffer(path.read_bytes(), np.uint8)
        self.image = cv2.cvtColor(cv2.imdecode(encoded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        y, x = np.mgrid[: self.image.shape[0], : self.image.shape[1]]
        distance = np.hypot((x - 222) / 100, (y - 115) / 112)
        self._alpha = np.clip((1.15 - distance) / 0.15, 0, 1).astype(np.float32)

    def draw(self, frame, at, scale=1.0, degrees=0.0, mirrored=False):
        """Draw the head over a frame, in place: its middle to (x, y), turned from +x towards +y.

        Returns:
            (2, 3) matrix from px of the portrait to px of the frame.
        """
        cos, sin = (scale * f(math.radians(degrees)) for f in (math.cos, math.sin))
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if mirrored else 1.0, 1.0])
        matrix = np.column_stack([linear, np.asarray(at) - linear @ self.MIDDLE])
        size = (frame.shape[1], frame.shape[0])
        head = cv2.warpAffine(self.image, matrix, size)
        alpha = cv2.warpAffine(self._alpha, matrix, size)[..., None]
        frame[:] = np.rint(frame + alpha * (head.astype(np.float32) - frame))
        return matrix

    def frame(self, at=(160, 120), scale=0.8, degrees=0.0, size=(320, 240)):
        """A grey frame of size (width, height) with the head at a place in it."""
        frame = np.full((size[1], size[0], 3), 108, np.uint8)
        self.draw(frame, at, scale, degrees)
        return frame


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    return Portrait()


def _write_clip(
    path, frames, *, rate=25, ticks=None, time_base=None, turn=0, sound=False, codec="libx264"
):
    """A video of upright frames (H, W, 3), stored turned if it says so."""
    base = time_base or 1 / Fraction(rate)
    with av.open(str(path), "w") as container:
        stored = [np.ascontiguousarray(np.rot90(frame, turn // 90)) for frame in frames]
        height, width = stored[0].shape[:2]
        options = {"crf": "12", "preset": "ultrafast"} if codec == "libx264" else {"b": "4M"}
        video = container.add_stream(
            codec, rate=rate, width=width, height=height, pix_fmt="yuv420p", time_base=base,
            options=options,
        )  # fmt: skip
        if turn:
            video.set_display_rotation(-turn)
        if sound:
            audio = container.add_stream("aac", rate=48_000, layout="mono")
            wave = np.sin(np.arange(round(len(frames) * 48_000 / rate)) / 20) * 9000
            tone = av.AudioFrame.from_ndarray(
                wave.astype(np.int16)[None], format="s16", layout="mono"
            )
            tone.sample_rate = 48_000
            container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
        for tick, picture in zip(ticks or range(len(stored)), stored, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = tick, base
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return path


@pytest.fixture(scope="session")
def write_clip() -> Callable[..., Path]:
    return _write_clip


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """An empty folder to work in."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="session")
def moving(portrait):
    """Ten frames of a head that moves to the right."""
    return [portrait.frame((130 + 5 * step, 118)) for step in range(10)]


@pytest.fixture(scope="session")
def talk(moving, tmp_path_factory) -> Path:
    """Those frames as a clip of 25 frames a second, with sound."""
    place = tmp_path_factory.mktemp("talk")
    return _write_clip(place / "talk.mp4", moving, sound=True)


@pytest.fixture
def photo(folder, portrait) -> Path:
    """A picture of a face in the working folder."""
    path = folder / "photo.png"
    PIL.Image.fromarray(portrait.frame()).save(path)
    return path


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Small tensors are slower on many threads, and results are the same on every machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def _same_draws() -> None:
    """What a test draws does not depend on the tests before it, nor on how they are shared out."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _ctrl_c_interrupts() -> Iterator[None]:
    """Shells start background jobs with SIGINT ignored; tests of Ctrl-C need it, there too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
