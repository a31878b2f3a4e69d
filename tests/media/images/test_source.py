import logging
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.media.images.files import read_picture
from facewarp.media.images.source import natural_order
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source

GRAY = np.linspace(0, 255, 12 * 16).reshape(12, 16)
RGB = np.stack([GRAY, GRAY[::-1], GRAY[:, ::-1]], axis=2).astype(np.uint8)


def save(path: Path, array: np.ndarray, mode: str | None = None, **options) -> Path:
    picture = PIL.Image.fromarray(array)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return path


def read(path: Path) -> np.ndarray:
    with open_source(path) as source:
        (frame,) = source
    assert source.kind == "image"
    assert source.size == (frame.image.shape[1], frame.image.shape[0])
    assert frame.image.dtype == np.uint8
    assert frame.image.shape[2:] == (3,)
    assert (frame.time, frame.index, source.frame_count) == (0.0, 0, 1)
    return frame.image.astype(int)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "ppm"])
def test_lossless_kinds(tmp_path, suffix):
    options = {"lossless": True} if suffix == "webp" else {}
    assert np.array_equal(read(save(tmp_path / f"a.{suffix}", RGB, **options)), RGB)


def test_jpeg(tmp_path):
    assert np.abs(read(save(tmp_path / "a.jpg", RGB, quality=98, subsampling=0)) - RGB).max() < 8


def test_suffix_in_capitals(tmp_path):
    assert np.array_equal(read(save(tmp_path / "A.PNG", RGB)), RGB)


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg"])
def test_gray(tmp_path, suffix):
    gray = np.rint(GRAY).astype(np.uint8)
    image = read(save(tmp_path / f"a.{suffix}", gray))
    assert np.abs(image - gray[..., None]).max() <= (4 if suffix == "jpg" else 0)


def test_two_levels(tmp_path):
    image = read(save(tmp_path / "a.png", np.uint8(RGB > 128) * 255, mode="1"))
    assert set(np.unique(image)) == {0, 255}


def read_with_alpha(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    (frame,) = open_source(path)
    return frame.image, frame.alpha


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "avif"])
def test_alpha_is_kept_and_what_it_hides_is_black(tmp_path, suffix):
    alpha = np.zeros((12, 16), np.uint8)
    alpha[:6], alpha[6] = 255, 100
    options = {"lossless": True, "exact": True} if suffix == "webp" else {}
    options |= {"quality": 100, "subsampling": "4:4:4"} if suffix == "avif" else {}
    image, read = read_with_alpha(
        save(tmp_path / f"a.{suffix}", np.dstack([RGB, alpha]), **options)
    )
    assert np.abs(image[:7].astype(int) - RGB[:7]).max() <= (8 if suffix == "avif" else 0)
    assert not image[7:].any()
    assert read is not None
    assert np.abs(read.astype(int) - alpha).max() <= (2 if suffix == "avif" else 0)


def test_alpha_that_is_opaque_counts_as_none(tmp_path):
    opaque = np.dstack([RGB, np.full((12, 16), 255, np.uint8)])
    assert read_with_alpha(save(tmp_path / "a.png", opaque))[1] is None


def test_gray_with_alpha(tmp_path):
    gray = np.rint(GRAY).astype(np.uint8)
    path = save(tmp_path / "a.png", np.stack([gray, 255 - gray], axis=2))
    image, alpha = read_with_alpha(path)
    assert np.array_equal(alpha, 255 - gray)
    assert np.array_equal(image, np.where(gray == 255, 0, gray)[..., None].repeat(3, 2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_gray_is_scaled_by_its_type(tmp_path, suffix):
    deep = np.rint(GRAY * 257).astype(np.uint16)
    image = read(save(tmp_path / f"a.{suffix}", deep))
    assert np.array_equal(image, np.rint(deep / 257)[..., None].repeat(3, 2))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_rgb(tmp_path, suffix):
    import cv2

    path = tmp_path / f"a.{suffix}"
    cv2.imwrite(str(path), RGB[..., ::-1].astype(np.uint16) * 257)
    assert np.abs(read(path) - RGB).max() <= 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (GRAY / 255, GRAY),  # floats from 0 to 1
        (GRAY, GRAY),  # floats from 0 to 255
        (GRAY * 2 - 255, GRAY),  # negative ones: from the least to the greatest
    ],
)
def test_float_gray(tmp_path, values, expected):
    image = read(save(tmp_path / "a.tif", values.astype(np.float32)))
    assert np.abs(image[..., 0] - expected).max() <= 1


def test_32_bit_gray(tmp_path):
    image = read(save(tmp_path / "a.tif", (GRAY * 257).astype(np.int32)))
    assert np.abs(image[..., 0] - GRAY).max() <= 1


def test_palette(tmp_path):
    picture = PIL.Image.fromarray(RGB).quantize(16)
    picture.save(tmp_path / "a.png")
    assert np.array_equal(read(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))


def test_palette_with_a_transparent_color(tmp_path):
    picture = PIL.Image.fromarray(RGB).quantize(16)
    picture.save(tmp_path / "a.png", transparency=3)
    hidden = np.asarray(picture) == 3
    image, alpha = read_with_alpha(tmp_path / "a.png")
    assert np.array_equal(alpha == 0, hidden)
    assert np.array_equal(image[~hidden], np.asarray(picture.convert("RGB"))[~hidden])


