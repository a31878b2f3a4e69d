"""Pictures as phones and programs write them: whole, upright, of any size, told when not read."""

import logging
import struct
import sys
import warnings
import zlib

import numpy as np
import PIL.Image
import pytest
from PIL.TiffImagePlugin import AppendingTiffWriter, ImageFileDirectory_v2

from facewarp.errors import FacewarpError
from facewarp.media.images import animation
from facewarp.media.images import files as image_files
from facewarp.media.images.files import format_of, read_picture
from facewarp.media.sources import open_source
from facewarp.system.installation import install_command

RGB = np.add.outer(np.arange(12) * 20, np.arange(16))[..., None].repeat(3, 2).astype(np.uint8)


def save(path, array, **options):
    PIL.Image.fromarray(array).save(path, **options)
    return path


def exif(tag):
    made = PIL.Image.Exif()
    made[274] = tag
    return made


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_a_picture_in_tiles_is_read_whole_and_upright(
    tmp_path, write_tiled, picture, colors_of, kind, turns
):
    stored = picture((300, 200))
    path = write_tiled(tmp_path / "photo.heic", stored, kind, turns=turns)
    source = open_source(path)
    (frame,) = source
    shown = np.rot90(stored, turns)
    assert source.kind == "image"
    assert frame.image.shape == shown.shape
    assert source.size == (shown.shape[1], shown.shape[0])
    np.testing.assert_allclose(colors_of(frame.image), colors_of(shown), atol=8)


@pytest.mark.parametrize("name", ["IMG_1.jpg", "IMG_1.mp4", "IMG_1"])
@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_content_tells_a_picture_whatever_its_name(tmp_path, write_tiled, picture, name, kind):
    path = write_tiled(tmp_path / name, picture((200, 100)), kind)
    assert (open_source(path).kind, open_source(path).size) == ("image", (200, 100))
    assert format_of(path) == kind


def test_heic_without_its_package_names_format_and_package(tmp_path, write_tiled, monkeypatch):
    path = write_tiled(tmp_path / "IMG_1.HEIC", np.zeros((200, 300, 3), np.uint8), "HEIF")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(FacewarpError, match="HEIC") as caught:
        open_source(path)
    assert install_command("heic") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("a.jxl", b"\xff\x0a" + bytes(60), "JPEG XL"),
        ("a.NEF", b"MM\0*" + bytes(60), "raw photograph"),
        ("a.psd", b"8BPS" + bytes(60), "Photoshop"),
    ],
)
def test_kinds_that_are_not_read_are_named(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(FacewarpError, match=says):
        open_source(tmp_path / name)


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("suffix", ["tif", "png", "webp", "avif", "jpg"])
def test_every_format_is_turned_upright_once(tmp_path, picture, colors_of, suffix, tag):
    stored = picture((64, 32))
    path = save(tmp_path / f"a.{suffix}", stored, exif=exif(tag), quality=95)
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: -1, 7: -1, 8: 1}[tag]
    shown = stored[:, ::-1] if tag in (2, 4, 5, 7) else stored
    shown = np.rot90(shown, turns)
    source = open_source(path)
    (frame,) = source
    assert source.size == (frame.image.shape[1], frame.image.shape[0])
    assert frame.image.shape == shown.shape
    np.testing.assert_allclose(colors_of(frame.image), colors_of(shown), atol=40)


def test_a_thumbnail_in_a_tiff_is_no_page(tmp_path):
    pages = [PIL.Image.fromarray(RGB), PIL.Image.fromarray(RGB[::2, ::2])]
    with AppendingTiffWriter(str(tmp_path / "b.tif"), new=True) as tiff:
        pages[0].save(tiff, "TIFF")
        tiff.newFrame()
        tags = ImageFileDirectory_v2()
        tags[254] = 1
        pages[1].save(tiff, "TIFF", tiffinfo=tags)
        tiff.newFrame()
    assert open_source(tmp_path / "b.tif").kind == "image"


