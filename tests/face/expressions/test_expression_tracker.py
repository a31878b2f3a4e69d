"""Expression values: sides, neutral, range, lag; on made faces and a portrait."""

from dataclasses import replace
from importlib.resources import files

import cv2
import numpy as np
import pytest
from fixtures.mirror import mirrored_face

from facewarp.face.expressions.arkit import BY_GAZE, EXPRESSIONS, UNSEEN, ExpressionModel
from facewarp.face.expressions.expression_tracker import ExpressionTracker
from facewarp.face.expressions.gaze import eye_turns
from facewarp.face.expressions.measures import NAMES, mirrored
from facewarp.face.expressions.rows import COLUMNS, rows_of
from facewarp.face.face import template_to_frame
from facewarp.face.parts import FacePart
from facewarp.media.frames import Frame


@pytest.fixture
def expressions(template):
    return ExpressionTracker(template)


@pytest.fixture
def image():
    return np.full((480, 640, 3), 128, np.uint8)


def moved(face_at, points, by, **changes):
    """A face whose landmarks are moved by some template px."""
    face = face_at(**changes)
    landmarks = face.landmarks.copy()
    landmarks[points] += np.asarray(by) * face.crop.scale
    return replace(face, landmarks=landmarks)


def with_shut_eye(face_at, template, eye, part):
    """A face of which one eye is shut: landmarks, field and the network's part agree."""
    lids = [eye + 1, eye + 2, eye + 5, eye + 4]  # above, then what is below each
    y, x = np.mgrid[2:320:4, 2:260:4]
    back = np.zeros((2, 80, 65), np.float32)
    for upper, lower in zip(lids[:2], lids[2:], strict=True):
        (px, py), fall = template.landmarks[upper], np.subtract(*template.landmarks[[lower, upper]])
        bump = np.exp(-(np.square((x - px) / 7) + np.square((y - py + 1) / 5)) / 2)
        back[1] = np.maximum(back[1], fall[1] * bump)
    soft = np.stack([cv2.resize(p, (65, 80), interpolation=cv2.INTER_AREA)
                     for p in template.probabilities])  # fmt: skip
    open_face = face_at(probabilities=soft)
    seen = soft.copy()
    seen[part] *= 0.3
    shut = face_at(back=back, probabilities=seen)
    return open_face, replace(shut, landmarks=template_to_frame(shut, template.landmarks))


def after_neutral(expressions, image, neutral, face):
    expressions(image, [neutral], 0.0)
    expressions.set_neutral()
    for frame in range(1, 4):
        (told,) = expressions(image, [face], frame / 30)
    return told


# --- names


def test_there_are_the_52_names_of_arkit():
    assert len(EXPRESSIONS) == len(set(EXPRESSIONS)) == 52
    assert {"jawOpen", "tongueOut", "browInnerUp", "mouthSmileLeft"} <= set(EXPRESSIONS)
    assert set(EXPRESSIONS) >= UNSEEN | BY_GAZE


def test_measurements_are_mirrored_to_and_fro(rng):
    some = rng.normal(size=(3, len(NAMES)))
    np.testing.assert_allclose(mirrored(mirrored(some)), some)
    assert not np.allclose(mirrored(some), some)


def test_weights_treat_both_sides_alike(rng):
    model, some = ExpressionModel.load(), rng.normal(size=len(NAMES))
    swap = [
        EXPRESSIONS.index(name.replace("Left", "#").replace("Right", "Left").replace("#", "Right"))
        for name in EXPRESSIONS
    ]
    here, there = model.weights @ some, (model.weights @ mirrored(some[None])[0])[swap]
    np.testing.assert_allclose(there, here, atol=1e-3 * np.abs(here).max())


# --- neutral, sides, what is not seen


def test_a_neutral_face_has_no_expression(expressions, image, face_at):
    told = after_neutral(expressions, image, face_at(), face_at())
    assert told.calibrated
    np.testing.assert_allclose(told.values, 0, atol=1e-6)


def test_a_neutral_holds_wherever_the_head_goes(expressions, image, face_at):
    far = face_at(center=(260, 220), side=110, roll=0.2)
    told = after_neutral(expressions, image, face_at(), far)
    assert told.values.max() < 0.12


@pytest.mark.parametrize(("eye", "part", "side", "other"), [
    (36, FacePart.EYE_LEFT, "Right", "Left"), (42, FacePart.EYE_RIGHT, "Left", "Right"),
])  # fmt: skip
def test_a_wink_is_told_of_the_subjects_own_side(
    expressions, image, template, face_at, eye, part, side, other
):
    told = after_neutral(expressions, image, *with_shut_eye(face_at, template, eye, part))
    assert told[f"eyeBlink{side}"] > 0.25
    assert told[f"eyeBlink{other}"] < 0.1


