"""How a face looks, whatever the light: the shipped portrait, and its tinted copy."""

import numpy as np
import pytest
from fixtures.two_heads import tinted

from facewarp.face.matching.appearance import AppearanceReader


def test_light_changes_no_appearance(scene, template, tracker):
    reader = AppearanceReader(template.landmarks)
    frame = scene(plain=240)
    (face,) = tracker(frame)
    seen = reader(frame, face.landmarks)
    for light in ((0.5, 0.5, 0.5), (0.9, 0.7, 0.5)):
        lit = (frame * light).astype(np.uint8)
        assert not seen.is_another(reader(lit, face.landmarks))
    assert seen.is_another(reader(tinted(frame), face.landmarks))


def test_a_face_that_the_frame_cuts_has_no_appearance(scene, template, tracker):
    frame = scene(plain=240)
    (face,) = tracker(frame)
    reader = AppearanceReader(template.landmarks)
    assert reader(frame[:, 230:], face.landmarks - (230, 0)) is None


def test_light_from_the_side_is_no_other_face(scene, template, tracker):
    reader = AppearanceReader(template.landmarks)
    frame = scene(plain=240)
    (face,) = tracker(frame)
    seen = reader(frame, face.landmarks)
    lamp = np.clip(np.linspace(-1, 2, 480), 0.3, 1)[:, None]  # little light on one cheek
    lit = (frame * lamp * (0.8, 1, 1)).astype(np.uint8)
    assert seen.distance(reader(lit, face.landmarks)) > 0.25
    assert not seen.is_another(reader(lit, face.landmarks))
    assert seen.is_another(reader(tinted(lit), face.landmarks))


@pytest.mark.parametrize("light", [4.0, 0.08])
def test_clipped_and_black_faces_have_no_appearance(scene, template, tracker, light):
    frame = scene(plain=240)
    (face,) = tracker(frame)
    lit = np.clip(frame * light, 0, 255).astype(np.uint8)
    assert AppearanceReader(template.landmarks)(lit, face.landmarks) is None
