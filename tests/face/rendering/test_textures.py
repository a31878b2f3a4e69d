"""Textures: shipped ones are sound, and a user's file is read or refused in one clear line."""

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import FacePart
from facewarp.face.rendering.makeup import is_look
from facewarp.face.rendering.mediapipe_uv import PREFIX
from facewarp.face.rendering.textures import (
    BLEND_KEY,
    check_texture,
    list_textures,
    load_texture,
    texture_blend,
    texture_title,
)
from facewarp.face.template.template import Template

HEIGHT, WIDTH = CROP_SHAPE


def saved(folder, array, mode, name="own.png", **options):
    path = folder / name
    image = Image.fromarray(array)
    assert image.mode == mode
    image.save(path, **options)
    return path


COVER_EYES = {"sunglasses"}


def test_at_least_ten_are_shipped():
    assert {"mask", "tiger", "wireframe", "sunglasses", "circuit", "makeup"} <= set(list_textures())
    assert len(list_textures()) >= 10
    assert list_textures() == sorted(list_textures())


@pytest.mark.parametrize("name", list_textures())
def test_shipped_textures_are_sound(name):
    rgba = load_texture(name)
    assert rgba.dtype == np.uint8
    k = 2 if is_look(name) else 4
    assert rgba.shape == (k * HEIGHT, k * WIDTH, 4)
    alpha = rgba[..., 3]
    assert alpha[[0, -1]].max() == alpha[:, [0, -1]].max() == 0  # clear of the border
    assert 0.002 < (alpha > 64).mean() < 0.6
    np.testing.assert_array_equal(rgba, rgba[:, ::-1])  # mirror-symmetric


@pytest.mark.parametrize("name", list_textures())
def test_shipped_textures_fit_the_template_and_leave_the_eyes_free(name):
    template = Template.load("average")
    alpha = load_texture(name)[..., 3]
    alpha = alpha[:: alpha.shape[0] // HEIGHT, :: alpha.shape[1] // WIDTH]
    face = template.probabilities[FacePart.BACKGROUND] < 0.9
    assert (alpha[~face] > 128).sum() < 0.12 * (alpha > 128).sum()
    for eye in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(template.landmarks[eye].mean(axis=0)).astype(int)
        assert (alpha[y, x] > 200) if name in COVER_EYES else (alpha[y, x] == 0)


def test_all_of_them_together_are_small():
    folder = resources.files("facewarp.assets").joinpath("textures")
    assert sum(path.stat().st_size for path in Path(str(folder)).rglob("*.png")) < 2e6


@pytest.mark.parametrize("name", list_textures())
def test_each_has_a_title(name):
    assert len(texture_title(name)) > 10


def test_their_blends_are_told():
    assert texture_blend("makeup") == "tint"
    assert texture_blend("mask") == "mask"
    assert texture_blend("wireframe") == "glow"
    assert texture_blend("tiger") == "paint"


def test_rgba_files_are_read_as_they_are(tmp_path, rng):
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)
    path = saved(tmp_path, pixels, "RGBA")
    np.testing.assert_array_equal(load_texture(path), pixels)
    np.testing.assert_array_equal(load_texture(str(path)), pixels)
    assert texture_blend(path) == "paint"