def flat_png(path, width, height):
    """A PNG of one color, written by hand: as small as deflate makes it."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + 3 * width)) for _ in range(height)) + rows.flush()

    def chunk(kind, content):
        return (
            len(content).to_bytes(4, "big")
            + kind
            + content
            + zlib.crc32(kind + content).to_bytes(4, "big")
        )

    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


def test_a_small_file_that_claims_millions_of_pixels_is_refused(tmp_path):
    path = flat_png(tmp_path / "bomb.png", 8000, 5000)
    with pytest.raises(FacewarpError, match="claim to be 8000x5000 pixels"):
        open_source(path)


@pytest.mark.parametrize("size", [(20_000, 15_001), (40_000, 16)])
def test_too_large_pictures_are_refused_with_the_limit(tmp_path, size):
    path = tmp_path / "a.png"
    data = bytearray(flat_png(path, 16, 16).read_bytes())
    data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    path.write_bytes(data)
    with pytest.raises(FacewarpError, match=f"too large: {size[0]}x{size[1]}") as caught:
        open_source(path)
    assert "300 million" in str(caught.value)


def test_large_photographs_are_read_without_pillows_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 100)  # as 90 million are by default
    path = save(tmp_path / "a.png", np.zeros((40, 40, 3), np.uint8))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(path).image.shape == (40, 40, 3)
    assert PIL.Image.MAX_IMAGE_PIXELS == 100  # the rest of the process keeps it


def test_bands_of_a_large_picture_join(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "_BAND_PIXELS", 50)
    assert np.array_equal(read_picture(save(tmp_path / "a.png", RGB)).image, RGB)


def test_out_of_memory_is_one_clear_line(tmp_path, monkeypatch):
    def full(picture):
        raise MemoryError

    monkeypatch.setattr(image_files, "_pixels", full)
    with pytest.raises(FacewarpError, match="16x12 pixels do not fit into the memory"):
        read_picture(save(tmp_path / "a.png", RGB))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_values_that_are_not_finite_do_not_spoil_a_picture(tmp_path, value):
    values = np.linspace(0, 1, 12 * 16, dtype=np.float32).reshape(12, 16)
    values[3, 3] = value
    image = read_picture(save(tmp_path / "a.tif", values)).image
    assert image[0, 0, 0] == 0
    assert image[-1, -1, 0] == 255


def test_a_folder_reads_heic_and_tells_what_it_leaves_out(tmp_path, write_tiled, picture, caplog):
    write_tiled(tmp_path / "a.heic", picture((300, 200)), "HEIF")
    save(tmp_path / "b.png", RGB)
    (tmp_path / "c.nef").write_bytes(b"raw")
    (tmp_path / "notes.txt").write_text("x")
    with caplog.at_level(logging.WARNING):
        frames = list(open_source(tmp_path))
    assert [frame.path.name for frame in frames] == ["a.heic", "b.png"]
    assert "kinds that are not read: c.nef" in caplog.text


@pytest.mark.parametrize("bits", [8, 16])
def test_tiff_in_which_white_is_0_is_no_negative(tmp_path, bits):
    values = np.tile(np.linspace(0, 2**bits - 1, 40).astype(f"uint{bits}"), (30, 1))
    PIL.Image.fromarray(values).save(tmp_path / "a.tif")
    plain = read_picture(tmp_path / "a.tif").image
    data = bytearray((tmp_path / "a.tif").read_bytes())
    at = data.index(struct.pack("<HHI", 262, 3, 1)) + 8
    assert data[at] == 1  # black is 0
    data[at] = 0
    (tmp_path / "b.tif").write_bytes(data)
    assert np.array_equal(read_picture(tmp_path / "b.tif").image, 255 - plain)


@pytest.mark.filterwarnings("ignore")  # of Pillow, about what was changed
@pytest.mark.parametrize("suffix", ["avif", "png", "tif", "webp"])
def test_a_picture_with_one_wrong_byte_is_read_or_refused(tmp_path, suffix):
    path = save(tmp_path / f"a.{suffix}", RGB)
    whole, refused = path.read_bytes(), 0
    for at in range(0, len(whole), 2):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            list(open_source(path))
        except FacewarpError:
            refused += 1
    assert refused


def two_pages(path, first, second):
    pages = [PIL.Image.fromarray(page) for page in (first, second)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


@pytest.mark.filterwarnings("ignore")
def test_a_further_page_without_a_size_is_survived(tmp_path):
    path = two_pages(tmp_path / "a.tif", RGB, RGB)
    width, whole = struct.pack("<HHI", 256, 4, 1), path.read_bytes()
    at = whole.rindex(width)
    assert at > whole.index(width)
    path.write_bytes(whole[:at] + struct.pack("<HHI", 257, 4, 1) + whole[at + len(width) :])
    assert [frame.image.shape for frame in open_source(path)] == [RGB.shape]


def test_pages_that_fit_no_picture_together_are_refused(tmp_path, monkeypatch):
    path = two_pages(tmp_path / "a.tif", np.zeros((4, 900), np.uint8), np.zeros((900, 4), np.uint8))
    assert len(list(open_source(path))) == 2
    monkeypatch.setattr(animation, "MAX_PIXELS", 500_000)
    with pytest.raises(FacewarpError, match="900x900"):
        open_source(path)


def test_a_page_that_is_too_large_leaves_the_others_their_size(tmp_path, monkeypatch, caplog):
    path = two_pages(tmp_path / "a.tif", RGB, np.zeros((900, 900, 3), np.uint8))
    monkeypatch.setattr(image_files, "MAX_PIXELS", 500_000)
    with open_source(path) as source:
        assert [frame.image.shape for frame in source] == [RGB.shape]
        assert source.truncated
    assert "too large" in caplog.text
