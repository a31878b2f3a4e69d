"""FaceTracker on the shipped portrait, drawn into frames where and how a test wants it."""

import copy
import math
import pickle
from threading import current_thread

import numpy as np
import pytest
import torch

from facewarp.core import fields
from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.errors import FacewarpError
from facewarp.face.crop import eye_roll
from facewarp.face.parts import FacePart
from facewarp.face.tracking import registration as registration_module
from facewarp.face.tracking.track import TrackerConfig
from facewarp.face.tracking.tracker import FaceTracker

EYES = (slice(36, 42), slice(42, 48))
MOUTH = slice(48, 60)
BLANK = np.full((240, 320, 3), 108, np.uint8)


def on_portrait(points, matrix):
    """Points of a frame in px of the portrait."""
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


# --- where the face is


@pytest.mark.parametrize("scale", [0.3, 0.8, 2.0])
def test_a_face_is_found_where_it_is(tracker, portrait, scale):
    size = (round(400 * scale), round(300 * scale))
    frame = np.full((size[1], size[0], 3), 108, np.uint8)
    matrix = portrait.draw(frame, (200 * scale, 140 * scale), scale)
    (face,) = tracker(frame)
    assert (face.id, face.state) == (0, "tracking")
    assert face.confidence > 0.8
    assert face.folds_percent < 1
    points = on_portrait(face.landmarks, matrix)
    np.testing.assert_allclose([points[eye].mean(0) for eye in EYES], portrait.EYES, atol=5)
    np.testing.assert_allclose(points[MOUTH].mean(0), portrait.MOUTH, atol=6)
    np.testing.assert_allclose(points[8], portrait.CHIN, atol=10)
    np.testing.assert_allclose(points.mean(0), portrait.MIDDLE, atol=15)
    assert (face.box[0], face.box[3]) == (face.landmarks[:, 0].min(), face.landmarks[:, 1].max())


def test_the_detector_and_the_landmarks_mean_the_same_face(tracker, detector, portrait):
    frame = portrait.frame()
    (detection,) = detector.detect(frame)
    (face,) = tracker(frame)
    center, side = detection.square()
    x0, y0, x1, y1 = face.box
    assert np.linalg.norm(center - ((x0 + x1) / 2, (y0 + y1) / 2)) < 0.12 * side
    assert max(x1 - x0, y1 - y0) == pytest.approx(side, rel=0.2)


def test_landmarks_lie_as_in_a_face(tracker, portrait):
    (face,) = tracker(portrait.frame())
    points = face.landmarks
    left, right = (points[eye].mean(0) for eye in EYES)
    assert points[17:22, 0].mean() < points[27, 0] < points[22:27, 0].mean()
    assert left[0] < points[30, 0] < right[0]
    assert left[1] < points[30, 1] < points[MOUTH, 1].mean() < points[8, 1]
    assert (np.diff(points[:9, 1]) > 0).all()  # down the jaw to the chin
    assert (np.diff(points[4:13, 0]) > 0).all()  # and along it


@pytest.mark.parametrize("degrees", [-30, 30])
def test_a_rolled_face_is_followed_as_well_as_an_upright_one(tracker, portrait, degrees):
    upright = tracker(portrait.frame())[0]
    tracker.reset()
    frame = BLANK.copy()
    matrix = portrait.draw(frame, (160, 120), 0.8, degrees)
    for _ in range(2):
        (face,) = tracker(frame)
        assert face.state == "tracking"
    turn = math.degrees(eye_roll(face.landmarks) - eye_roll(upright.landmarks))
    assert turn == pytest.approx(degrees, abs=3)
    points = on_portrait(face.landmarks, matrix)
    np.testing.assert_allclose([points[eye].mean(0) for eye in EYES], portrait.EYES, atol=5)


@pytest.mark.parametrize("kind", ["rgba", "16 bit", "float", "grey", "grey with a channel"])
def test_the_kind_of_picture_does_not_matter(tracker, portrait, kind):
    frame = portrait.frame()
    expected = tracker(frame)[0].landmarks
    gray = np.rint(frame @ (0.299, 0.587, 0.114)).astype(np.uint8)
    same = {
        "rgba": np.dstack([frame, np.full(frame.shape[:2], 7, np.uint8)]),
        "16 bit": frame.astype(np.uint16) * 257,
        "float": frame / 255.0,
        "grey": gray,
        "grey with a channel": gray[..., None],
    }[kind]
    tracker.reset()
    (face,) = tracker(same)
    # BlazeFace looks at colours: in grey its boxes, and with them the crop, are a little others.
    np.testing.assert_allclose(face.landmarks, expected, atol=1.5 if "grey" in kind else 0.01)


@pytest.mark.parametrize("shape", [(8, 8, 3), (1, 300, 3), (300, 1), (240, 320, 3)])
def test_frames_without_a_face_have_none(tracker, rng, shape):
    assert tracker(np.zeros(shape, np.uint8)) == []
    assert tracker(rng.integers(0, 256, shape, dtype=np.uint8)) == []


def test_a_face_half_out_of_the_frame_does_not_break_anything(tracker, portrait):
    for at in [(4, 120), (316, 120), (160, -2), (160, 238)]:
        for face in tracker(portrait.frame(at), 0.0):
            assert np.isfinite(face.landmarks).all()
            assert np.isfinite(face.field).all()
        tracker.reset()


# --- the two fields