def test_a_corner_of_the_mouth_at_the_images_left_is_the_right(expressions, image, face_at):
    smile = moved(face_at, [48, 60], (-8, -8))
    told = after_neutral(expressions, image, face_at(), smile)
    assert told["mouthSmileRight"] > told["mouthSmileLeft"] + 0.1


def test_an_open_mouth_opens_the_jaw_and_nothing_shuts_an_eye(expressions, image, face_at):
    lower = [5, 6, 7, 8, 9, 10, 11, *range(55, 60), 65, 66, 67]
    told = after_neutral(expressions, image, face_at(), moved(face_at, lower, (0, 18)))
    assert told["jawOpen"] > 0.3
    assert max(told["eyeBlinkLeft"], told["eyeBlinkRight"]) < 0.2


def test_brows_that_rise_are_told(expressions, image, face_at):
    up = moved(face_at, [*range(17, 27)], (0, -9))
    told = after_neutral(expressions, image, face_at(), up)
    assert min(told["browInnerUp"], told["browOuterUpLeft"], told["browOuterUpRight"]) > 0.2
    assert max(told["browDownLeft"], told["browDownRight"]) < 0.05


def test_what_is_not_seen_is_always_0(expressions, image, face_at, rng):
    for frame in range(10):
        wild = moved(face_at, slice(None), rng.normal(0, 8, (68, 2)))
        (told,) = expressions(image, [wild], frame / 30)
        assert all(told[name] == 0 for name in UNSEEN)
        assert told.values.min() >= 0
        assert told.values.max() <= 1
        if frame == 4:
            expressions.set_neutral()


def test_a_mirrored_portrait_swaps_left_and_right(make_tracker, template):
    path = files("facewarp.assets").joinpath("demo/portrait.png")
    image = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    with make_tracker(smooth=False) as tracker:
        (face,) = tracker(image, 0.0)
    here, there = ExpressionTracker(template), ExpressionTracker(template)
    (told,) = here(image, [face], 0.0)
    flipped = np.ascontiguousarray(image[:, ::-1])
    (other,) = there(flipped, [mirrored_face(face, image.shape[1])], 0.0)
    for name in EXPRESSIONS:
        twin = name.replace("Left", "#").replace("Right", "Left").replace("#", "Right")
        assert other[twin] == pytest.approx(told[name], abs=0.12), name
    assert other.pose.angles_deg[1] == pytest.approx(-told.pose.angles_deg[1], abs=1.5)
    assert other.gaze_deg[0][1] == pytest.approx(-told.gaze_deg[1][1], abs=4)


# --- gaze


def draw_eyes(image, landmarks, share):
    """Paint white eyes whose irises stand at a share of the way to the image's right."""
    for first in (36, 42):
        start, end = landmarks[first], landmarks[first + 3]
        width = float(np.linalg.norm(end - start))
        eye = np.rint(landmarks[first : first + 6] * 16).astype(np.int32)
        fine = np.full_like(image, 200)
        at = start + share * (end - start)
        cv2.circle(fine, np.rint(at * 16).astype(int).tolist(), round(0.19 * width * 16), (30,) * 3,
                   -1, cv2.LINE_AA, 4)  # fmt: skip
        mask = np.zeros(image.shape[:2], np.uint8)
        cv2.fillPoly(mask, [eye], 1, shift=4)
        image[mask > 0] = fine[mask > 0]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
@pytest.mark.parametrize("side", [120.0, 300.0])
def test_an_iris_off_the_middle_is_a_turned_eye(face_at, share, side):
    face = face_at(side=side)
    landmarks = face.landmarks.copy()
    for lids, by in (((37, 38, 43, 44), -4), ((40, 41, 46, 47), 4)):
        landmarks[list(lids), 1] += by * face.crop.scale  # wide open
    image = np.full((480, 640, 3), 150, np.uint8)
    draw_eyes(image, landmarks, share)
    wanted = np.degrees(np.arcsin((share - 0.5) / 0.4))
    for turn in eye_turns(image, landmarks):
        assert turn == pytest.approx(wanted, abs=6)


def test_eyes_that_are_too_small_or_outside_have_no_gaze(face_at):
    image = np.zeros((480, 640, 3), np.uint8)
    assert eye_turns(image, face_at(side=20).landmarks) == (None, None)
    assert eye_turns(image, face_at(center=(-10, 240)).landmarks)[1] is None


