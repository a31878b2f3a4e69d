"""Variants of a face: shut and toned, and all of it the face that it was."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.training.occlusion.face_variants import shut, toned, varied
from facewarp.training.occlusion.faces import SHAPE, Detail, base_face


@pytest.fixture
def base(photo, tmp_path, rng):
    """A drawn face whose eyes and mouth are seen."""
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), photo.image)
    return base_face(replace(photo, path=path), rng)


def marked(base, part):
    """The face with a green opening in plain skin."""
    image = np.full_like(base.image, 0.6)
    image[base.details == part] = (0, 1, 0)
    return replace(base, image=image)


def green(base):
    return float((base.image[..., 1] - base.image[..., 0]).clip(0).sum())


@pytest.mark.parametrize(("part", "upper"), [(Detail.EYE, 0.9), (Detail.MOUTH, 0.5)])
def test_skin_is_stretched_over_what_opens(base, rng, part, upper):
    details = np.zeros_like(base.details)
    cv2.ellipse(details, (110, 120), (20, 9), 0, 0, 360, int(part), -1)
    if part == Detail.EYE:
        cv2.ellipse(details, (170, 122), (20, 9), 5, 0, 360, int(part), -1)
    base = marked(replace(base, details=details), part)
    half, whole = (shut(base, part, share, upper, rng) for share in (0.5, 1.0))
    assert green(whole) < 0.25 * green(base)
    assert 0.3 * green(base) < green(half) < 0.8 * green(base)
    assert not (whole.details == part).any()
    away = cv2.dilate((details > 0).astype(np.uint8), np.ones((99, 99), np.uint8)) == 0
    assert np.array_equal(whole.image[away], base.image[away])


def test_an_open_face_is_left_as_it_is(base, rng):
    none = replace(base, details=np.zeros(SHAPE, np.uint8))
    assert np.array_equal(shut(none, Detail.EYE, 1.0, 0.9, rng).image, base.image)


def test_skin_takes_another_tone_and_blue_does_not(base):
    image = np.broadcast_to(base.place.skin, base.image.shape).copy()
    image[:40] = (0.1, 0.2, 0.9)
    visible = np.ones(SHAPE, np.float32)
    visible[:40] = 0
    tone = np.array([0.3, 0.2, 0.15])
    other = toned(replace(base, image=image, visible=visible), tone)
    np.testing.assert_allclose(other.image[60:].mean((0, 1)), tone, atol=0.02)
    assert np.abs(other.image[:38] - image[:38]).mean() < 0.05
    assert np.allclose(other.place.skin, tone)


def test_a_varied_face_hides_nothing(base):
    """Whatever is drawn on it, as much of it is face as was, and pictures stay pictures."""
    changed = 0
    for seed in range(20):
        one = varied(base, np.random.default_rng(seed))
        assert np.isfinite(one.image).all()
        assert one.image.min() >= 0
        assert one.image.max() <= 1
        assert abs(one.visible.sum() - base.visible.sum()) < 0.03 * base.visible.sum()
        changed += not np.array_equal(one.image, base.image)
    assert 8 < changed < 20


def test_the_same_seed_varies_a_face_alike(base):
    one, other = (varied(base, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one.image, other.image)
