"""What a registration's confidence is, and where its curve comes from."""

import copy

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.crop import Crop
from facewarp.face.crop_fields import warp_maps
from facewarp.face.parts import FacePart
from facewarp.face.tracking.confidence import (
    KEY,
    USUAL,
    Calibration,
    carried_dice,
    hard_dice,
    hard_parts,
)
from facewarp.face.tracking.registration import FaceRegistrar


def parts(ids, sureness=1.0):
    """Part ids (h, w) as probabilities (8, h, w), more or less sure."""
    onehot = np.moveaxis(np.eye(len(FacePart), dtype=np.float32)[ids], -1, 0)
    return (sureness * onehot + (1 - sureness) / len(FacePart)).astype(np.float32)


def agreement(ours, theirs):
    return hard_dice(hard_parts(ours), hard_parts(theirs))


@pytest.fixture
def ids():
    ids = np.zeros((8, 10), np.int64)
    ids[1:7, 1:9] = FacePart.FACE
    ids[2, 2:4], ids[2, 6:8] = FacePart.EYE_LEFT, FacePart.EYE_RIGHT
    ids[5, 3:7] = FacePart.MOUTH
    return ids


def test_agreement_is_one_for_the_same_labels_however_soft(ids):
    assert agreement(parts(ids), parts(ids)) == 1
    assert agreement(parts(ids, 0.9), parts(ids, 0.3)) == 1


def test_agreement_is_the_mean_dice_of_the_parts_that_are_there(ids):
    other = ids.copy()
    other[5, 3:7], other[5, 4:8] = FacePart.FACE, FacePart.MOUTH  # 3 of 4 pixels shared
    shared_face = (ids == FacePart.FACE) & (other == FacePart.FACE)
    face = 2 * shared_face.sum() / ((ids == FacePart.FACE).sum() + (other == FacePart.FACE).sum())
    expected = (face + 1 + 1 + 0.75) / 4
    assert agreement(parts(ids), parts(other)) == pytest.approx(expected)


def test_a_part_that_only_one_side_has_counts_against_it(ids):
    eyeless = np.where((ids == FacePart.EYE_LEFT) | (ids == FacePart.EYE_RIGHT), 1, ids)
    assert agreement(parts(ids), parts(eyeless)) < 0.6


def test_nothing_agrees_with_nothing():
    background = parts(np.zeros((8, 10), np.int64))
    assert agreement(background, background) == 0


def test_parts_are_carried_like_any_maps_and_beyond_the_crop_is_none(ids, rng):
    soft = rng.dirichlet(np.ones(len(FacePart)), (40, 32)).transpose(2, 0, 1).astype(np.float32)
    soft = np.stack([cv2.GaussianBlur(one, (0, 0), 2) for one in soft])
    template = parts(np.kron(ids, np.ones((5, 3), np.int64))[:, :30])
    template = np.pad(template, ((0, 0), (0, 0), (1, 1)), "edge")
    coarse = rng.normal(0, 9, (2, 4, 4)).astype(np.float32)
    field = np.stack([cv2.resize(one, (32, 40), interpolation=cv2.INTER_CUBIC) for one in coarse])
    carried = warp_maps(soft, field)
    y, x = np.mgrid[:40, :32] + field[::-1]
    beyond = (x < -0.5) | (x > 31.5) | (y < -0.5) | (y > 39.5)
    assert 0.1 < beyond.mean() < 0.9
    carried[:, beyond] = parts(np.zeros(1, np.int64))
    expected = agreement(carried, template)
    assert 0 < expected < 1
    assert carried_dice(soft, field, hard_parts(template)) == pytest.approx(expected, abs=1e-6)


def test_between_knots_lie_straight_lines():
    curve = Calibration(((0, 0), (0.5, 0.2), (1, 0.9)))
    assert curve(np.array([0, 0.25, 0.5, 0.75, 1])) == pytest.approx([0, 0.1, 0.2, 0.55, 0.9])


@pytest.mark.parametrize(
    "knots",
    [
        (),
        ((0, 0),),
        ((0, 0), (0.9, 1)),
        ((0.1, 0), (1, 1)),
        ((0, 0), (0.6, 0.5), (0.4, 0.6), (1, 1)),
        ((0, 0.3), (0.5, 0.2), (1, 1)),
        ((0, 0), (1, 1.2)),
        ((0, 0), (0.5, float("nan")), (1, 1)),
    ],
)
def test_what_is_no_rising_curve_from_0_to_1_is_refused(knots):
    with pytest.raises(ValueError, match="no rising curve"):
        Calibration(knots)


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "[[0, 0]]", '[["a", 1], [1, 1]]', "null"])
def test_a_damaged_curve_is_named(text, tmp_path):
    with pytest.raises(FacewarpError, match=r"no curve: .*face\.safetensors"):
        Calibration.from_text(text, tmp_path / "face.safetensors")


def test_weights_that_do_not_say_get_the_usual_curve(fitter):
    silent = copy.copy(fitter.model)
    silent.metadata = {k: v for k, v in fitter.model.metadata.items() if k != KEY}
    assert Calibration.of_model(silent).knots == USUAL


def test_the_shipped_weights_say_what_a_confidence_is_worth(fitter):
    curve = Calibration.of_model(fitter.model)
    assert curve.knots != USUAL
    assert curve(np.array([0.5, 0.95]))[0] < 0.2 < 0.75 < curve(np.array([0.5, 0.95]))[1]


def test_a_face_is_as_sure_as_its_model_says(fitter, portrait):
    frame, crop = portrait.frame(), Crop.around((160.0, 120.0), 90.0)
    model = copy.copy(fitter.model)
    fitters = []
    for top in (0.25, 1.0):
        model.metadata = {KEY: f"[[0, 0], [1, {top}]]"}
        fitters.append(FaceRegistrar(fitter.template, model, "cpu", fitter.sure))
    found, same = (f.register(frame, [crop])[0] for f in fitters)
    assert found.confidence == pytest.approx(same.confidence / 4)
    assert (found.state, same.state) == ("uncertain", "tracking")
