"""Alpha of plates: colors multiplied by it are seen, painted and written as such."""

import cv2
import numpy as np
import PIL.Image
import pytest

from facewarp.media.frames import DeepImage, Frame
from facewarp.media.plates.alpha import multiplied, straight
from facewarp.media.plates.files import read_plate, write_plate
from facewarp.media.sinks import open_sink
from facewarp.media.sources import open_source
from facewarp.media.transfer import codes_of
from facewarp.media.video.pixels.color_conversion import ten_bit_codes

oiio = pytest.importorskip("OpenImageIO")
WHITE, HALF, NONE = 0, 1, 2  # columns of the plates below: opaque, half, transparent


def written(path, color, alpha, kind, *, is_straight):
    """A plate (6, 3) of one color; its columns are opaque, half and wholly transparent."""
    spec = oiio.ImageSpec(3, 6, 4, kind)
    spec.attribute("oiio:UnassociatedAlpha", int(is_straight))
    pixels = np.zeros((6, 3, 4), np.asarray(color).dtype)
    pixels[..., :3], pixels[..., 3] = color, alpha
    if not is_straight:
        share = np.float64(alpha) / np.float64(alpha[0])
        shared = pixels[..., :3] * share[None, :, None]
        pixels[..., :3] = np.rint(shared) if pixels.dtype == np.uint16 else shared
    buffer = oiio.ImageBuf(spec)
    buffer.set_pixels(spec.roi, pixels)
    assert buffer.write(str(path)), buffer.geterror()
    return path


def light_plate(path):
    color, alpha = np.array((0.5, 0.2, 0.1), np.float32), np.array((1, 0.5, 0), np.float32)
    return written(path, color, alpha, oiio.FLOAT, is_straight=False)


def sixteen_bit_plate(path, *, is_straight):
    color, alpha = np.array((40_000, 20_000, 9000), np.uint16), np.array((65_535, 32_768, 0))
    return written(path, color, alpha.astype(np.uint16), oiio.UINT16, is_straight=is_straight)


def stored(path):
    spec = oiio.ImageSpec()
    spec.attribute("oiio:UnassociatedAlpha", 1)
    return np.asarray(oiio.ImageBuf(str(path), 0, 0, spec).get_pixels(oiio.FLOAT))


def copy(path, target):
    with open_source(path) as source, open_sink(target, like=source) as sink:
        for frame in source:
            sink.write(frame)


def test_colors_under_alpha_are_seen_as_they_are(tmp_path):
    image, alpha, deep = read_plate(light_plate(tmp_path / "a.exr"))
    shown = np.rint(255 * codes_of(np.array((0.5, 0.2, 0.1), np.float32)))
    assert (image[:, [WHITE, HALF]] == shown).all()
    assert (image[:, NONE] == 0).all()
    assert alpha[0].tolist() == [255, 128, 0]
    for is_straight in (True, False):
        path = sixteen_bit_plate(tmp_path / "a.tif", is_straight=is_straight)
        image, _, deep = read_plate(path)
        assert np.abs(deep.codes[:, HALF].astype(int) - (40_000, 20_000, 9000)).max() <= 1
        assert np.abs(image[:, HALF].astype(int) - image[:, WHITE]).max() <= 1


@pytest.mark.parametrize("name", ["a.exr", "a.tif", "straight.tif"])
def test_paint_is_as_transparent_as_its_plate(tmp_path, name):
    if name == "a.exr":
        path, top = light_plate(tmp_path / name), 1.0
    else:
        path = sixteen_bit_plate(tmp_path / name, is_straight=name != "a.tif")
        top = 65_535
    is_multiplied = name != "straight.tif"
    before = stored(path)
    with open_source(path) as source, open_sink(tmp_path / f"out-{name}", like=source) as sink:
        for frame in source:
            frame.deep.codes[2:4] = top  # white paint
            sink.write(frame)
    after = stored(tmp_path / f"out-{name}")
    untouched = np.array([0, 1, 4, 5])
    assert (after[untouched] == before[untouched]).all()
    assert (after[..., 3] == before[..., 3]).all()
    assert after[2, WHITE, :3] == pytest.approx(1)
    assert after[2, HALF, :3] == pytest.approx(0.5 if is_multiplied else 1.0, abs=1e-4)
    assert after[2, NONE, :3] == pytest.approx(0 if is_multiplied else 1.0)


def test_an_exr_becomes_a_png_with_straight_alpha_and_back(tmp_path):
    path = light_plate(tmp_path / "a.exr")
    for before, after in (("a.exr", "b.png"), ("b.png", "c.exr")):
        copy(tmp_path / before, tmp_path / after)
    png = cv2.imread(str(tmp_path / "b.png"), cv2.IMREAD_UNCHANGED)
    assert png.dtype == np.uint16
    assert np.abs(png[0, HALF].astype(int) - png[0, WHITE]).max(initial=0, where=[1, 1, 1, 0]) < 40
    back, told = stored(tmp_path / "c.exr"), stored(path)
    assert back == pytest.approx(told, abs=0.004)  # 8 bits of alpha
    names = oiio.ImageBuf(str(tmp_path / "c.exr")).spec().channelnames
    assert tuple(names) == ("R", "G", "B", "A")


def test_what_holds_no_alpha_is_black_where_it_hides(tmp_path, caplog):
    hidden = np.array([[255, 128, 0]], np.uint8)
    codes = np.full((1, 3, 3), 50_000, np.uint16)
    frame = Frame(np.full((1, 3, 3), 195, np.uint8), 0.0, 0, alpha=hidden, deep=DeepImage(codes))
    assert ten_bit_codes(frame)[0, :, 0].tolist() == pytest.approx([50_000, 25_098, 0], abs=1)
    path = tmp_path / "a.dpx"
    write_plate(path, frame.image, frame.deep, alpha=hidden)
    assert stored(path)[0, :, 0] == pytest.approx([0.763, 0.383, 0], abs=0.002)
    PIL.Image.fromarray(np.dstack([frame.image, hidden])).save(tmp_path / "in.png")
    copy(tmp_path / "in.png", tmp_path / "out.dpx")
    assert "alpha" in caplog.text or "transparent" in caplog.text


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_straight_and_back_is_the_same_where_alpha_is(rng, kind):
    top = 65_535 if kind is np.uint16 else 1
    alpha = (rng.random((8, 9)) * 0.9 * top + 0.1 * top).astype(kind)
    alpha[0], alpha[1] = top, 0
    codes = (rng.random((8, 9, 3)) * top).astype(kind)
    there = multiplied(codes, alpha)
    assert (there[0] == codes[0]).all()
    back = straight(there, alpha)
    assert back[2:] == pytest.approx(codes[2:], abs=6 if kind is np.uint16 else 1e-6)
    assert (straight(codes, alpha)[:2] == codes[:2]).all()
