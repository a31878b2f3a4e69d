"""FaceTracker over time: identities, faces that come and go, and what the detector is asked."""

from dataclasses import replace

import numpy as np
import pytest

from facewarp.face.boxes import overlap
from facewarp.face.detector import Detection
from facewarp.face.tracking.registration import FaceRegistrar
from facewarp.face.tracking.track import TrackerConfig

BLANK = np.full((240, 320, 3), 108, np.uint8)


class Asked:
    """A detector that counts, or that has its own opinion."""

    def __init__(self, detector, answer=None):
        self.detector, self.answer, self.calls = detector, answer, []

    def cut_off(self, image):
        return None

    def detect(self, image, *, thorough=False, is_known=None):
        self.calls.append((image.shape[:2], thorough))
        if self.answer is not None:
            return self.answer
        return self.detector.detect(image, thorough=thorough)


class Doubting(FaceRegistrar):
    """Fits as well as ever, but is not as sure of it."""

    confidence = None

    def __init__(self, fitter):
        vars(self).update(vars(fitter))

    def register_refined(self, gray, crops, **options):
        faces = super().register_refined(gray, crops, **options)
        if self.confidence is None:
            return faces
        return [replace(face, confidence=self.confidence, state="uncertain") for face in faces]


def followed(faces):
    return {face.id: face for face in faces if face.state != "lost"}


# --- over time


def test_a_moving_face_keeps_its_id_and_its_points(tracker, portrait):
    at_rest = []
    for step in range(15):
        shift = np.array([6.0 * step, 2.0 * step])
        (face,) = tracker(portrait.frame((110, 100) + shift), step / 25)
        assert (face.id, face.state) == (0, "tracking")
        at_rest.append(face.landmarks - shift)
    error = np.linalg.norm(np.array(at_rest) - at_rest[0], axis=-1)
    assert error.mean() < 1.5


def test_a_jump_of_half_a_face_is_followed(make_tracker, portrait):
    tracker = make_tracker(faces=1)
    tracker(portrait.frame((130, 120)), 0.0)
    (face,) = tracker(portrait.frame((130 + 36, 120)), 0.04)
    assert (face.id, face.state) == (0, "tracking")
    np.testing.assert_allclose(face.landmarks.mean(0)[0], 166, atol=8)


def test_a_face_that_goes_is_lost_and_known_when_it_comes_back(tracker, portrait):
    (seen,) = tracker(portrait.frame(), 0.0)
    times = [0.04, 0.08, 0.12]
    states = [tracker(BLANK, time)[0] for time in times]
    assert states[-1].state == "lost"
    assert states[-1].confidence == 0
    np.testing.assert_array_equal(states[-1].landmarks, seen.landmarks)  # as last seen
    (back,) = tracker(portrait.frame((190, 100)), 1.0)
    assert (back.id, back.state) == (seen.id, "tracking")


def test_a_lost_face_is_forgotten_after_a_while(tracker, portrait):
    tracker(portrait.frame(), 0.0)
    assert len(tracker(BLANK, 0.04)) == 1
    assert tracker(BLANK, 6.0) == []
    (face,) = tracker(portrait.frame(), 6.1)
    assert face.id == 1


def test_a_face_far_from_where_one_was_just_lost_is_another(make_tracker, portrait):
    tracker = make_tracker(faces=1)
    tracker(portrait.frame((60, 60), 0.4), 0.0)
    (face,) = tracker(portrait.frame((260, 180), 0.4), 0.04)
    assert (face.id, face.state) == (1, "tracking")


def test_time_that_goes_back_starts_anew(tracker, portrait):
    for time in (5.0, 5.04):
        tracker(portrait.frame((60, 60), 0.4), time)
    faces = tracker(portrait.frame((260, 180), 0.4), 6.0)
    assert sorted(followed(faces)) == [1]
    (face,) = tracker(portrait.frame((260, 180), 0.4), 2.0)
    assert face.id == 0


def test_frames_without_times_are_a_video_too(tracker, portrait):
    tracker(portrait.frame())
    for _ in range(3):
        tracker(BLANK)
    for _ in range(130):
        faces = tracker(BLANK[:24, :32])
    assert faces == []  # more than five seconds


@pytest.mark.slow
def test_a_face_that_leaves_the_frame_is_lost_without_a_fuss(tracker, portrait):
    states = []
    for step in range(19):  # at the end it is outside
        faces = tracker(portrait.frame((160 - 12 * step, 120)))
        assert len(faces) == 1
        assert faces[0].id == 0
        assert np.isfinite(faces[0].landmarks).all()
        states.append(faces[0].state)
    assert states[:8] == ["tracking"] * 8
    assert states[-1] == "lost"


# --- several


