"""Hard frames: of each kind the frame that has most of it, and no frame twice where others do."""

import numpy as np
import pytest

from facewarp.face.gallery.hard_frames import KINDS, HardFrames


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return np.rint(rng.normal((150, 120, 100), 12, (480, 640, 3)).clip(0, 255)).astype(np.uint8)


def opened(face, px):
    """The same face with its inner lips further apart."""
    face.landmarks[[61, 62, 63], 1] -= px / 2
    face.landmarks[[65, 66, 67], 1] += px / 2
    return face


def shut(face):
    face.landmarks[[37, 38, 43, 44]] = face.landmarks[[41, 40, 47, 46]]
    return face


def hidden(face, rows):
    matte = np.full((160, 130), 255, np.uint8)
    matte[rows] = 0
    object.__setattr__(face, "matte", matte)
    return face


def test_each_kind_is_the_frame_with_most_of_it(template, face_at, frame):
    found = HardFrames(template)
    clips = {
        "open": (opened(face_at(), 40), frame),
        "shut": (shut(face_at()), frame),
        "rolled": (face_at(roll=0.6), frame),
        "small": (face_at(side=40.0), frame),
        "fringe": (hidden(face_at(), np.s_[:80]), frame),
        "hand": (hidden(face_at(), np.s_[95:]), frame),
        "night": (face_at(), frame // 5),
        "noon": (face_at(), np.minimum(frame.astype(int) + 80, 255).astype(np.uint8)),
    }
    for name, (face, image) in clips.items():
        for number in range(3):
            found.add(frame, face_at(), name, number)
        found.add(image, face, name, 40)
    chosen = {frame.kind: frame for frame in found.chosen()}
    assert set(chosen) == set(KINDS)
    expected = {
        "mouth open": "open",
        "eyes shut": "shut",
        "tilted": "rolled",
        "far": "small",
        "hidden above": "fringe",
        "hidden below": "hand",
        "dark": "night",
        "bright": "noon",
    }
    assert {kind: chosen[kind].clip for kind in expected} == expected
    assert all(chosen[kind].number == 40 for kind in expected)
    assert all(shown.face.id == -1 for shown in chosen.values())


def test_a_clip_of_one_frame_gives_it_to_every_kind_and_none_gives_none(template, face_at, frame):
    found = HardFrames(template)
    assert found.chosen() == []
    found.add(frame, face_at(), "clip", 0)
    assert [one.kind for one in found.chosen()] == list(KINDS)


def test_frames_are_kept_as_they_were(template, face_at, frame):
    found = HardFrames(template)
    image = frame.copy()
    found.add(image, face_at(), "clip", 0)
    image[:] = 0  # as a reader may that uses its memory again
    np.testing.assert_array_equal(found.chosen()[0].image, frame)


def test_long_clips_keep_no_more_frames(template, face_at, frame):
    found = HardFrames(template)
    small = frame[::4, ::4].copy()
    for number in range(0, 400, 5):
        found.add(small, face_at(center=(80, 60), side=40.0 + number / 40), "clip", number)
    assert max(len(frames) for frames in found._kept.values()) <= 6
    far = next(one for one in found.chosen() if one.kind == "far")
    assert far.number < 100
