"""Paint goes on to the hairline where the matte tells it, and no farther."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fixtures.detail_shares import closely

from facewarp.face.effects.factory import make_effect
from facewarp.face.parts import FacePart
from facewarp.face.rendering.coverage import (
    beyond_its_face,
    carried_outward,
    closed_lips,
    paints_whole_face,
    shut_lids,
    wide_face,
    widened,
)
from facewarp.face.rendering.textures import load_texture


@pytest.fixture
def outline(template):
    return template.probabilities[FacePart.BACKGROUND] < 0.5


def test_a_wide_face_is_wider_above_the_eyes_and_ends_at_the_jaw(template, outline):
    wide = wide_face(template)
    assert (wide[outline] > 0.4).mean() > 0.99
    top, chin = (int(template.landmarks[i, 1]) for i in (24, 8))
    assert np.flatnonzero((wide > 0.5).any(1))[0] < np.flatnonzero(outline.any(1))[0] - 25
    assert np.flatnonzero((wide > 0.5).any(1))[-1] <= np.flatnonzero(outline.any(1))[-1] + 2
    assert (wide[top] > 0.5).sum() > outline[top].sum() + 20  # temples
    jaw = (top + 3 * chin) // 4
    assert abs(int((wide[jaw] > 0.5).sum()) - int(outline[jaw].sum())) < 12
    rows = [np.flatnonzero(row > 0.5) for row in wide]
    assert all(np.ptp(row) == len(row) - 1 for row in rows if len(row))  # no notch


def test_pictures_go_on_as_in_a_mirror():
    y, x = np.mgrid[:320, :260]
    known = np.hypot(x - 130, y - 160) < 80
    stripes = np.where((y // 10 % 2)[..., None] > 0, 230, 20) * np.ones(3)
    picture = np.where(known[..., None], stripes, 120).astype(np.uint8)
    out = carried_outward(picture, known)
    np.testing.assert_array_equal(out[known], picture[known])
    beside = out[130:190, 216:224]  # stripes run across the edge: they go on
    assert beside.std(axis=1).mean() < 40 < beside.std(axis=0).mean()
    np.testing.assert_array_equal(carried_outward(picture, np.zeros_like(known)), picture)


def test_only_paint_of_the_whole_face_goes_on(template):
    whole = {
        name
        for name in ("tiger", "skull", "mask", "sunglasses", "makeup", "butterfly")
        if paints_whole_face(load_texture(name)[..., 3], template)
    }
    assert whole == {"tiger", "skull"}


def test_widened_paint_keeps_its_holes_and_what_was_painted(template, outline):
    rgba = np.zeros((320, 260, 4), np.uint8)
    rgba[outline] = (200, 120, 40, 255)
    rgba[150:170, 90:110, 3] = 0
    wide = widened(rgba, template)
    assert (wide[150:170, 90:110, 3] == 0).all()
    np.testing.assert_array_equal(wide[outline], rgba[outline])
    top = np.flatnonzero(outline.any(1))[0]
    np.testing.assert_allclose(wide[top - 12, 130], (200, 120, 40, 255), atol=3)


def test_matte_decides_how_far_paint_and_labels_go(template, frame, face_at, outline):
    rgba = np.full((320, 260, 4), (200, 120, 40, 255), np.uint8)
    whole = face_at(center=(320, 260), side=200.0)
    above = np.array([130.0, np.flatnonzero(outline.any(1))[0] - 14])  # on the forehead's upper end
    x, y = np.rint(whole.crop.to_frame(above[None])[0]).astype(int)
    matte = np.full((160, 130), 255, np.uint8)
    covered = matte.copy()
    covered[: int(above[1] / 2) + 6] = 0
    for name, options in (("texture", {"texture": rgba}), ("labels", {})):
        effect = make_effect(name, annotate=False, **options)
        changed = [
            np.abs(effect(frame, [face], template)[y, x].astype(int) - frame[y, x]).max()
            for face in (
                whole,
                face_at(center=(320, 260), side=200.0, matte=matte),
                face_at(center=(320, 260), side=200.0, matte=covered),
            )
        ]
        assert changed[0] == changed[2] == 0
        assert changed[1] > 4


def test_a_style_goes_up_to_the_hairline(template, frame, face_at, outline):
    above = np.array([130.0, np.flatnonzero(outline.any(1))[0] - 14])
    parts = np.stack([cv2.resize(part, (65, 80)) for part in template.probabilities])
    matte = np.full((160, 130), 255, np.uint8)
    effect = make_effect("style", style="bronze", annotate=False)
    for given, is_painted in ((None, False), (matte, True)):
        face = face_at(center=(320, 260), side=200.0, matte=given, probabilities=parts)
        x, y = np.rint(face.crop.to_frame(above[None])[0]).astype(int)
        out = effect(frame, [face], template)
        assert (np.abs(out[y, x].astype(int) - frame[y, x]).max() > 3) == is_painted


def test_paint_on_lips_closes_with_them_and_opens(template, frame, face_at):
    effect = make_effect("texture", texture="makeup+lips=crimson:1", annotate=False)
    face = face_at(center=(320, 260), side=200.0)
    middle = np.rint(face.landmarks[[62, 66]].mean(0)).astype(int)
    shut = face.landmarks.copy()
    shut[[61, 62, 63, 65, 66, 67]] = (shut[[61, 62, 63, 67, 66, 65]].mean(0) + shut[62]) / 2
    shut[[65, 66, 67]] = shut[[63, 62, 61]]
    x, y = middle
    for landmarks, is_painted in ((face.landmarks, False), (shut, True)):
        out = effect(frame, [replace(face, landmarks=landmarks)], template)
        assert (np.abs(out[y, x].astype(int) - frame[y, x]).max() > 20) == is_painted


@pytest.mark.parametrize("name", ["mask", "sunglasses", "butterfly"])
def test_what_does_not_paint_lips_stays_as_it_is(name, template):
    rgba = load_texture(name)
    assert closed_lips(rgba, template) is rgba


@pytest.mark.parametrize("name", ["skull", "tiger", "butterfly"])
def test_holes_for_the_eyes_are_painted_on_shut_lids(name, template):
    rgba = load_texture(name)
    shut = shut_lids(rgba, template)
    small = cv2.resize(shut[..., 3], (260, 320), interpolation=cv2.INTER_AREA)
    eyes = template.probabilities[[FacePart.EYE_LEFT, FacePart.EYE_RIGHT]].max(0) > 0.9
    assert np.percentile(small[eyes], 2) > 180
    far = cv2.dilate(eyes.astype(np.uint8), np.ones((61, 61), np.uint8)) == 0
    far = cv2.resize(far.astype(np.uint8), rgba.shape[1::-1], interpolation=cv2.INTER_NEAREST) > 0
    np.testing.assert_array_equal(shut[far], rgba[far])


@pytest.mark.parametrize("name", ["evening", "makeup", "freckles"])
def test_paint_on_one_side_of_the_eyes_stays_as_it_is(name, template):
    rgba = load_texture(name)
    np.testing.assert_array_equal(shut_lids(rgba, template), rgba)


def test_paint_closes_with_the_lids(template, frame, face_at):
    rgba = np.full((320, 260, 4), (240, 120, 20, 255), np.uint8)
    rgba[:2, :, 3] = 0
    eyes = template.probabilities[[FacePart.EYE_LEFT, FacePart.EYE_RIGHT]].max(0) > 0.4
    rgba[eyes, 3] = 0
    parts = template.probabilities[:, 2::4, 2::4].copy()
    face = face_at(side=260.0, probabilities=parts)
    effect = make_effect("texture", texture=rgba, annotate=False)
    drawn = {
        height: effect(frame, [closely(face, height=height)], template).astype(int)
        for height in (0.0, 9.0)
    }
    for lids in (slice(36, 42), slice(42, 48)):
        x, y = np.rint(face.landmarks[lids].mean(axis=0)).astype(int)
        assert np.abs(drawn[9.0][y, x] - frame[y, x]).sum() < 12
        assert np.abs(drawn[0.0][y, x] - frame[y, x]).sum() > 40
    half = effect(frame, [closely(face, height=2.6)], template).astype(int)
    assert 0 < np.abs(half - drawn[9.0]).sum() < np.abs(drawn[0.0] - drawn[9.0]).sum()


def test_strokes_end_where_a_style_shows_no_face():
    """Colors go on; hatching would be drawn out into waves."""
    y, x = np.mgrid[:640, :520]
    hatched = np.where((x + y) % 8 < 4, 60, 220).astype(np.uint8)[..., None].repeat(3, -1)
    known = (x - 260) ** 2 / 150**2 + (y - 300) ** 2 / 210**2 < 1
    out = beyond_its_face(hatched, known)
    np.testing.assert_array_equal(out[known], hatched[known])
    far = (x - 260) ** 2 / 166**2 + (y - 300) ** 2 / 226**2 > 1
    assert out[far].std() < 0.3 * hatched.std()
    assert abs(float(out[far].mean()) - 140) < 15
