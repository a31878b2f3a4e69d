"""Whose face it is after cuts and losses: ids of two heads, one of them tinted."""

import cv2
import numpy as np
import pytest
from fixtures.two_heads import tinted

from facewarp.face.tracking.identities import Identities


@pytest.fixture
def identities(template):
    return Identities(2, template.landmarks, lambda: None)


FRAME = np.full((480, 640, 3), 108, np.uint8)


def test_ids_count_up_and_start_anew(identities, face_at):
    for _ in range(2):
        for x in (160, 480):
            identities.take(face_at((x, 240)), FRAME, 0.0)
        assert [face.id for face in identities.faces] == identities.entered == [0, 1]
        identities.reset()
        assert identities.faces == identities.entered == []


def test_a_lost_face_resumes_its_id_where_it_was(identities, face_at):
    for x in (160, 480):
        identities.take(face_at((x, 240)), FRAME, 0.0)
    identities.tracks[1].lose()
    identities.entered = []
    identities.take(face_at((475, 240)), FRAME, 0.1)
    assert identities.entered == [1]
    assert len(identities.followed) == 2


def test_the_longest_lost_makes_room_for_another(identities, face_at):
    for x in (100, 300):
        identities.take(face_at((x, 240), side=60.0), FRAME, 0.0)
    for track in identities.tracks:
        track.lose()
    identities.tracks[1].seen = 0.05
    identities.take(face_at((600, 240), side=60.0), FRAME, 0.1)
    assert [face.id for face in identities.faces] == [1, 2]


def test_of_two_tracks_of_one_face_the_more_surprising_is_lost(identities, face_at):
    for x in (300, 310):
        identities.take(face_at((x, 240)), FRAME, 0.0)
    identities.tracks[0].surprise = 0.3
    identities.lose_duplicates()
    assert [track.face.id for track in identities.followed] == [1]


def test_faces_are_forgotten_after_their_time(identities, face_at):
    identities.take(face_at(), FRAME, 0.0)
    identities.tracks[0].lose()
    identities.forget(5.0, remember_s=5.0)
    assert len(identities.tracks) == 1
    identities.forget(5.1, remember_s=5.0)
    assert identities.tracks == []


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
    identities = tracker._identities
    read, reader = [], identities._appearance
    identities._appearance = lambda image, points, _: read.append(points) or reader(image, points)
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


def mirrored(frame):
    return np.ascontiguousarray(frame[:, ::-1])


def test_faces_that_a_cut_swaps_are_known_in_its_first_frame(scene, portrait, tracker):
    def shown(plain, other):
        frame = mirrored(scene(other=479 - other))
        portrait.draw(frame, (plain, 120), 0.8)
        return frame

    for n in range(4):
        before = places(tracker(shown(plain=120, other=360), n / 25))
    after = places(tracker(shown(plain=374, other=134), 4 / 25))
    assert after == {i: pytest.approx(480 - at, abs=20) for i, at in before.items()}


def test_who_is_back_after_a_cut_is_known_in_its_first_frame(scene, tracker):
    plain, other = scene(plain=240), mirrored(scene(other=240))
    shown = [plain] * 4 + [other] * 4 + [plain]
    ids = [set(places(tracker(frame, n / 25))) for n, frame in enumerate(shown)]
    assert ids[-2:] == [{1}, {0}]


def test_of_faces_found_together_the_likest_is_known_first(identities, face_at):
    frame = np.full((480, 640, 3), (150, 110, 90), np.uint8)
    identities.take(face_at((160, 240)), frame, 0.0)
    identities.tracks[0].lose()
    identities.note_cut(0.2)
    frame[:, :320, 0] = 158  # somebody a little redder where the face was
    identities.take_all([face_at((160, 240)), face_at((480, 240))], frame, 0.2)
    assert places(identities.faces) == {
        0: pytest.approx(480, abs=12),
        1: pytest.approx(160, abs=12),
    }


def test_a_track_resumed_by_its_place_gives_back_what_was_anothers(identities, face_at):
    frame = np.full((480, 640, 3), (150, 110, 90), np.uint8)
    identities.take(face_at((160, 240)), frame, 0.0)
    (track,) = identities.tracks
    track.lose()
    identities.take(face_at((20, 240)), frame, 0.1)  # cut off by the edge: it looks like nobody
    assert [face.id for face in identities.faces] == [0]
    identities.withdraw(track)
    last, since = identities.withdrawn[0]
    assert (last.landmarks[:, 0].mean(), since) == (pytest.approx(160, abs=12), 0.0)
    assert places(identities.faces) == {}


def test_who_is_seen_elsewhere_takes_a_doubted_track_along(identities, face_at):
    frame = np.full((480, 640, 3), (150, 110, 90), np.uint8)
    identities.take(face_at((160, 240)), frame, 0.0)
    (track,) = identities.tracks
    frame[:, :320] = tinted(frame)[:, :320]
    for time in (0.04, 0.08):
        identities.begin_frame()
        track.memory.is_sudden = True
        other = face_at((160, 240))
        assert not identities.is_exchanged(track, other, frame, time)
        track.move(other, time)
    identities.take(face_at((480, 240)), frame, 0.08)
    assert places(identities.faces) == {
        0: pytest.approx(480, abs=12),
        1: pytest.approx(160, abs=12),
    }
    assert identities.withdrawn[0][1] == 0.0


def test_a_lamp_that_comes_on_makes_nobody_the_one_who_left(identities, face_at, rng):
    """Lit like that the face has the colors of somebody who was there before."""
    tile = cv2.resize(rng.uniform(60, 160, (48, 20)), (200, 480))[..., None] * (1, 0.85, 0.8)
    frame = FRAME.copy()
    frame[:, :200], frame[:, 400:600] = tile * (1, 0.8, 0.7), tile
    for x in (100, 500):
        identities.take(face_at((x, 240)), frame, 0.0)
    gone, here = identities.tracks
    gone.lose()
    here.memory.has_jumped = True
    frame[:, 400:600] = tile * (1, 0.8, 0.7)
    assert identities.exchanged([(here, face_at((500, 240)))], frame) == []
    frame[:, 400:600] = tile[::-1] * (1, 0.8, 0.7)
    frame[:, :200] = tile[::-1] * (1, 0.8, 0.7)
    identities.tracks[0].memory.note(identities._appearance(frame, gone.face.landmarks), 0.1)
    assert identities.exchanged([(here, face_at((500, 240)))], frame) == [here]


def test_two_who_differ_as_in_other_light_are_told_apart_where_they_swap(identities, face_at, rng):
    tile = cv2.resize(rng.uniform(60, 160, (48, 20)), (200, 480))[..., None]
    frame = FRAME.copy()
    frame[:, :200], frame[:, 400:600] = tile * (1, 0.8, 0.7), tile * (1, 0.95, 0.9)
    faces = [face_at((x, 240)) for x in (100, 500)]
    for face in faces:
        identities.take(face, frame, 0.0)
    tracks = identities.tracks
    for track in tracks:
        track.memory.has_jumped = True
    pairs = list(zip(tracks, faces, strict=True))
    assert identities.exchanged(pairs, frame) == []
    swapped = frame.copy()
    swapped[:, :200] = frame[:, 400:600]
    swapped[:, 400:600] = frame[:, :200]
    identities.begin_frame()
    assert identities.exchanged(pairs, swapped) == tracks