def test_the_fields_undo_each_other_within_the_face(tracker, portrait):
    (face,) = tracker(portrait.frame(size=(400, 300), at=(200, 150)))
    there, back = (
        torch.from_numpy(field)[None] for field in (face.field, face.field_from_template)
    )
    labels = torch.from_numpy(tracker.template.probabilities)[None]
    inside = fields.warp(labels, there)[0, FacePart.BACKGROUND].numpy() < 0.3
    residual = fields.compose(back, there)[0].norm(dim=0).numpy()
    assert np.median(residual[inside]) < 4
    assert np.percentile(residual[inside], 95) < 12


def test_labels_carried_by_the_field_lie_on_the_landmarks(tracker, portrait):
    (face,) = tracker(portrait.frame())
    labels = torch.from_numpy(tracker.template.labels.astype(np.int64))[None]
    carried = fields.warp_labels(labels, torch.from_numpy(face.field)[None], len(FacePart))[0]
    points = face.crop.to_crop(face.landmarks)
    at = {
        FacePart.EYE_LEFT: points[EYES[0]].mean(0),
        FacePart.EYE_RIGHT: points[EYES[1]].mean(0),
        FacePart.BROW_LEFT: points[19],
        FacePart.BROW_RIGHT: points[24],
        FacePart.NOSE: points[29],
        FacePart.MOUTH: points[[51, 57]].mean(0),
        FacePart.FACE: points[[27, 8]].mean(0) * 0.3 + points[8] * 0.7,
    }
    found = {part: carried[round(y), round(x)].item() for part, (x, y) in at.items()}
    assert found == {part: part.value for part in at}
    seen = face.probabilities.argmax(0)
    assert seen.shape[0] / seen.shape[1] == pytest.approx(320 / 260, rel=0.02)


# --- the tracker itself


def test_registering_a_crop_follows_nothing(tracker, portrait):
    frame = portrait.frame()
    (face,) = tracker(frame)
    tracker.reset()
    alone = tracker.register(frame, face.crop)
    assert alone.id == -1
    np.testing.assert_allclose(alone.landmarks, face.landmarks, atol=1e-6)
    assert tracker(BLANK) == []


def test_only_a_detector_of_its_own_is_closed(make_tracker, detector, portrait):
    with make_tracker(detector=detector) as borrowing:
        borrowing(BLANK)
    assert len(detector.detect(portrait.frame())) == 1
    with make_tracker(detector=None) as owning:
        assert owning._detector is not detector
    owning.close()


def test_in_a_pipeline_the_detector_gets_ready_in_a_thread(make_tracker, detector, monkeypatch):
    ready = []
    monkeypatch.setattr(registration_module, "share_cores", lambda *_, **__: None)
    monkeypatch.setattr(type(detector), "warm_up", lambda self: ready.append(current_thread()))
    make_tracker(in_pipeline=True).close()
    assert len(ready) == 1
    assert ready[0] is not current_thread()


def test_a_detector_that_is_not_ready_is_asked(make_tracker, detector, portrait, monkeypatch):
    def fail(self):
        raise RuntimeError("no memory")

    monkeypatch.setattr(registration_module, "share_cores", lambda *_, **__: None)
    monkeypatch.setattr(type(detector), "warm_up", fail)
    frame = portrait.frame(size=(320, 240), at=(160, 120), scale=0.5)
    with make_tracker(in_pipeline=True) as tracker:
        assert len(tracker(frame)) == 1


@pytest.mark.parametrize("send", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_tracker_that_is_sent_elsewhere_says_what_to_do(tracker, send):
    with pytest.raises(TypeError, match="make one in each process"):
        send(tracker)


@pytest.mark.parametrize(
    "options", [{"faces": 0}, {"faces": 1.5}, {"config": TrackerConfig(faces=-1)}]
)
def test_no_face_to_follow_is_refused(make_tracker, options):
    with pytest.raises(FacewarpError, match="at least one face"):
        make_tracker(**options)


@pytest.mark.parametrize(
    "wrong", [{"kind": "heart", "classes": ("background", "cavity")}, {"grid_shape": (64, 52)}]
)
def test_a_model_that_is_not_for_face_crops_is_refused(fitter, detector, wrong):
    step = StepConfig(channels=(8,), strides=(), control_level=0, box=3)
    config = ModelConfig(
        **{"classes": fitter.model.config.classes, **wrong},
        input_shape=(32, 26),
        field_shape=(32, 26),
        features=FeatureConfig(channels=(4, 8), strides=(2,), decoder=()),
        steps=(step,),
    )
    model = Model(GuidedRegistration(config))
    with pytest.raises(FacewarpError, match="not for face crops"):
        FaceTracker(fitter.template, model, detector=detector)


@pytest.mark.parametrize("time", [float("nan"), float("inf")])
def test_times_that_are_no_number_are_told(tracker, time):
    with pytest.raises(FacewarpError, match="a frame's time is"):
        tracker(BLANK, time)


def test_unknown_names_are_told(detector):
    with pytest.raises(FacewarpError, match="no template is called 'nobody'"):
        FaceTracker("nobody", detector=detector)
    with pytest.raises(FacewarpError, match="no model is called 'nothing'"):
        FaceTracker(model="nothing", detector=detector)
    with pytest.raises(FacewarpError, match="no device 'abacus' here"):
        FaceTracker(device="abacus", detector=detector)


def test_a_face_twice_as_high_as_the_frame_is_found(portrait, make_tracker):
    frame = np.full((480, 480, 3), 108, np.uint8)
    portrait.draw(frame, (240, 240), 2 * 480 / 130)
    (face,) = make_tracker()(frame, 0.0)
    assert face.state == "tracking"
    assert np.ptp(face.landmarks[:, 1]) > 1.2 * 480
