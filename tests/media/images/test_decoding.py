import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.images import decoding as image_decoding
from facewarp.media.images.decoding import MAX_BYTES, read_frame, read_photograph, read_texture


def encoded(image: np.ndarray, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture
def image(rng: np.random.Generator) -> np.ndarray:
    return np.repeat(np.repeat(rng.integers(0, 256, (5, 8, 3), np.uint8), 8, 0), 8, 1)


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says it is large, and has next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack("!I", len(data)) + body + struct.pack("!I", zlib.crc32(body))

    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_photographs_are_read(image: np.ndarray, kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    read = read_photograph(encoded(image, kind, **options))
    assert read.shape == image.shape
    assert read.dtype == np.uint8
    assert np.abs(read.astype(int) - image).mean() < (12 if kind == "JPEG" else 0.01)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1"])
def test_whatever_the_mode_it_becomes_rgb(image: np.ndarray, mode: str) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).convert(mode).save(buffer, "JPEG" if mode == "CMYK" else "PNG")
    assert read_photograph(buffer.getvalue()).shape == image.shape


def test_photographs_are_upright(image: np.ndarray) -> None:
    exif = PIL.Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    read = read_photograph(encoded(image, "JPEG", exif=exif, quality=95))
    assert read.shape == (64, 40, 3)
    assert np.abs(read.astype(int) - np.rot90(image, -1)).mean() < 12


def test_textures_keep_their_alpha(rng: np.random.Generator) -> None:
    rgba = rng.integers(0, 256, (32, 26, 4), np.uint8)
    np.testing.assert_array_equal(read_texture(encoded(rgba, "PNG")), rgba)


def test_textures_without_alpha_are_opaque(image: np.ndarray) -> None:
    read = read_texture(encoded(image, "PNG"))
    assert read.shape == (40, 64, 4)
    assert (read[..., 3] == 255).all()


def test_a_jpeg_is_a_texture_without_holes(image: np.ndarray) -> None:
    texture = read_texture(encoded(image, "JPEG"))
    assert texture.shape == (*image.shape[:2], 4)
    assert (texture[..., 3] == 255).all()
    with pytest.raises(FacewarpError, match="Give a PNG, WEBP or JPEG file"):
        read_texture(encoded(image, "GIF"))


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "PPM", "ICO"])
def test_other_formats_are_not_even_looked_at(image: np.ndarray, kind: str) -> None:
    with pytest.raises(FacewarpError, match="not a picture that can be read"):
        read_photograph(encoded(image, kind))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", bytes(10_000)])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    for read in (read_photograph, read_texture, read_frame):
        with pytest.raises(FacewarpError):
            read(data)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures_cut_short_are_refused(image: np.ndarray, kind: str) -> None:
    data = encoded(image, kind)
    with pytest.raises(FacewarpError):
        read_photograph(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("size", [(60_000, 60_000), (6_000, 5_000), (3_000_000, 8), (15, 400)])
def test_sizes_are_checked_before_a_pixel_is_decoded(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PIL.Image.Image, "load", lambda self: pytest.fail("it was decoded"))
    with pytest.raises(FacewarpError, match=f"{size[0]}x{size[1]} pixels|can be read"):
        read_photograph(png_of_size(*size))


def test_sixteen_bits_are_refused_rather_than_cut_off() -> None:
    data = encoded(np.full((20, 20), 40_000, np.uint16), "PNG")
    with pytest.raises(FacewarpError, match="8 bits a channel"):
        read_photograph(data)


def test_too_many_bytes_are_refused() -> None:
    with pytest.raises(FacewarpError, match="MB"):
        read_photograph(bytes(MAX_BYTES + 1))


def test_frames_are_jpegs_no_larger_than_a_screen(
    image: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(image, "JPEG")
    assert read_frame(data).shape == image.shape
    with pytest.raises(FacewarpError, match="Give a JPEG file"):
        read_frame(encoded(image, "PNG"))
    monkeypatch.setattr(image_decoding, "MAX_FRAME_PIXELS", 64 * 40 - 1)
    with pytest.raises(FacewarpError, match="64x40 pixels"):
        read_frame(data)
