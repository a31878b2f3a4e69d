"""Mattes over time: steady where nothing changes, at once where something enters."""

import numpy as np
import pytest

from facewarp.face.occlusion.steady import SteadyMatte, seen_of_template
from facewarp.face.parts import FacePart

FPS = 30


@pytest.fixture
def gray(rng):
    return rng.integers(60, 200, (320, 260)).astype(np.uint8)


@pytest.fixture
def steady(template):
    return SteadyMatte(template, sure=0.5)


def free(level=255):
    return np.full((160, 130), level, np.uint8)


def test_a_matte_that_flickers_over_the_same_picture_is_held(steady, face_at, gray, rng):
    shown = []
    for i in range(40):
        told = np.where(i % 2, 255, 120).astype(np.uint8)
        noisy = (gray + rng.normal(0, 2, gray.shape)).clip(0, 255).astype(np.uint8)
        shown.append(steady(face_at(gray=noisy, matte=free(told)), i / FPS).matte.mean())
    assert np.abs(np.diff(shown[10:])).max() < 0.35 * 135


def test_a_hand_that_enters_is_seen_in_its_first_frame(steady, face_at, gray):
    steady(face_at(gray=gray, matte=free()), 0.0)
    covered, hidden = gray.copy(), free()
    covered[100:200, 60:200] = 245
    hidden[50:100, 30:100] = 0
    matte = steady(face_at(gray=covered, matte=hidden), 1 / FPS).matte
    assert np.median(matte[58:92, 38:92]) < 15
    assert matte[120:].min() > 240
    gone = steady(face_at(gray=gray, matte=free()), 2 / FPS).matte
    assert np.median(gone[58:92, 38:92]) > 240


def test_the_last_matte_goes_along_with_the_crop(steady, face_at, gray):
    """Where the picture is the same, a matte that lies elsewhere in the crop stays on the head."""
    hidden = free()
    hidden[60:100, 40:80] = 0
    steady(face_at(center=(320, 240), gray=gray, matte=hidden), 0.0)
    there = face_at(center=(320, 240))
    step = 8 * there.crop.scale  # px of the frame: 8 of the crop, 4 of the matte
    moved = np.roll(gray, -8, axis=1)
    told = np.roll(hidden, -4, axis=1)
    matte = steady(face_at(center=(320 + step, 240), gray=moved, matte=told), 1 / FPS).matte
    assert np.abs(matte.astype(int) - told)[:, 6:-6].max() < 40


def test_a_face_that_is_mostly_hidden_is_not_sure(steady, face_at, gray):
    seen = steady(face_at(gray=gray, matte=free(), confidence=0.8), 0.0)
    assert (seen.confidence, seen.state) == (0.8, "tracking")
    steady.reset()
    hidden = free()
    hidden[:, 40:] = 0
    face = steady(face_at(gray=gray, matte=hidden, confidence=0.8), 0.0)
    assert face.confidence < 0.5
    assert face.state == "uncertain"


def test_faces_without_a_matte_pass_unchanged(steady, face_at):
    face = face_at()
    assert steady(face, 0.0) is face


def test_after_a_gap_nothing_is_carried_on(steady, face_at, gray):
    steady(face_at(gray=gray, matte=free()), 0.0)
    assert steady(face_at(gray=gray, matte=free(0)), 2.0).matte.max() == 0


def test_the_matte_is_read_at_the_points_of_the_template(face_at, template):
    """A field that shifts by 20 px reads the matte 20 px of the crop further."""
    matte = free()
    matte[:, :65] = 0
    shift = np.zeros((2, 80, 65), np.float32)
    shift[0] = 20.0
    still = seen_of_template(face_at(matte=matte, back=0 * shift))
    moved = seen_of_template(face_at(matte=matte, back=shift))
    assert still.shape == (80, 65)
    assert np.array_equal(moved[:, :-5], still[:, 5:])
    assert still[template.probabilities[FacePart.NOSE][2::4, 2::4] > 0.9].size > 0
