"""GIF by its blocks."""

import struct
from pathlib import Path

import numpy as np
import pytest

from facewarp.media.images.gif import is_still_gif, shows_background
from facewarp.media.sources import open_source

WHOLE, BOX, OTHER = (0, 0, 64, 48), (8, 8, 16, 16), (40, 8, 16, 16)
GREEN, BLUE, RED, HOLE = range(4)
PALETTE = bytes((0, 160, 0, 0, 0, 255, 255, 0, 0, 9, 9, 9))


def written(path: Path, *pictures: tuple[int, bool, tuple[int, int, int, int], int]) -> Path:
    """A GIF of plain boxes: what becomes of each, whether it has holes, where, which color."""
    data = b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0xF1, GREEN, 0) + PALETTE
    for end, has_holes, (left, top, width, height), color in pictures:
        data += b"\x21\xf9\x04" + bytes([end << 2 | has_holes, 10, 0, HOLE, 0])
        data += b"\x2c" + struct.pack("<HHHHB", left, top, width, height, 0)
        codes = [4]  # clear; then codes of 3 bits, cleared before they would need 4
        for place in range(width * height):
            codes += [4, color] if place and place % 2 == 0 else [color]
        number = sum(code << 3 * place for place, code in enumerate([*codes, 5]))
        coded = number.to_bytes((3 * (len(codes) + 1) + 7) // 8, "little")
        data += b"\x02"
        for start in range(0, len(coded), 255):
            block = coded[start : start + 255]
            data += bytes([len(block)]) + block
        data += b"\0"
    path.write_bytes(data + b";")
    return path


BARE = {
    "cleared": [(2, False, WHOLE, BLUE), (2, True, BOX, RED)],
    "cleared, without holes": [(2, False, WHOLE, BLUE), (2, False, BOX, RED)],
    "first restored": [(3, False, WHOLE, BLUE), (1, False, BOX, RED)],
    "begins with a box": [(1, False, BOX, RED), (1, False, OTHER, RED)],
}
FULL = {
    "stays": [(1, False, WHOLE, BLUE), (1, True, BOX, RED)],
    "restored": [(1, False, WHOLE, BLUE), (3, False, BOX, RED), (3, False, OTHER, RED)],
    "covered": [(2, False, WHOLE, BLUE), (2, False, WHOLE, RED)],
    "one cleared at the end": [(1, False, WHOLE, BLUE), (2, False, BOX, RED)],
}


@pytest.mark.parametrize("name", [*BARE, *FULL])
def test_a_background_that_comes_to_be_seen_is_told(
    name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = written(tmp_path / "a.gif", *{**BARE, **FULL}[name])
    with open_source(path) as source:
        frames = list(source)
    seen = [
        frame
        for frame in frames
        if (np.abs(frame.image.astype(int) - (0, 160, 0)).max(2) < 9).any() and frame.alpha is None
    ]
    assert bool(seen) is (name in BARE)  # what FFmpeg does
    assert shows_background(path) is (name in BARE)
    assert ("background color" in caplog.text) is (name in BARE)


def test_one_picture_is_no_video(tmp_path: Path) -> None:
    assert is_still_gif(written(tmp_path / "a.gif", (1, False, WHOLE, BLUE)))
    assert not is_still_gif(written(tmp_path / "b.gif", *FULL["stays"]))
    (tmp_path / "c.gif").write_bytes(b"GIF89a")
    assert not is_still_gif(tmp_path / "c.gif")
    assert not is_still_gif(tmp_path / "gone.gif")


def test_damage_at_any_place_is_survived(tmp_path: Path) -> None:
    data = written(tmp_path / "a.gif", *BARE["cleared"]).read_bytes()
    for cut in range(0, len(data), 5):
        (tmp_path / "cut.gif").write_bytes(data[:cut])
        shows_background(tmp_path / "cut.gif")
        is_still_gif(tmp_path / "cut.gif")
