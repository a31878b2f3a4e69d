"""Scenes that the proposal network learns from: faces lie where their labels say."""

import numpy as np
import pytest

from facewarp.training.proposals import scenes
from facewarp.training.proposals.scenes import SIDE, LabelledPhoto, random_scene


@pytest.fixture
def photo():
    """A blue picture with a red square as its face."""
    image = np.full((200, 300, 3), (0, 0, 120), np.uint8)
    image[60:140, 90:170] = (230, 0, 0)
    return LabelledPhoto(image, ((90.0, 60.0, 170.0, 140.0),))


def test_labels_lie_on_the_faces(photo, monkeypatch):
    monkeypatch.setattr(scenes, "_worn", lambda image, rng: image)
    monkeypatch.setattr(scenes, "_DRAWN", 0.0)
    monkeypatch.setattr(scenes, "_PLAIN", 1.0)
    monkeypatch.setattr(scenes, "_made_background", lambda rng: np.zeros((SIDE, SIDE, 3), np.uint8))
    rng, seen = np.random.default_rng(3), 0
    for _ in range(40):
        scene = random_scene([photo], rng)
        for x, y, side in scene.faces:
            assert scene.image[round(y), round(x), 0] > 150
            assert 6.9 < side < 34.1
            seen += 1
    assert seen > 60


def test_a_scene_is_the_same_for_the_same_randomness(photo):
    one, other = (random_scene([photo], np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.faces, other.faces)


def test_scenes_are_pictures_of_one_size(photo, rng):
    for _ in range(20):
        scene = random_scene([photo], rng)
        assert scene.image.shape == (SIDE, SIDE, 3)
        assert scene.image.dtype == np.uint8
        assert scene.faces.shape[1:] == (3,)
