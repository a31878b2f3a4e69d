"""H.273's numbers of pictures: those of the picture that is shown, never of a map beside it."""

import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.colors.numbers import color_numbers, has_gain_map
from facewarp.media.images.files import read_picture
from facewarp.media.sources import open_source


@pytest.fixture
def avif(tmp_path: Path) -> Path:
    path = tmp_path / "a.avif"
    PIL.Image.new("RGB", (64, 64), (90, 120, 150)).save(path)
    return path


def with_cicp(path: Path, primaries: int, transfer: int) -> Path:
    """A PNG whose cICP says so."""
    PIL.Image.new("RGB", (64, 64), (90, 120, 150)).save(path)
    data = path.read_bytes()
    content = bytes([primaries, transfer, 0, 1])
    chunk = struct.pack(">I", 4) + b"cICP" + content
    chunk += struct.pack(">I", zlib.crc32(b"cICP" + content))
    path.write_bytes(data[:33] + chunk + data[33:])
    return path


def with_nclx(path: Path, primaries: int, transfer: int) -> Path:
    data = path.read_bytes()
    at = data.index(b"nclx") + 4
    path.write_bytes(data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :])
    return path


def test_png_and_avif_tell_their_numbers(tmp_path: Path, avif: Path) -> None:
    assert color_numbers(with_cicp(tmp_path / "a.png", 12, 13), "PNG") == (12, 13)
    assert color_numbers(with_nclx(avif, 9, 18), "AVIF") == (9, 18)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_pictures_are_refused_by_name(
    tmp_path: Path, avif: Path, transfer: int, name: str
) -> None:
    for path in (with_cicp(tmp_path / "a.png", 9, transfer), with_nclx(avif, 9, transfer)):
        with pytest.raises(FacewarpError, match=rf"HDR picture \({name}\)"):
            read_picture(path)


def test_colors_told_by_numbers_are_shown(tmp_path: Path) -> None:
    shown = read_picture(with_cicp(tmp_path / "a.png", 12, 13)).image[0, 0]
    assert np.abs(shown.astype(int) - (81, 121, 153)).max() <= 3


def test_a_gain_map_beside_an_avif_does_not_make_it_hdr(avif: Path) -> None:
    data = avif.read_bytes()
    before = data.index(b"colr") - 4
    (size,) = struct.unpack_from(">I", data, before)
    of_map = bytearray(data[before : before + size])  # a property that no association names
    of_map[12:16] = struct.pack(">HH", 9, 16)
    ipco = data.index(b"ipco") - 4
    end = ipco + struct.unpack_from(">I", data, ipco)[0]
    grown = bytearray(data[:end] + bytes(of_map) + data[end:])
    for name in (b"meta", b"iprp", b"ipco"):
        at = data.index(name) - 4
        struct.pack_into(">I", grown, at, struct.unpack_from(">I", data, at)[0] + size)
    avif.write_bytes(grown)
    assert b"\0\x09\0\x10" in avif.read_bytes()
    assert color_numbers(avif, "AVIF") == color_numbers_of(data)


def color_numbers_of(data: bytes) -> tuple[int, int]:
    primaries, transfer = struct.unpack_from(">HH", data, data.index(b"nclx") + 4)
    return primaries, transfer


def test_damaged_files_tell_nothing(tmp_path: Path, avif: Path) -> None:
    data = avif.read_bytes()
    for cut in range(0, len(data), 7):
        (tmp_path / "cut").write_bytes(data[:cut])
        color_numbers(tmp_path / "cut", "AVIF")
    assert color_numbers(tmp_path / "gone", "PNG") is None


def test_gain_maps_are_told(tmp_path: Path, avif: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "ultra.jpg"
    PIL.Image.new("RGB", (64, 64)).save(path)
    data = path.read_bytes()
    assert not has_gain_map(path, "JPEG")
    xmp = b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta hdrgm:Version="1.0"/>'
    segment = b"\xff\xe1" + struct.pack(">H", len(xmp) + 2) + xmp
    path.write_bytes(data[:2] + segment + data[2:])
    with open_source(path) as source:
        assert len(list(source)) == 1
    assert "the map that makes it HDR is left out" in caplog.text
    assert not has_gain_map(avif, "AVIF")
    data = avif.read_bytes()
    at = data.index(b"av01", data.index(b"infe"))
    avif.write_bytes(data[:at] + b"tmap" + data[at + 4 :])
    assert has_gain_map(avif, "AVIF")
    assert not has_gain_map(tmp_path / "gone", "JPEG")