# --- time


def test_a_step_arrives_in_the_next_frame(expressions, image, face_at):
    lower = [5, 6, 7, 8, 9, 10, 11, *range(55, 60), 65, 66, 67]
    wide = moved(face_at, lower, (0, 18))
    expressions(image, [face_at()], 0.0)
    expressions.set_neutral()
    for frame in range(1, 20):
        expressions(image, [face_at()], frame / 30)
    (first,) = expressions(image, [wide], 20 / 30)
    for frame in range(21, 40):
        (settled,) = expressions(image, [wide], frame / 30)
    assert first["jawOpen"] > 0.9 * settled["jawOpen"] > 0.3


@pytest.mark.parametrize("rise", [-4, -9])
def test_brows_that_rise_arrive_within_two_frames(template, image, face_at, rise):
    last, told = {}, {}
    for smooth in (True, False):
        tracker = ExpressionTracker(template, smooth=smooth)
        tracker(image, [face_at()], 0.0)
        tracker.set_neutral()
        for frame in range(1, 20):
            shown = rise * np.clip((frame - 9) / 3, 0, 1)  # in three frames
            face = moved(face_at, [*range(17, 27)], (0, shown))
            (one,) = tracker(image, [face], frame / 30)
            told[smooth, frame] = one["browInnerUp"]
        last[smooth] = told[smooth, 19]
    assert last[True] == pytest.approx(last[False], rel=0.1)
    assert told[True, 10] < told[False, 10] + 1e-9  # nothing runs ahead
    assert told[True, 13] > 0.5 * last[False]
    assert told[True, 14] > 0.8 * last[False] > 0.05


def test_brows_at_rest_are_held_steadier_than_other_values(template, image, face_at, rng):
    told = {True: [], False: []}
    still, plain = ExpressionTracker(template), ExpressionTracker(template, smooth=False)
    for frame in range(60):
        face = moved(face_at, slice(None), rng.normal(0, 0.25, (68, 2)))
        for smooth, tracker in ((True, still), (False, plain)):
            (one,) = tracker(image, [face], frame / 30)
            told[smooth].append(one["browOuterUpLeft"])
    jitter = {k: np.abs(np.diff(v, 2)).mean() for k, v in told.items()}
    assert 0 < jitter[True] < 0.5 * jitter[False]


def test_noise_at_rest_is_damped(template, image, face_at, rng):
    still, plain = ExpressionTracker(template), ExpressionTracker(template, smooth=False)
    told = {True: [], False: []}
    for frame in range(60):
        face = moved(face_at, slice(None), rng.normal(0, 0.25, (68, 2)))
        for smooth, tracker in ((True, still), (False, plain)):
            (one,) = tracker(image, [face], frame / 30)
            told[smooth].append(one.values)
    jitter = {k: np.abs(np.diff(v, 2, axis=0)).mean() for k, v in told.items()}
    assert jitter[True] < 0.75 * jitter[False]


def test_a_lost_face_has_none_and_is_forgotten(expressions, image, face_at):
    assert expressions.set_neutral() is None
    expressions(image, [face_at()], 0.0)
    assert expressions.set_neutral() == 3
    assert expressions(image, [replace(face_at(), state="lost")], 0.1) == []
    (told,) = expressions(image, [face_at()], 0.2)
    assert told.calibrated
    (told,) = expressions(image, [face_at()], 60.0)
    assert not told.calibrated


def test_neutral_is_taken_from_the_largest_face(expressions, image, face_at):
    small, large = face_at(center=(120, 240), side=80, id=1), face_at(center=(420, 240), id=2)
    expressions(image, [small, large], 0.0)
    assert expressions.set_neutral() == 2


# --- the table


def test_rows_have_every_column_and_a_frame_without_a_face_one(expressions, image, face_at):
    frame = Frame(image, 0.5, 15)
    (row,) = rows_of(frame, expressions(image, [face_at()], 0.5))
    told = dict(zip(COLUMNS, row, strict=True))
    assert (told["frame"], told["time_s"], told["face"], told["calibrated"]) == (15, 0.5, 3, 0)
    assert 0 <= told["jawOpen"] <= 1
    assert told["head_z_cm"] < 0
    (empty,) = rows_of(frame, [])
    assert empty[:2] == [15, 0.5]
    assert set(empty[2:]) == {None}
    assert len(empty) == len(COLUMNS)
