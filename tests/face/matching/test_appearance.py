"""How a face looks, whatever the light: the shipped portrait, and its tinted copy."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.two_heads import tinted

from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.matching.appearance import (
    Appearance,
    AppearanceMemory,
    AppearanceReader,
    Matte,
)


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


def test_the_share_that_is_seen_is_that_of_the_matte(scene, template, tracker):
    frame = scene(plain=240)
    (face,) = tracker(frame)
    reader = AppearanceReader(template.landmarks)
    matte = np.full((160, 130), 255, np.uint8)
    in_matte = (face.crop.to_crop(face.landmarks) - 0.5) / 2
    assert reader(frame, face.landmarks).seen == 1
    assert reader(frame, face.landmarks, Matte(matte, in_matte)).seen == 1
    matte[:, : round(in_matte[30, 0])] = 0  # up to the nose
    half = reader(frame, face.landmarks, Matte(matte, in_matte))
    assert half.seen == pytest.approx(0.5, abs=0.1)
    assert half.free.mean() == pytest.approx(0.45, abs=0.1)
    assert not half.free[half.places[:, 0] < -0.1].any()


@pytest.fixture
def looks(rng):
    """Make the appearance of one of two people, of whom so much is seen."""
    colors = rng.normal(0, 0.3, (2, 200, 3)).astype(np.float32)
    structure = rng.normal(0, 1, (2, 200)).astype(np.float32)
    places = np.zeros((200, 2), np.float32)

    def appearance(who, seen, free=None):
        return Appearance(colors[who], places, structure[who], seen, free)

    return appearance


STILL = Crop.around((200, 200), 80)


def watched(memory, crops, looks, who, seen, free=None):
    """Whether the crops that follow each other show another face for good, one by one."""
    found = []
    for n, (gray, crop) in enumerate(crops):
        memory.watch(gray, crop, 0.5 + n / 30)
        found.append(memory.has_changed(looks(who, seen, free), 0.5 + n / 30))
    return found


def crop_of(rng):
    coarse = rng.uniform(20, 220, (20, 16)).astype(np.float32)
    return np.kron(coarse, np.ones((16, 17)))[:, : CROP_SHAPE[1]].astype(np.uint8)


def test_a_hand_before_a_face_makes_it_no_other_and_is_not_remembered(looks, rng):
    memory, gray = AppearanceMemory(), crop_of(rng)
    memory.watch(gray, STILL, 0.0)
    memory.note(looks(0, 1.0), 0.0)
    assert not any(watched(memory, [(gray, STILL)] * 6, looks, who=1, seen=0.6))
    assert memory.appearance.seen == 1
    assert any(watched(memory, [(gray, STILL)] * 6, looks, who=1, seen=0.95))


@pytest.mark.parametrize(("share", "tells"), [(0.6, True), (0.1, False)])
def test_what_is_free_of_a_hidden_face_tells_whose_it_is(looks, rng, share, tells):
    """Two shots of equal light: no cut is seen, and of one of the two less is seen."""
    memory, gray = AppearanceMemory(), crop_of(rng)
    memory.watch(gray, STILL, 0.0)
    memory.note(looks(0, 1.0, np.ones(200, bool)), 0.0)
    free = np.arange(200) < 200 * share
    assert any(watched(memory, [(gray, STILL)] * 4, looks, 1, 0.8, free)) == tells
    assert not any(watched(memory, [(gray, STILL)] * 4, looks, 0, 0.8, free))


def test_a_hand_before_a_face_hides_it_from_the_comparison(looks):
    face, hand = looks(0, 1.0, np.ones(200, bool)), looks(1, 0.5, np.arange(200) < 100)
    behind = replace(hand, colors=np.where(hand.free[:, None], face.colors, hand.colors))
    assert not behind.is_another_where_free(face)
    assert hand.is_another_where_free(face)


def test_a_face_first_seen_behind_a_hand_stays_itself_as_the_hand_moves(looks, rng):
    memory, gray = AppearanceMemory(), crop_of(rng)
    memory.watch(gray, STILL, 0.0)
    memory.note(looks(0, 0.6, np.arange(200) < 120), 0.0)
    free = np.arange(200) >= 80
    assert not any(watched(memory, [(gray, STILL)] * 4, looks, 1, 0.6, free))


def test_a_thing_that_goes_away_shows_no_other_face(looks, rng):
    memory, gray = AppearanceMemory(), crop_of(rng)
    memory.watch(gray, STILL, 0.0)
    memory.note(looks(1, 0.6), 0.0)
    assert not any(watched(memory, [(gray, STILL)] * 6, looks, who=0, seen=1.0))
    assert memory.appearance.seen == 1


def test_what_stays_before_a_face_belongs_to_it_after_a_while(looks, rng):
    memory, gray = AppearanceMemory(), crop_of(rng)
    memory.watch(gray, STILL, 0.0)
    memory.note(looks(0, 1.0), 0.0)
    memory.watch(gray, STILL, 5.1)
    assert not memory.has_changed(looks(1, 0.6), 5.1)
    assert memory.appearance.seen == 0.6


def test_after_a_cut_a_face_of_which_less_is_seen_may_be_another(looks, rng):
    memory, gray = AppearanceMemory(), crop_of(rng)
    memory.watch(gray, STILL, 0.48)
    memory.note(looks(0, 1.0), 0.48)
    other = crop_of(rng)
    assert any(watched(memory, [(other, STILL)] * 4, looks, who=1, seen=0.6))


def test_a_crop_that_is_registered_another_way_shows_no_cut(looks, rng):
    memory = AppearanceMemory()
    frame = np.kron(rng.uniform(20, 220, (20, 20)), np.ones((20, 20))).astype(np.uint8)
    turned = [Crop.around((200 + 12 * n, 200), 80 + 12 * n, roll=0.2 * n) for n in range(1, 4)]
    memory.watch(STILL.extract_gray(frame), STILL, 0.48)
    memory.note(looks(0, 1.0), 0.48)
    crops = [(crop.extract_gray(frame), crop) for crop in turned]
    assert not any(watched(memory, crops, looks, who=1, seen=0.6))
