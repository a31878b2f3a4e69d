"""FaceTracker with smoothing: how steady, how late, and when it begins anew."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.face.crop_fields import GRID_PX, compose_fields
from facewarp.face.image_formats import to_gray
from facewarp.face.temporal.smoothing import OneEuro, SmoothingConfig
from facewarp.face.tracking.registration import crop_around
from facewarp.face.tracking.track import Track

BLANK = np.full((240, 320, 3), 108, np.uint8)
FPS = 30


def noisy(frame, rng):
    noise = cv2.GaussianBlur(rng.normal(0, 6, frame.shape), (0, 0), 0.6)
    return np.rint(frame + noise).clip(0, 255).astype(np.uint8)


def follow(tracker, frames):
    tracker.reset()
    return [face for i, frame in enumerate(frames) for face in tracker(frame, i / FPS)]


def jitter(values):
    return np.linalg.norm(np.diff(values, 2, axis=0), axis=-1).mean()


def parts_at(face, template, points):
    """Most probable part of the template at points (N, 2) of the frame, by ``face.field``."""
    x, y = (axis.astype(np.float32)[None] for axis in face.crop.to_crop(points).T)
    u, v = (cv2.remap(one, x, y, cv2.INTER_LINEAR) for one in face.field)
    return np.argmax(
        [cv2.remap(p, x + u, y + v, cv2.INTER_LINEAR) for p in template.probabilities], 0
    )


@pytest.mark.slow
def test_a_still_face_is_held_four_times_as_steady(make_tracker, portrait, rng):
    still = portrait.frame((200, 150), 1.2, size=(400, 300))
    frames = [noisy(still, rng) for _ in range(40)]
    y, x = np.mgrid[60:240, 120:280]
    pixels = np.column_stack([x.ravel(), y.ravel()]).astype(float)
    trembling, changing = [], []
    for smooth in (False, True):
        tracker = make_tracker(faces=1, smooth=smooth)
        faces = follow(tracker, frames)[8:]
        assert all(face.state == "tracking" for face in faces)
        trembling.append(jitter(np.array([face.landmarks for face in faces])))
        parts = np.array([parts_at(face, tracker.template, pixels) for face in faces])
        changing.append((parts[1:] != parts[:-1]).mean())
    assert trembling[1] < trembling[0] / 4
    assert changing[1] < changing[0] / 4


@pytest.mark.slow
@pytest.mark.parametrize("hz", [0.5, 2.0])
def test_a_face_that_moves_to_and_fro_is_less_than_a_frame_late(make_tracker, portrait, rng, hz):
    times = np.arange(45) / FPS
    swing = 15 * np.sin(2 * math.pi * hz * times)
    frames = [noisy(portrait.frame((160 + by, 120), size=(320, 240)), rng) for by in swing]
    faces = follow(make_tracker(faces=1, smooth=True), frames)
    found = np.array([face.landmarks.mean(0)[0] for face in faces])

    def likeness(late):
        known = 15 * np.sin(2 * math.pi * hz * (times - late / FPS))
        return np.corrcoef(found, known)[0, 1]

    lags = np.linspace(-2, 4, 61)
    assert abs(lags[np.argmax([likeness(late) for late in lags])]) < 1
    assert np.ptp(found) == pytest.approx(np.ptp(swing), rel=0.1)


def test_without_smoothing_a_face_is_what_was_registered(make_tracker, portrait, rng):
    tracker = make_tracker(faces=1)
    for index in range(4):
        frame = noisy(portrait.frame((150 + index, 120)), rng)
        (face,) = tracker(frame, index / FPS)
        alone = tracker.register(frame, face.crop)
        np.testing.assert_array_equal(alone.landmarks, face.landmarks)
        np.testing.assert_array_equal(alone.field, face.field)


def test_smoothing_changes_fields_and_landmarks_together(make_tracker, portrait, rng):
    tracker = make_tracker(faces=1, smooth=True)
    for index in range(4):
        frame = noisy(portrait.frame((150 + 2 * index, 120)), rng)
        (face,) = tracker(frame, index / FPS)
        alone = tracker.register(frame, face.crop)
        is_changed = not np.array_equal(alone.landmarks, face.landmarks)
        assert is_changed == (index > 0)
        x, y = tracker.template.landmarks.astype(np.float32).T
        moved = [cv2.remap(one, x[None], y[None], 1)[0] for one in face.field_from_template]
        expected = face.crop.to_frame(tracker.template.landmarks + np.stack(moved, -1))
        np.testing.assert_allclose(face.landmarks, expected, atol=0.1)  # resampled twice
        assert face.box == (*face.landmarks.min(0), *face.landmarks.max(0))
        assert face.confidence == alone.confidence


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("photometric", [False, True])
def test_both_fields_are_one_map_however_faces_are_filtered(
    make_tracker, portrait, rng, smooth, photometric
):
    tracker = make_tracker(faces=1, smooth=smooth, photometric=photometric, details=False)
    for index in range(3):
        (face,) = tracker(noisy(portrait.frame((150 + 2 * index, 120)), rng), index / FPS)
        per_px = np.float32(1 / GRID_PX)
        there = compose_fields(face.grid_field_from_template * per_px, face.grid_field * per_px)
        off = GRID_PX * np.abs(there).max(axis=0)
        assert np.median(off) < 0.02
        assert np.percentile(off, 95) < 0.1


def test_a_face_that_comes_back_is_not_dragged_from_where_it_was(make_tracker, portrait):
    tracker = make_tracker(faces=1, smooth=True)
    for index in range(4):
        tracker(portrait.frame(), index / FPS)
    for index in range(4, 8):
        (lost,) = tracker(BLANK, index / FPS)
    assert lost.state == "lost"
    frame = portrait.frame((180, 110))
    (face,) = tracker(frame, 8 / FPS)
    assert (face.id, face.state) == (0, "tracking")
    np.testing.assert_array_equal(face.landmarks, tracker.register(frame, face.crop).landmarks)


def test_how_much_is_smoothed_can_be_told_the_tracker(make_tracker, portrait):
    frozen = OneEuro(min_hz=1e-3, beta=0.0)
    tracker = make_tracker(faces=1, smooth=SmoothingConfig(frozen, frozen, frozen))
    first, *_, last = follow(tracker, [portrait.frame((150 + i, 120)) for i in range(5)])
    np.testing.assert_allclose(last.landmarks, first.landmarks, atol=0.1)


def test_the_crop_does_not_follow_the_mouth(tracker, portrait):
    (face,) = tracker(portrait.frame(), 0.0)
    track = Track(face, 0.0)
    before = track.next_crop()
    face = replace(face, details=None)  # nothing puts lips back to where they are seen
    wide = face.landmarks.copy()
    wide[3:14, 1] += 9
    wide[54:60, 1] += 9
    track.move(replace(face, landmarks=wide, crop=before), 0.04)
    track.step[:] = 0
    np.testing.assert_allclose(track.next_crop().matrix, before.matrix, atol=1e-9)
    track.move(replace(face, landmarks=wide), 0.08)  # registered on a crop of its own: chosen anew
    track.step[:] = 0
    np.testing.assert_allclose(track.next_crop().matrix, crop_around(wide).matrix, atol=1e-9)


def test_another_tracker_goes_on_with_the_same_faces(make_tracker, portrait):
    one, other = make_tracker(faces=1, smooth=True), make_tracker(faces=1)
    one(BLANK, 0.0)
    for index in range(1, 4):
        one(portrait.frame((60 + 3 * index, 90), 0.5), index / FPS)
    one(BLANK, 0.2), one(BLANK, 0.25), one(BLANK, 0.3)
    (face,) = one(portrait.frame((240, 160), 0.5), 0.35)
    other.take_over(one)
    (same,) = other(portrait.frame((241, 160), 0.5), 0.4)
    assert (same.id, same.state) == (face.id, "tracking")
    assert np.linalg.norm(same.landmarks.mean(0) - face.landmarks.mean(0)) < 3
    assert other(BLANK, 0.1) == []  # time that goes back starts anew there, too


def test_what_the_last_call_took_is_known(make_tracker, portrait):
    tracker = make_tracker(faces=1)
    assert tracker.seconds == {"detect": 0.0, "register": 0.0}
    tracker(portrait.frame(), 0.0)
    first = tracker.seconds
    assert min(first.values()) > 0
    tracker(portrait.frame(), 0.04)
    assert tracker.seconds["detect"] == 0  # a sure face is not looked for
    assert tracker.seconds["register"] > 0
    tracker(BLANK, 0.08)
    assert tracker.seconds["detect"] > 0
    assert first["register"] > 0  # what was read before stays as it was


def test_smoothing_costs_no_more_than_one_registration_a_frame(make_tracker, portrait):
    tracker = make_tracker(faces=1, smooth=True)
    calls = []
    fit = tracker._fitter._registered
    tracker._fitter._registered = lambda gray, crops: calls.append(len(crops)) or fit(gray, crops)
    try:
        for index in range(6):
            tracker(portrait.frame((150 + 2 * index, 120)), index / FPS)
    finally:
        del tracker._fitter._registered
    assert len(calls) >= 6  # each frame's registration was seen
    assert sum(calls[2:]) <= 6
    assert to_gray(BLANK).shape == (240, 320)


@pytest.mark.parametrize(
    ("options", "has_matte"),
    [
        ({}, False),
        ({"smooth": True}, False),
        ({"photometric": True}, True),
        ({"photometric": True, "occlusion": False}, False),
        ({"occlusion": True}, True),
    ],
)
def test_skin_is_followed_where_it_is_seen_unless_told_otherwise(
    make_tracker, portrait, options, has_matte
):
    with make_tracker(faces=1, details=False, **options) as tracker:
        (face,) = tracker(portrait.frame())
    assert (face.matte is not None) == has_matte
