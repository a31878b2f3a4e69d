"""Style transfer: whose detail, whose colours, where it ends, and what pictures say of it."""

from dataclasses import replace

import numpy as np
import PIL.Image
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.effects import style as style_module
from facewarp.face.effects.factory import make_effect, note_of
from facewarp.face.effects.options import STYLE_MODES
from facewarp.face.effects.style import Style, StyleFace, list_styles, shipped_style
from facewarp.face.rendering.color_transfer import (
    PartColors,
    coarse_map,
    group_color_map,
    group_shares,
    lab,
    rgb,
)
from facewarp.face.rendering.screened_poisson import ScreenedPoisson
from facewarp.media.colors.profiles import profile_of, shown_by
from tests.fixtures.profiles import P3, SRGB_CURVE, rgb_profile


@pytest.fixture(scope="module")
def bronze():
    return shipped_style("bronze")


@pytest.fixture
def seen(template, face_at):
    """A face that shows the template, with parts, and a frame of it."""
    face = face_at(side=170.0, probabilities=template.probabilities[:, 2::4, 2::4].copy())
    import cv2

    matrix = face.crop.matrix
    frame = cv2.warpAffine(template.color, matrix, (640, 480), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(frame, np.uint8), face


def on_skin(picture, face, template):
    """Lab of the middle of the face."""
    crop = face.crop.extract(picture)
    return lab(crop)[template.probabilities[1] > 0.98]


def test_what_is_constant_solves_the_equation():
    mask = np.zeros((30, 24), bool)
    mask[4:26, 4:20] = True
    d = np.full((30, 24, 3), 7.0, np.float32)
    np.testing.assert_allclose(ScreenedPoisson(mask, 5.0)(d), d, atol=1e-4)


def test_it_keeps_what_is_large_drops_what_is_small_and_meets_the_edge():
    mask = np.zeros((64, 64), bool)
    mask[8:56, 8:56] = True
    x = np.arange(64)
    d = np.zeros((64, 64, 1), np.float32)
    d[...] = np.where(x % 2, 10.0, -10.0)[None, :, None] + 3.0
    v = ScreenedPoisson(mask, 4.0)(d)
    np.testing.assert_array_equal(v[~mask], d[~mask])
    inner = v[24:40, 24:40]
    assert abs(inner.mean() - 3.0) < 0.6
    assert inner.std() < 0.5


def test_the_solution_solves_it(rng):
    mask = np.zeros((20, 18), bool)
    mask[2:18, 2:16] = rng.random((16, 14)) < 0.9
    d = rng.normal(size=(20, 18, 2)).astype(np.float32)
    v = ScreenedPoisson(mask, 3.0)(d).astype(float)
    lap = -4 * v + sum(np.roll(v, s, a) for s in (1, -1) for a in (0, 1))
    np.testing.assert_allclose((v - 9 * lap)[mask], d[mask], atol=1e-3)


def test_colors_get_the_mean_and_spread_that_are_wanted(template, rng):
    parts = template.probabilities[:, ::2, ::2]
    picture = np.asarray(rng.normal((60, 5, 5), (8, 4, 4), (160, 130, 3)), np.float32)
    before = PartColors.of(picture, parts)
    wanted = PartColors(before.mean + (0, 20, -10), 1.3 * before.spread, before.is_seen)
    gain, offset = group_color_map(before, wanted, group_shares(parts))
    after = PartColors.of(gain * picture + offset, parts)
    np.testing.assert_allclose(after.mean[:, 1:], wanted.mean[:, 1:], atol=2.0)
    np.testing.assert_allclose(after.spread[0], wanted.spread[0], rtol=0.1)
    same = group_color_map(before, before, group_shares(parts))
    np.testing.assert_allclose(same[0], 1, atol=1e-4)
    np.testing.assert_allclose(same[1], 0, atol=1e-3)


def test_lab_and_back(rng):
    picture = rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert np.abs(rgb(lab(picture)).astype(int) - picture).max() <= 1


def test_a_map_by_no_field_is_the_plane_itself(template):
    still = coarse_map(template.probabilities, np.zeros((2, 320, 260), np.float32))
    assert (
        np.abs(
            still
            - coarse_map(
                template.probabilities[:, ::2, ::2] * 1.0, np.zeros((2, 320, 260), np.float32)
            )
        ).mean()
        < 0.02
    )


@pytest.mark.slow
@pytest.mark.parametrize("mode", STYLE_MODES)
def test_a_style_changes_color_or_detail_or_both(mode, bronze, seen, template):
    frame, face = seen
    out = Style(bronze, mode, annotate=False)(frame, [face], template)
    before, after = (on_skin(p, face, template).mean(0) for p in (frame, out))
    towards = np.linalg.norm((after - bronze.colors.mean[0])[1:])
    away = np.linalg.norm((before - bronze.colors.mean[0])[1:])
    if mode == "texture":
        assert np.linalg.norm((after - before)[1:]) < 0.6 * away  # colours on the whole stay
    else:
        assert towards < 0.5 * away
    changed = np.abs(out.astype(int) - frame).sum(-1) > 6
    outline = face.crop.to_crop(np.argwhere(changed)[:, ::-1])
    assert outline.min() > -1
    assert (outline < (260, 320)).all()
    x, y = np.rint(face.landmarks[36:42].mean(0)).astype(int)
    if mode == "texture":  # eyes keep their detail
        assert np.abs(out[y, x].astype(int) - frame[y, x]).max() < 30
    half = Style(bronze, mode, 0.5, annotate=False)(frame, [face], template)
    middle = frame.astype(int) / 2 + out.astype(int) / 2
    assert np.abs(half - middle)[changed].mean() < 12


def test_a_style_drawn_in_bands_is_the_same(bronze, seen, template, monkeypatch):
    frame, face = seen
    whole = Style(bronze)(frame, [face], template)
    drawn = []
    monkeypatch.setattr(
        style_module, "lab", lambda picture: drawn.append(len(picture)) or lab(picture)
    )
    monkeypatch.setattr(style_module, "_BAND_PX", 4000)
    bands = Style(bronze)(frame, [face], template)
    assert len(drawn) > 6
    assert (whole != frame).any()
    assert np.abs(bands.astype(int) - whole).max() <= 1


def test_a_style_brings_a_note_and_other_effects_none(bronze):
    assert "style transfer" in note_of(Style(bronze))
    assert "bronze" in note_of(make_effect("style", style=bronze, style_mode="color"))
    assert note_of(make_effect("mesh")) is None


def test_shipped_styles_are_there_and_of_a_face(bronze):
    assert list_styles() == ["bronze", "drawing", "painting"]
    assert bronze.confidence > 0.8
    assert bronze.picture.shape == (640, 520, 3)


def test_what_gives_no_style_is_told(tmp_path, template):
    with pytest.raises(FacewarpError, match=r"no such file.*bronze"):
        StyleFace.of(tmp_path / "none.jpg")
    text = tmp_path / "text.jpg"
    text.write_text("no picture")
    with pytest.raises(FacewarpError, match="not a picture"):
        StyleFace.of(text)
    with pytest.raises(FacewarpError, match="no face"):
        StyleFace.of(np.full((200, 200, 3), 90, np.uint8))
    with pytest.raises(FacewarpError, match="no style mode 'colour'"):
        make_effect("style", style=replace_nothing(template), style_mode="colour")


def test_a_style_is_read_as_a_screen_shows_it(tmp_path, portrait):
    """A wide profile, 16 bits of gray and what alpha hides, as of every other picture."""
    codes = portrait.frame()
    wide = rgb_profile(P3, SRGB_CURVE)
    PIL.Image.fromarray(codes).save(tmp_path / "wide.png", icc_profile=wide)
    gray = np.asarray(PIL.Image.fromarray(codes).convert("L"))
    PIL.Image.fromarray(gray.astype(np.uint16) * 257).save(tmp_path / "gray.png")
    hidden = np.dstack([codes, np.zeros(codes.shape[:2], np.uint8)])
    PIL.Image.fromarray(hidden).save(tmp_path / "hidden.png")

    profile = profile_of(wide)
    assert profile is not None
    shown = StyleFace.of(shown_by(profile, codes))
    as_codes = StyleFace.of(codes)
    read = StyleFace.of(tmp_path / "wide.png")
    assert np.abs(read.picture.astype(int) - shown.picture).max() <= 1
    assert np.abs(read.picture.astype(int) - as_codes.picture).mean() > 1
    deep = StyleFace.of(tmp_path / "gray.png")
    assert np.abs(deep.picture.astype(int) - StyleFace.of(gray).picture).max() <= 1
    with pytest.raises(FacewarpError, match="no face"):
        StyleFace.of(tmp_path / "hidden.png")


def replace_nothing(template):
    colors = PartColors(np.zeros((4, 3)), np.ones((4, 3)), np.full(4, True))
    style = StyleFace("nothing", np.zeros((640, 520, 3), np.uint8), colors, 1.0)
    return replace(style, name="something")


def test_parts_that_tremble_do_not_make_a_style_flicker(bronze, seen, template, rng):
    frame, face = seen
    shaken = [np.roll(face.probabilities, rng.integers(-3, 4, 2), axis=(1, 2)) for _ in range(10)]
    flicker = []
    for number in (0, -1):  # followed, and not
        effect = Style(bronze, "color", annotate=False)
        faces = [replace(face, id=number, probabilities=parts) for parts in shaken]
        means = [on_skin(effect(frame, [one], template), one, template).mean(0) for one in faces]
        flicker.append(np.abs(np.diff(means, 2, axis=0)).mean())
    assert flicker[0] < 0.4 * flicker[1]
    effect.forget()


def test_eyes_of_a_style_are_not_put_on_lids(seen, template):
    """A face whose eyes are shut shows skin there: the style's open eyes must not lie on it."""
    frame, face = seen
    shut = replace(face, probabilities=np.zeros_like(face.probabilities))
    picture = np.repeat(np.repeat(template.color, 2, axis=0), 2, axis=1).copy()
    eyes = template.probabilities[[4, 5]].sum(axis=0) > 0.5
    picture[np.repeat(np.repeat(eyes, 2, axis=0), 2, axis=1)] = 0
    small = lab(np.ascontiguousarray(picture[::4, ::4]))
    colors = PartColors.of(small, template.probabilities[:, ::2, ::2])
    style = Style(StyleFace("black eyes", picture, colors, 0.9), "texture", annotate=False)
    drawn = face.crop.extract(style(frame, [shut], template)).astype(int)
    assert np.abs(drawn - face.crop.extract(frame))[eyes].mean() < 4
