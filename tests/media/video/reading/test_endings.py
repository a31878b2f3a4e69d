"""Files that end before they should, of kinds that promise no length."""

import logging
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from facewarp.media.sources import open_source
from facewarp.media.video.reading.endings import _end_of_ogg

PACKET = 188
KINDS = {
    "clip.ts": "libx264",
    "wide.ts": "libx265",
    "old.ts": "mpeg2video",
    "disc.m2ts": "libx264",
    "clip.mpg": "mpeg2video",
    "clip.264": "libx264",
    "clip.wmv": "wmv2",
    "tape.dv": "dvvideo",
}


@pytest.fixture
def noisy(tmp_path: Path) -> Callable[..., Path]:
    """A clip of 12 pictures of noise, each of which takes many packets."""

    def make(name: str) -> Path:
        path, codec = tmp_path / name, KINDS[name]
        size = (720, 576) if codec == "dvvideo" else (160, 120)
        rng = np.random.default_rng(4)
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        if codec == "libx264":
            options = {"g": "4", "bf": "0"}
        kind = "h264" if path.suffix == ".264" else None
        with av.open(str(path), "w", format=kind) as container:
            stream = container.add_stream(
                codec, rate=25, width=size[0], height=size[1], pix_fmt="yuv420p", options=options
            )
            for _ in range(12):
                noise = rng.integers(0, 255, (size[1] // 4, size[0] // 4, 3), np.uint8)
                image = np.repeat(np.repeat(noise, 4, axis=0), 4, axis=1)
                frame = av.VideoFrame.from_ndarray(image, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make


def read(path: Path, caplog: pytest.LogCaptureFixture) -> tuple[int, bool, str]:
    """Return how many frames a file has, whether it is said to be cut, and what is said."""
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        source = open_source(path)
        count = sum(1 for _ in source)
    return count, source.truncated, caplog.text


@pytest.mark.parametrize("name", KINDS)
def test_whole_files_are_no_cut_ones(noisy, caplog, name):
    assert read(noisy(name), caplog) == (12, False, "")


def cut(path: Path, share: float, step: int = 1) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share) // step * step])


@pytest.mark.parametrize("share", [0.35, 0.6, 0.95])
@pytest.mark.parametrize(
    "name", ["clip.ts", "old.ts", "clip.mpg", "clip.264", "clip.wmv", "tape.dv"]
)
def test_files_that_end_within_a_picture_are_told(noisy, caplog, name, share):
    path = noisy(name)
    cut(path, share)
    count, is_cut, told = read(path, caplog)
    assert 3 <= count < 13
    assert is_cut
    assert "cut short" in told or (name == "clip.mpg" and "damaged" in told)


@pytest.mark.parametrize(("name", "step"), [("clip.ts", 188), ("wide.ts", 188), ("disc.m2ts", 192)])
def test_a_transport_stream_that_ends_with_a_packet_but_no_picture(noisy, caplog, name, step):
    path = noisy(name)
    cut(path, 0.6, step)
    _, is_cut, told = read(path, caplog)
    assert is_cut
    assert "its last picture" in told


def test_a_transport_stream_that_ends_within_a_packet(noisy, caplog):
    path = noisy("wide.ts")
    path.write_bytes(path.read_bytes()[:-88])
    _, is_cut, told = read(path, caplog)
    assert is_cut
    assert "it ends after 100 bytes of a packet" in told


def test_sound_of_a_transport_stream_that_ends_early(make_clip, caplog):
    path = make_clip("clip.ts", frames=50, sound="mp2")
    whole = path.read_bytes()
    assert read(path, caplog)[1:] == (False, "")
    last = max(
        at
        for at in range(0, len(whole), PACKET)
        if int.from_bytes(whole[at + 1 : at + 3]) & 0x5FFF
        == 0x4101  # where a piece of sound begins
    )
    path.write_bytes(whole[: last + PACKET])
    _, is_cut, told = read(path, caplog)
    assert is_cut
    assert "the last piece of stream 0x101 has" in told


def test_pictures_without_compression_that_end_early(tmp_path, caplog):
    picture = b"FRAME\n" + bytes(range(64)) * 24
    path = tmp_path / "clip.y4m"
    whole = b"YUV4MPEG2 W32 H32 F25:1 Ip A1:1 C420jpeg\n" + 5 * picture
    path.write_bytes(whole)
    assert read(path, caplog) == (5, False, "")
    path.write_bytes(whole[:-40])
    count, is_cut, told = read(path, caplog)
    assert (count, is_cut) == (4, True)
    assert "1502 bytes of a picture follow" in told


def page(kind: int, serial: int) -> bytes:
    return b"OggS\0" + bytes([kind]) + bytes(8) + serial.to_bytes(4, "little") + bytes(9)


def test_each_stream_of_an_ogg_file_has_a_last_page():
    whole = page(2, 1) + page(2, 2) + page(0, 1) + page(4, 2) + page(0, 1) + page(4, 1)
    assert _end_of_ogg(whole) is None
    assert _end_of_ogg(whole[:-27]) == "the page that ends it is missing"