def test_the_blend_of_a_file_is_its_text_chunk(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text(BLEND_KEY, "glow")
    path = saved(tmp_path, np.zeros((HEIGHT, WIDTH, 4), np.uint8), "RGBA", pnginfo=info)
    assert texture_blend(path) == "glow"


def test_rgb_files_become_opaque(tmp_path, rng):
    pixels = rng.integers(0, 256, (2 * HEIGHT, 2 * WIDTH, 3), dtype=np.uint8)
    rgba = load_texture(saved(tmp_path, pixels, "RGB"))
    np.testing.assert_array_equal(rgba[..., :3], pixels)
    assert (rgba[..., 3] == 255).all()


def test_palettes_and_their_transparency_are_read(tmp_path):
    image = Image.new("P", (WIDTH, HEIGHT), 1)
    image.putpalette([0, 0, 0, 250, 120, 10])
    path = tmp_path / "palette.png"
    image.save(path, transparency=0)
    np.testing.assert_array_equal(load_texture(path)[5, 5], (250, 120, 10, 255))


def test_a_key_color_is_transparent(tmp_path):
    image = Image.new("RGB", (WIDTH, HEIGHT), (0, 255, 0))
    image.paste((250, 120, 10), (0, 0, 9, 9))
    path = tmp_path / "key.png"
    image.save(path, transparency=(0, 255, 0))
    rgba = load_texture(path)
    np.testing.assert_array_equal(rgba[5, 5], (250, 120, 10, 255))
    assert rgba[50, 50, 3] == 0


def test_gray_is_a_color(tmp_path, caplog):
    gray = np.full((HEIGHT, WIDTH), 90, np.uint8)
    veiled = np.dstack([gray, gray // 2])
    assert (load_texture(saved(tmp_path, gray, "L")) == (90, 90, 90, 255)).all()
    assert (load_texture(saved(tmp_path, veiled, "LA")) == (90, 90, 90, 45)).all()
    assert not caplog.records
    with pytest.raises(FacewarpError, match=r"8 bits a channel.*gray.*own\.png"):
        load_texture(saved(tmp_path, gray.astype(np.uint16), "I;16"))


def test_ink_is_read_and_told(tmp_path, caplog):
    path = tmp_path / "ink.jpg"
    Image.new("RGB", (WIDTH, HEIGHT), (200, 40, 40)).convert("CMYK").save(path)
    rgba = load_texture(path)
    assert np.abs(rgba[9, 9].astype(int) - (200, 40, 40, 255)).max() < 4
    assert "ink.jpg: CMYK without a color profile" in caplog.text


@pytest.mark.parametrize("name", ["moves.png", "moves.webp", "moves.gif"])
def test_of_an_animation_the_first_picture_is_worn_and_that_is_told(tmp_path, caplog, name):
    first, *others = (Image.new("RGB", (WIDTH, HEIGHT), (50 * k, 60, 60)) for k in range(4))
    first.save(tmp_path / name, save_all=True, append_images=others)
    assert load_texture(tmp_path / name)[9, 9, 0] < 9
    assert [one.getMessage() for one in caplog.records] == [
        f"{tmp_path / name}: a texture does not move: the first of 4 pictures is worn"
    ]


def test_a_texture_for_mediapipe_that_is_not_square_is_told(tmp_path, caplog):
    path = saved(tmp_path, np.full((HEIGHT, WIDTH, 4), 255, np.uint8), "RGBA")
    load_texture(f"{PREFIX}{path}")
    assert "own.png: MediaPipe's layout is square, this is 260x320 px" in caplog.text
    caplog.clear()
    load_texture(f"{PREFIX}{saved(tmp_path, np.full((64, 64, 4), 255, np.uint8), 'RGBA')}")
    assert not caplog.records


def test_a_texture_without_paint_is_told(tmp_path, caplog):
    load_texture(saved(tmp_path, np.zeros((HEIGHT, WIDTH, 4), np.uint8), "RGBA"))
    assert "all of it is transparent" in caplog.text


@pytest.mark.parametrize("size", [(320, 260), (320, 320), (1280, 1000)])
def test_another_aspect_is_refused_with_the_size_to_use(tmp_path, size):
    path = saved(tmp_path, np.zeros((*size[::-1], 4), np.uint8), "RGBA")
    with pytest.raises(FacewarpError, match=rf"260:320.*{size[0]}x{size[1]}.*1040x1280"):
        load_texture(path)


def test_an_aspect_within_a_percent_is_taken(tmp_path):
    path = saved(tmp_path, np.zeros((642, 520, 4), np.uint8), "RGBA")
    assert load_texture(path).shape == (642, 520, 4)


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(FacewarpError, match=r"no such file.*nowhere\.png.*mask"):
        load_texture(tmp_path / "nowhere.png")
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    with pytest.raises(FacewarpError, match="not a picture"):
        load_texture(text)
    whole = saved(tmp_path, np.zeros((HEIGHT, WIDTH, 4), np.uint8), "RGBA").read_bytes()
    half = tmp_path / "half.png"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FacewarpError, match=r"cannot be read.*half\.png"):
        load_texture(half)
    with pytest.raises(FacewarpError):
        load_texture(tmp_path)


def test_arrays_are_checked_too():
    with pytest.raises(FacewarpError, match="RGBA or RGB"):
        check_texture(np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(FacewarpError, match="RGBA or RGB"):
        check_texture(np.zeros((HEIGHT, WIDTH, 4), np.float32))


@pytest.mark.filterwarnings("ignore")  # of Pillow, about what was changed
@pytest.mark.parametrize("suffix", ["avif", "png", "tif", "webp"])
def test_a_texture_with_one_wrong_byte_is_read_or_refused(tmp_path, rng, suffix):
    pixels = rng.integers(0, 256, (HEIGHT // 10, WIDTH // 10, 3), np.uint8)
    path = saved(tmp_path, pixels, "RGB", f"own.{suffix}")
    whole, refused = path.read_bytes(), 0
    for at in range(0, len(whole), 1 + len(whole) // 300):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            load_texture(path)
        except FacewarpError:
            refused += 1
    assert refused