def test_cmyk(tmp_path):
    flat = np.full((16, 16, 3), (200, 80, 40), np.uint8)
    image = read(save(tmp_path / "a.jpg", flat, mode="CMYK", quality=98))
    assert np.abs(image - flat).max() <= 4


@pytest.mark.parametrize(("tag", "degrees"), [(1, 0), (3, 180), (6, 90), (8, 270)])
def test_exif_turn(tmp_path, tag, degrees):
    exif = PIL.Image.Exif()
    exif[274] = tag
    path = save(tmp_path / "a.png", RGB, exif=exif)
    assert np.array_equal(read(path), np.rot90(RGB, -degrees // 90))
    assert open_source(path).rotation == degrees


def test_read_image(tmp_path):
    assert np.array_equal(read_picture(save(tmp_path / "a.png", RGB)).image, RGB)


# Folders


def test_natural_order():
    names = ["face10.png", "face2.png", "Face1.png", "face.png", "10.png", "9.png", "a1b10", "a1b9"]
    ordered = sorted(map(Path, names), key=natural_order)
    assert [path.name for path in ordered] == [
        "9.png", "10.png", "a1b9", "a1b10", "face.png", "Face1.png", "face2.png", "face10.png",
    ]  # fmt: skip


@pytest.mark.parametrize("spelled", ["{:04d}", "{:05d}"])  # as C counts the sign, or not
@pytest.mark.parametrize("before", ["f_", "f.", ""])
def test_numbers_below_0_come_before_0(tmp_path, before, spelled):
    spellings = [spelled] * 3 + ["{:04d}"] * 3
    names = [before + form.format(n) for form, n in zip(spellings, range(-3, 3), strict=True)]
    for name in names:
        save(tmp_path / f"{name}.png", RGB)
    for path in (tmp_path / f"{before}%04d.png", tmp_path / f"{before}####.png", tmp_path):
        with open_source(path, fps=10) as source:
            frames = list(source)
        assert [frame.path.stem for frame in frames] == names
        assert [frame.time for frame in frames] == pytest.approx(np.arange(6) / 10)
        if path != tmp_path:
            assert [frame.index for frame in frames] == list(range(-3, 3))


def test_numbers_below_0_stay_in_the_names_of_a_copy(tmp_path):
    for number in (-11, -1, 0):
        save(tmp_path / f"f_{number:04d}.png", RGB)
    out = tmp_path / "out"
    out.mkdir()
    source = open_source(tmp_path / "f_####.png")
    with open_sink(out / "g_%04d.png", like=source) as sink:
        for frame in source:
            sink.write(frame)
    assert sorted(path.name for path in out.iterdir()) == ["g_-001.png", "g_-011.png", "g_0000.png"]


def test_folder(tmp_path):
    for number in (10, 9, 1):
        save(tmp_path / f"{number}.png", np.full((4, 6, 3), number, np.uint8))
    save(tmp_path / ".hidden.png", RGB)
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "more.png").mkdir()
    with open_source(tmp_path) as source:
        frames = list(source)
    assert (source.kind, source.size, source.frame_count) == ("folder", (6, 4), 3)
    assert [path.name for path in source.paths] == ["1.png", "9.png", "10.png"]
    assert [frame.image[0, 0, 0] for frame in frames] == [1, 9, 10]
    assert [frame.index for frame in frames] == [0, 1, 2]
    assert [frame.time for frame in frames] == [0.0, 0.04, 0.08]
    assert source.exhausted


def test_one_bad_picture_does_not_end_a_folder(tmp_path, caplog):
    for number in (1, 3):
        save(tmp_path / f"{number}.png", RGB)
    (tmp_path / "2.png").write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        source = open_source(tmp_path)
        assert [frame.index for frame in source] == [0, 2]
    assert source.truncated
    assert "2.png" in caplog.text


# Bad input


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ((1, 2, 5, 6, 8, 9), "3 numbers are missing (3 to 4, 7)"),
        ((1, 2, 3), ""),
        ((1, 3, 5, 7), ""),  # every second one: nothing is missing
        ((101500, 101507, 101512), ""),  # times of day
    ],
)
def test_missing_numbers_of_a_folder_that_is_a_clip_are_told(tmp_path, caplog, numbers, told):
    for number in numbers:
        save(tmp_path / f"shot2_{number:04d}.png", RGB)
    with open_source(tmp_path) as source:
        assert caplog.messages == []  # each by itself: no number means a time
    with open_source(tmp_path, fps=10) as source:
        assert [frame.time for frame in source] == [k / 10 for k in range(len(numbers))]
    assert len(caplog.messages) == bool(told)
    if told:
        assert told in caplog.messages[0]
        assert f"name {tmp_path / 'shot2_%04d.png'} to keep their time" in caplog.messages[0]


def test_folder_without_pictures(tmp_path):
    with pytest.raises(FacewarpError, match="holds no pictures") as caught:
        open_source(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_folder_of_bad_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(FacewarpError, match="none of the folder's pictures"):
        open_source(tmp_path)


@pytest.mark.parametrize("content", [b"no picture", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_no_picture(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(FacewarpError, match="picture") as caught:
        open_source(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_half_a_picture(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    path = save(tmp_path / f"a.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(FacewarpError, match=r"a\.") as caught:
        list(open_source(path))
    assert caught.value.fix


def test_a_picture_has_no_start(tmp_path):
    with pytest.raises(FacewarpError, match="for videos"):
        open_source(save(tmp_path / "a.png", RGB), start=1.0)