def test_two_moving_faces_keep_their_ids(tracker, portrait):
    orders = []
    for step in range(10):
        frame = BLANK.copy()
        portrait.draw(frame, (70 + 2 * step, 110), 0.45)
        portrait.draw(frame, (250 - step, 90 + 4 * step), 0.45, mirrored=True)
        faces = tracker(frame, step / 25)
        assert [face.id for face in faces] == [0, 1]
        assert all(face.state == "tracking" for face in faces)
        orders.append(faces[0].landmarks.mean(0)[0] < faces[1].landmarks.mean(0)[0])
    assert len(set(orders)) == 1


def test_no_more_faces_than_wanted(make_tracker, portrait):
    frame = BLANK.copy()
    for x in (55, 160, 265):
        portrait.draw(frame, (x, 120), 0.45)
    assert len(make_tracker(faces=2)(frame)) == 2
    assert len(make_tracker(config=TrackerConfig(faces=3))(frame)) == 3


def test_small_faces_beside_a_large_one_are_found_in_the_first_frame(tracker, portrait):
    frame = portrait.frame((200, 250), 1.6, size=(720, 480))
    portrait.draw(frame, (600, 120), 0.35)
    faces = tracker(frame, 0.0)
    assert len(faces) == 2
    assert all(face.state == "tracking" for face in tracker(frame, 0.04))


@pytest.mark.slow
def test_two_tracks_never_follow_one_face(tracker, portrait):
    for step in range(24):
        frame = BLANK.copy()
        portrait.draw(frame, (230, 120), 0.6)
        portrait.draw(frame, (75 + 8 * min(step, 19), 118), 0.6)  # comes to stand before it
        faces = list(followed(tracker(frame, step / 25)).values())
        boxes = [face.box for face in faces]
        assert len(boxes) < 2 or overlap(*boxes) < 0.36
    assert len(faces) == 1


# --- asking the detector


def test_a_sure_face_is_not_looked_for_again(make_tracker, detector, portrait):
    asked = Asked(detector)
    tracker = make_tracker(faces=1, detector=asked)
    for step in range(6):
        tracker(portrait.frame((150 + 3 * step, 120)), step / 5)
    assert len(asked.calls) == 1
    tracker(BLANK, 2.0)
    assert len(asked.calls) > 1
    assert tracker(portrait.frame(), 2.04)[0].state == "tracking"


def test_further_faces_are_looked_for_now_and_then(make_tracker, detector, portrait):
    asked = Asked(detector)
    tracker = make_tracker(faces=3, detector=asked)
    for step in range(11):
        tracker(portrait.frame(), step / 10)
    assert [thorough for _, thorough in asked.calls] == [True, False, False]


def test_an_empty_frame_is_searched_thoroughly_now_and_then(make_tracker, detector):
    asked = Asked(detector, answer=[])
    tracker = make_tracker(faces=1, detector=asked)
    for step in range(20):
        tracker(BLANK, step / 10)
    assert [i for i, (_, thorough) in enumerate(asked.calls) if thorough is None] == [0, 15]


def test_no_detection_is_taken_for_a_face_unseen(make_tracker, detector, rng):
    center, keypoints = np.array([160.0, 120.0]), rng.uniform(100, 140, (6, 2))
    keypoints[:2] = [(140, 110), (180, 110)]
    false = Detection.around(center, 90.0, 0.9, keypoints)
    tracker = make_tracker(detector=Asked(detector, answer=[false]))
    assert tracker(BLANK) == []
    assert tracker(rng.integers(0, 256, BLANK.shape, dtype=np.uint8)) == []


def test_a_doubtful_face_is_followed_while_the_detector_sees_it(
    make_tracker, detector, fitter, portrait
):
    asked = Asked(detector)
    tracker = make_tracker(faces=1, detector=asked)
    tracker._fitter = doubting = Doubting(fitter)
    tracker(portrait.frame(), 0.0)
    doubting.confidence = 0.3
    for step in range(1, 6):
        (face,) = tracker(portrait.frame(), step / 25)
        assert face.state == "uncertain"
    windows = [shape for shape, _ in asked.calls[1:]]
    assert len(windows) == 5
    assert all(height < 240 and width < 320 for height, width in windows)  # it looks nearby


def test_a_doubtful_face_that_the_detector_does_not_see_is_lost(
    make_tracker, detector, fitter, portrait
):
    asked = Asked(detector)
    tracker = make_tracker(faces=1, detector=asked)
    tracker._fitter = doubting = Doubting(fitter)
    tracker(portrait.frame(), 0.0)
    doubting.confidence, asked.answer = 0.3, []
    states = [tracker(portrait.frame(), step / 25)[0].state for step in range(1, 5)]
    assert states == ["uncertain", "uncertain", "lost", "lost"]
    doubting.confidence, asked.answer = None, None
    assert tracker(portrait.frame(), 0.3)[0].state == "tracking"


def test_what_fits_nothing_is_lost_at_once(make_tracker, fitter, portrait):
    tracker = make_tracker(faces=1)
    tracker._fitter = doubting = Doubting(fitter)
    tracker(portrait.frame(), 0.0)
    doubting.confidence = 0.1
    (face,) = tracker(portrait.frame(), 0.04)
    assert (face.id, face.state, face.confidence) == (0, "lost", 0)
