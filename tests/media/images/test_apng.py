"""Pictures of an APNG lie over one another as its specification says; FFmpeg agrees."""

import struct
import zlib

import av
import numpy as np
import pytest

from facewarp.media.images.apng import over
from facewarp.media.sources import open_source

SIZE = (16, 12)


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def write_apng(path, parts, size=SIZE, kind=(8, 6)):
    """Write pictures (h, w, 4): each with its place, what becomes of it, and how it is laid."""
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, *kind, 0, 0, 0))
    data += chunk(b"acTL", struct.pack(">II", len(parts), 0))
    number = 0
    for pixels, (left, top), disposal, blend in parts:
        height, width = pixels.shape[:2]
        told = number, width, height, left, top, 1, 10, disposal, blend
        data += chunk(b"fcTL", struct.pack(">5I2H2B", *told))
        packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in pixels))
        number += 1
        if number == 1:
            data += chunk(b"IDAT", packed)
        else:
            data += chunk(b"fdAT", struct.pack(">I", number) + packed)
            number += 1
    path.write_bytes(data + chunk(b"IEND", b""))
    return path


def read(path):
    with open_source(path) as source:
        frames = list(source)
    opaque = np.full(SIZE[::-1], 255, np.uint8)
    alphas = (opaque if frame.alpha is None else frame.alpha for frame in frames)
    return [np.dstack([frame.image, alpha]) for frame, alpha in zip(frames, alphas, strict=True)]


def flat(color, alpha, size=SIZE):
    return np.full((size[1], size[0], 4), (*color, alpha), np.uint8)


@pytest.mark.parametrize("seed", range(6))
def test_pictures_are_laid_as_ffmpeg_lays_them(tmp_path, seed):
    rng = np.random.default_rng(seed)
    parts = [(rng.integers(0, 256, (12, 16, 4), np.uint8), (0, 0), int(rng.integers(3)), 0)]
    for _ in range(5):
        width, height = int(rng.integers(1, 17)), int(rng.integers(1, 13))
        place = int(rng.integers(0, 17 - width)), int(rng.integers(0, 13 - height))
        pixels = rng.integers(0, 256, (height, width, 4), np.uint8)
        pixels[..., 3] = rng.choice([0, 128, 255], (height, width))
        parts.append((pixels, place, int(rng.integers(3)), int(rng.integers(2))))
    path = write_apng(tmp_path / "a.png", parts)
    with av.open(str(path), format="apng") as container:
        expected = [picture.to_ndarray(format="rgba") for picture in container.decode(video=0)]
    images = read(path)
    assert len(images) == len(expected) == 6
    for image, told in zip(images, expected, strict=True):
        assert np.abs(image[..., 3].astype(int) - told[..., 3]).max() <= 2
        seen = told[..., 3] > 8
        assert np.abs(image[..., :3].astype(int) - told[..., :3])[seen].max() <= 8


def test_half_transparent_paint_over_what_is_opaque_is_opaque(tmp_path):
    under, upper = flat((200, 0, 0), 255), flat((0, 0, 200), 128, (8, 6))
    path = write_apng(tmp_path / "a.png", [(under, (0, 0), 0, 0), (upper, (4, 3), 0, 1)])
    assert read(path)[1][6, 8].tolist() == pytest.approx([100, 0, 100, 255], abs=1)


def test_what_was_there_before_comes_back(tmp_path):
    under, upper = flat((200, 0, 0), 255), flat((0, 0, 200), 255, (8, 6))
    parts = [(under, (0, 0), 0, 0), (upper, (4, 3), 2, 1), (upper[:1, :1], (0, 0), 0, 1)]
    images = read(write_apng(tmp_path / "a.png", parts))
    assert images[1][6, 8].tolist() == [0, 0, 200, 255]
    assert images[2][6, 8].tolist() == [200, 0, 0, 255]


def test_an_apng_that_lacks_a_picture_ends_before_it(tmp_path):
    parts = [(flat((200, 0, 0), 255), (0, 0), 0, 0), (flat((0, 0, 200), 255), (0, 0), 0, 0)]
    path = write_apng(tmp_path / "a.png", parts)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"fdAT") + 12])
    source = open_source(path)
    assert len(list(source)) == 1
    assert source.truncated


def test_sixteen_bits_of_gray_keep_their_values(tmp_path):
    parts = [(np.full((12, 16), v, ">u2"), (0, 0), 0, 0) for v in (40 * 257, 156 * 257)]
    images = read(write_apng(tmp_path / "a.png", parts, kind=(16, 0)))
    assert [image[0, 0].tolist() for image in images] == [[40] * 3 + [255], [156] * 3 + [255]]


def test_nothing_over_nothing_is_nothing():
    nothing = np.zeros((2, 2, 4), np.uint8)
    assert (over(nothing, nothing) == 0).all()
