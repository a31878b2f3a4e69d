"""Scenes: measured around a face, held steady over frames, anew after a cut."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.face.effects.factory import make_effect
from facewarp.face.matching.scene import Scene
from facewarp.face.matching.steady_scene import SteadyScenes

SKIN = (205, 150, 126)


@pytest.fixture
def followed(face_at, template):
    parts = np.stack([cv2.resize(part, (65, 80)) for part in template.probabilities])
    return face_at(center=(320, 240), side=200.0, id=0, probabilities=parts)


def lit(light=(1, 1, 1), size=(480, 640)):
    """A frame of skin before a wall, with dark and light places."""
    rng = np.random.default_rng(0)
    frame = np.empty((*size, 3))
    frame[...] = (150, 140, 132)
    frame[60:420, 170:470] = SKIN
    frame[:60] = (20, 22, 30)
    frame[420:] = (60, 90, 160)
    frame[420:, :100] = (228, 230, 226)
    frame += rng.normal(0, 0.4, frame.shape)
    return np.rint((frame * light).clip(0, 255)).astype(np.uint8)


def test_a_neutral_scene_asks_nothing(followed):
    scene = Scene.of(lit(), followed)
    np.testing.assert_allclose(scene.light, 1, atol=0.05)
    assert scene.saturation == 1
    assert scene.noise == scene.blur_px == 0
    assert scene.black < 12
    assert scene.white > 0.85


def test_each_property_of_a_scene_is_seen(followed):
    warm = Scene.of(lit((1.15, 1, 0.6)), followed)
    assert warm.light[0] / warm.light[2] > 1.1
    gray = lit().astype(float)
    gray = 0.1 * gray + 0.9 * gray.mean(-1, keepdims=True)
    assert Scene.of(np.rint(gray).astype(np.uint8), followed).saturation < 0.6
    hazy = np.rint(60 + lit() * 0.6).astype(np.uint8)
    assert Scene.of(hazy, followed).black > 15
    assert Scene.of((lit() * 0.35).astype(np.uint8), followed).white < 0.7
    noisy = lit() + np.random.default_rng(1).normal(0, 6, (480, 640, 1))
    assert Scene.of(np.rint(noisy.clip(0, 255)).astype(np.uint8), followed).noise > 4


def test_a_light_that_flickers_does_not_make_paint_flicker(followed):
    steady, raw, held = SteadyScenes(), [], []
    for number in range(24):
        frame = lit((1 + 0.1 * (-1) ** (number // 4), 1, 0.8 - 0.1 * (-1) ** (number // 4)))
        raw.append(Scene.of(frame, followed).light)
        held.append(steady(frame, followed).light)
    assert np.ptp(held, axis=0).max() < 0.6 * np.ptp(raw, axis=0).max()
    assert np.abs(np.diff(held, axis=0)).max() < 0.1 * np.abs(np.diff(raw, axis=0)).max()


def test_a_light_that_stays_is_taken_on(followed):
    steady = SteadyScenes()
    steady(lit(), followed)
    warm = lit((1.1, 1, 0.7))
    for _ in range(80):
        scene = steady(warm, followed)
    np.testing.assert_allclose(scene.light, Scene.of(warm, followed).light, atol=0.01)


def test_a_cut_another_face_and_what_is_forgotten_start_anew(followed, face_at):
    warm, dark = lit((1.1, 1, 0.7)), (lit((0.7, 1, 1.1)) * 0.4).astype(np.uint8)
    elsewhere = face_at(center=(200, 240), side=100.0, id=0, probabilities=followed.probabilities)
    unfollowed = replace(followed, id=-1)
    for frame, face in [(dark, followed), (warm, elsewhere), (warm, replace(followed, id=1))]:
        steady = SteadyScenes()
        steady(warm, followed)
        np.testing.assert_allclose(steady(frame, face).light, Scene.of(frame, face).light)
    steady(warm, followed)
    np.testing.assert_allclose(steady(dark, unfollowed).light, Scene.of(dark, unfollowed).light)
    steady.forget()
    bright = lit((0.9, 1, 1.1))
    np.testing.assert_allclose(steady(bright, followed).light, Scene.of(bright, followed).light)


def worn(frame, face, template, match, color=(235, 235, 235), blend="paint"):
    rgba = np.zeros((640, 520, 4), np.uint8)
    rgba[150:560, 110:410] = (*color, 255)
    effect = make_effect("texture", texture=rgba, match=match, blend=blend, annotate=False)
    return effect(frame, [face], template)


def test_match_says_what_is_taken_on(followed, template):
    warm = lit((1.15, 1, 0.6))
    cheek = np.s_[255:275, 265:285]
    full, bright, flat = (
        worn(warm, followed, template, match)[cheek].reshape(-1, 3).mean(0)
        for match in ("full", "brightness", "none")
    )
    assert full[0] - full[2] > 20
    assert abs(bright[0] - bright[2]) < 6
    np.testing.assert_allclose(flat, 235, atol=1)


def test_a_noisy_frame_has_paint_with_grain_and_a_clean_one_none(followed, template):
    clean = lit()
    noisy = clean + np.random.default_rng(1).normal(0, 8, (480, 640, 1))
    noisy = np.rint(noisy.clip(0, 255)).astype(np.uint8)
    cheek = np.s_[255:275, 265:285]
    spread = [
        worn(frame, followed, template, match, (160, 160, 160), "mask")[cheek][..., 1].std()
        for frame in (clean, noisy)
        for match in ("brightness", "full")
    ]
    assert spread[1] < spread[0] + 0.5
    assert spread[2] < 3 < 4 < spread[3] < 12


def test_the_same_frame_gives_the_same_picture(followed, template):
    noisy = lit() + np.random.default_rng(1).normal(0, 8, (480, 640, 1))
    noisy = np.rint(noisy.clip(0, 255)).astype(np.uint8)
    first, again = (worn(noisy, followed, template, "full") for _ in range(2))
    np.testing.assert_array_equal(first, again)


def with_eyes(frame, face, white):
    """The frame with two eyes of this brightness, or shut for None."""
    frame = frame.copy()
    for lids in (face.landmarks[36:42], face.landmarks[42:48]):
        if white is not None:
            cv2.fillPoly(frame, [np.rint(lids).astype(np.int32)], (white,) * 3)
    return frame


def blinking(face):
    shut = face.landmarks.copy()
    shut[[40, 41, 46, 47]] = shut[[38, 37, 44, 43]]
    return replace(face, landmarks=shut)


def test_whites_of_eyes_are_seen_where_eyes_are_open_and_large(followed, face_at):
    frame = with_eyes(lit(), followed, 220)
    assert Scene.of(frame, followed).eyes == pytest.approx(220, abs=3)
    assert np.isnan(Scene.of(frame, blinking(followed)).eyes)
    far = face_at(center=(320, 240), side=60.0, probabilities=followed.probabilities)
    assert np.isnan(Scene.of(frame, far).eyes)
    skin = Scene.of(frame, followed).skin
    assert skin == pytest.approx(np.dot(SKIN, (0.299, 0.587, 0.114)), abs=8)


def test_dark_skin_in_the_light_is_told_from_a_face_in_the_dark(followed):
    """Both are as dark; whites of eyes are bright in one of them."""
    in_light, in_dark = (
        Scene.of(with_eyes((0.4 * lit()).astype(np.uint8), followed, white), followed)
        for white in (170, 60)
    )
    room = 150.0
    assert in_light.skin == pytest.approx(in_dark.skin, rel=0.02)
    assert in_light.brightness_of_light(in_light.skin, room) == room
    assert in_dark.brightness_of_light(in_dark.skin, room) < 0.55 * room
    assert Scene(np.ones(3)).brightness_of_light(60.0, room) == room  # eyes are not seen


def test_a_blink_does_not_change_the_light(followed):
    steady = SteadyScenes()
    frame = with_eyes(lit(), followed, 200)
    before = steady(frame, followed).eyes
    for _ in range(20):
        scene = steady(frame, blinking(followed))
    assert scene.eyes == before
