"""Whose face it is after cuts and losses: two heads of the shipped portrait, one of them tinted."""

import numpy as np
import pytest

from facewarp.face.matching.appearance import AppearanceReader


def tinted(frame):
    """The same picture in soft reddish and bluish stripes, about as bright as before."""
    wave = np.sin(np.arange(frame.shape[1])[:, None] / 9.0)
    return np.clip(frame * (1 + wave * (0.3, -0.13, -0.2)), 0, 255).astype(np.uint8)


@pytest.fixture
def scene(portrait):
    def make(plain=None, other=None):
        frame = np.full((240, 480, 3), 108, np.uint8)
        if other is not None:
            portrait.draw(frame, (other, 120), 0.8)
            frame = tinted(frame)
        if plain is not None:
            portrait.draw(frame, (plain, 120), 0.8)
        return frame

    return make


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


def places(faces):
    return {face.id: round(face.landmarks[:, 0].mean()) for face in faces if face.state != "lost"}


def test_faces_that_a_cut_swaps_keep_their_ids(scene, tracker):
    for n in range(4):
        before = places(tracker(scene(plain=120, other=360), n / 25))
    assert len(before) == 2
    for n in range(4, 20):
        after = places(tracker(scene(plain=374, other=134), n / 25))
    assert set(after) == set(before)
    assert all(abs(after[i] - (480 - before[i])) < 20 for i in before)


def test_who_takes_the_place_of_another_gets_a_new_id(scene, tracker):
    for n in range(4):
        before = places(tracker(scene(plain=240), n / 25))
    for n in range(4, 20):
        after = places(tracker(scene(other=240), n / 25))
    assert len(before) == len(after) == 1
    assert set(before) != set(after)


def test_a_flash_of_two_frames_changes_no_id(scene, tracker):
    for n in range(12):
        frame = scene(plain=240)
        shown = np.clip(frame * 1.8 + 40.0, 0, 255).astype(np.uint8) if n in (5, 6) else frame
        assert set(places(tracker(shown, n / 25))) == {0}
