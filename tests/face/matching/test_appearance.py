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


def test_dark_frames_and_overexposed_ones_change_no_id(scene, tracker):
    for n in range(24):
        light = 4.0 if 4 <= n < 10 else 0.08 if 14 <= n < 20 else 1.0
        frame = np.clip(scene(plain=240) * light, 0, 255).astype(np.uint8)
        assert set(places(tracker(frame, n / 15))) == {0}


def test_one_frame_tells_another_face_where_frames_are_far_apart(scene, tracker):
    shown = [{"plain": 240}, {"plain": 240}, {"other": 240}, {"plain": 240}]
    ids = [set(places(tracker(scene(**one), 1.0 * n))) for n, one in enumerate(shown)]
    assert ids == [{0}, {0}, {1}, {0}]


def test_a_face_is_not_remembered_while_another_head_covers_it(scene, portrait, make_tracker):
    tracker = make_tracker()
    read, reader = [], tracker._appearance
    tracker._appearance = lambda image, points: read.append(points) or reader(image, points)
    for n, at in enumerate((100, 140, 185, 228)):
        frame = tinted(scene(plain=300))
        portrait.draw(frame, (at, 120), 0.6)
        read.clear()
        ids = places(tracker(frame, 0.5 * n))
        assert len(ids) == 2
        behind = [points for points in read if abs(points[:, 0].mean() - 300) < 12]
        assert len(behind) == (at < 220)


def test_a_cut_that_puts_another_nearer_takes_no_id_along(scene, tracker):
    for n in range(4):
        before = places(tracker(scene(plain=200), n / 25))
    assert list(before) == [0]
    for n in range(4, 8):
        after = places(tracker(scene(plain=400, other=293), n / 25))
        assert after == {0: pytest.approx(400, abs=12), 1: pytest.approx(293, abs=12)}
