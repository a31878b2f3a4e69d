"""Paint stops at eyes, teeth and whatever lies before the face."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from fixtures.detail_shares import closely, eyes

from facewarp.face.effects.factory import make_effect
from facewarp.face.parts import FacePart
from facewarp.face.rendering.occlusion import EYES, Visibility, covers, open_mouth

ORANGE = (250, 120, 10)


@pytest.fixture
def parts(template):
    """What the network sees of a face that lies in its crop as the template does."""
    return template.probabilities[:, 2::4, 2::4].copy()


@pytest.fixture
def see(template):
    return Visibility(template)


def test_the_skin_of_a_face_in_plain_sight_is_seen_whole(see, template, face_at, parts):
    seen = see(face_at(probabilities=parts))
    skin = template.probabilities[[FacePart.FACE, FacePart.NOSE]].sum(0) > 0.98
    assert seen[skin].mean() > 250
    assert seen.shape == (320, 260)


def test_eyes_are_left_alone_unless_glasses_cover_them(template, face_at, parts):
    eyes = template.probabilities[FacePart.EYE_LEFT] > 0.95
    face = face_at(probabilities=parts)
    assert Visibility(template)(face)[eyes].mean() < 40
    assert Visibility(template, spare_eyes=False)(face)[eyes].mean() > 250


@pytest.mark.parametrize("height", [0.0, 1.0, 9.0])
def test_eyes_are_painted_where_they_are_shut(template, face_at, parts, height):
    face = closely(face_at(probabilities=parts), height=height)
    seen = Visibility(template)(face)[template.probabilities[FacePart.EYE_LEFT] > 0.95].mean()
    assert seen < 40 if height > 5 else seen > 250


def test_an_eye_that_winks_is_painted_and_the_other_is_not(template, face_at, parts):
    face = closely(face_at(probabilities=parts))
    face.details.shares[1, :, 16:] = eyes(0.0)[:, 16:]
    left, right = (
        Visibility(template)(face)[template.probabilities[part] > 0.95].mean()
        for part in (FacePart.EYE_LEFT, FacePart.EYE_RIGHT)
    )
    assert left < 40
    assert right > 250


def test_what_hides_the_face_stays_before_it(see, face_at, parts):
    hidden = parts.copy()
    hidden[:, 41:53, 26:38] = 0
    hidden[FacePart.BACKGROUND, 41:53, 26:38] = 1
    seen = see(face_at(probabilities=hidden))
    assert seen[172:204, 112:144].max() < 60
    assert np.median(see(face_at(probabilities=parts))[172:204, 112:144]) > 240


def test_a_mask_is_not_cut_where_face_and_background_meet(see, face_at, parts):
    """A registration a few px off along the outline hides nothing."""
    moved = np.roll(parts, 1, axis=2)
    seen = see(face_at(probabilities=moved))
    parted = parts[FacePart.BACKGROUND].repeat(4, 0).repeat(4, 1)
    along = (parted > 0.2) & (parted < 0.8)
    assert seen[along].mean() > 230


def test_the_mouth_is_open_as_far_as_the_inner_lips_are_apart(face_at):
    face = face_at()
    closed = face.landmarks.copy()
    closed[[65, 66, 67]] = closed[[63, 62, 61]]
    assert not open_mouth(replace(face, landmarks=closed)).any()
    opened = face.landmarks.copy()
    opened[[65, 66, 67], 1] += 14 * face.crop.scale
    mask = open_mouth(replace(face, landmarks=opened))
    x, y = np.rint(face.crop.to_crop(opened[[62, 66]]).mean(axis=0)).astype(int)
    assert mask[y, x] > 0.95 * 255
    assert mask.sum() < 0.05 * 255 * mask.size


def test_what_is_round_between_landmarks_is_open_too(face_at):
    """Eight points of the inner lips are a polygon within a round mouth: outer teeth lie beside."""
    face = closely(face_at(), opening=24.0)
    opened = face.landmarks.copy()
    opened[[65, 66, 67], 1] += 16 * face.crop.scale
    face = replace(face, landmarks=opened)
    alone = open_mouth(replace(face, details=None))
    seen = open_mouth(face)
    assert (seen.astype(int) - alone).min() >= 0
    assert seen.sum() > 1.2 * alone.sum()
    # Where lips are, nothing is open, however wide the mouth is.
    x, y = np.rint(face.details.frames[0] @ (32, 27, 1)).astype(int)
    assert seen[y - 2, x] < 40


def test_textures_end_at_teeth(template, frame, face_at):
    rgba = np.full((320, 260, 4), (*ORANGE, 250), np.uint8)
    face = face_at(side=260.0)
    opened = face.landmarks.copy()
    opened[[65, 66, 67], 1] += 14 * face.crop.scale
    face = replace(face, landmarks=opened)
    x, y = np.rint(opened[[62, 66]].mean(axis=0)).astype(int)
    for blend, is_painted in (("paint", False), ("mask", True)):
        effect = make_effect("texture", texture=rgba, blend=blend, annotate=False)
        out = effect(frame, [face], template)
        assert (np.abs(out[y, x].astype(int) - frame[y, x]).sum() > 12) is np.bool_(is_painted)


def test_textures_that_cover_the_eyes_are_known(template):
    alpha = np.full((640, 520), 255, np.uint8)
    assert covers(alpha, template, EYES)
    alpha[200:320] = 0
    assert not covers(alpha, template, EYES)


@pytest.mark.parametrize(
    ("between", "is_mouth"),
    [
        ((170, 90, 85), False),
        ((40, 22, 20), True),
        ((165, 150, 140), True),
        ((230, 222, 205), True),
    ],
    ids=["lips", "dark", "teeth in the shade", "teeth"],
)
def test_lips_read_as_open_are_painted_where_they_are_seen_shut(face_at, between, is_mouth):
    """The template says that lips are 7 px apart; what the frame shows there decides."""
    face = face_at(side=160.0)  # one px of the crop is one of the frame
    lips = face.landmarks[48:]
    frame = np.full((480, 640, 3), (205, 150, 126), np.uint8)
    cv2.fillPoly(frame, [np.rint(lips[:12]).astype(np.int32)], (170, 90, 85))
    cv2.fillPoly(frame, [np.rint(lips[12:]).astype(np.int32)], between)
    inner = face.crop.to_crop(lips[12:])
    x, y = np.rint(inner[[2, 6]].mean(axis=0)).astype(int)
    assert open_mouth(face)[y, x] > 200
    seen = open_mouth(face, frame)[y, x]
    assert (seen > 150) if is_mouth else (seen < 80)


def test_a_tongue_in_a_wide_open_mouth_is_no_lip(face_at):
    face = face_at(side=160.0)
    face.landmarks[[65, 66, 67], 1] += 30
    face.landmarks[[55, 56, 57, 58, 59], 1] += 30
    frame = np.full((480, 640, 3), (170, 90, 85), np.uint8)
    np.testing.assert_array_equal(open_mouth(face, frame), open_mouth(face))
