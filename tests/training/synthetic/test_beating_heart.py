from dataclasses import replace

import numpy as np
import pytest

from facewarp.cardiac.parts import HeartPart
from facewarp.training.synthetic.beating_heart import (
    BeatingHeart,
    beating_cine,
    beating_labels,
    stack_place,
)

HEART = BeatingHeart()


def grid(step_mm):
    """Points of the heart's surroundings, and what one of them stands for in ml."""
    x = np.arange(-70, 45, step_mm) + step_mm / 2
    z = np.arange(0, 92, step_mm) + step_mm / 2
    points = np.stack(np.meshgrid(x, x, z, indexing="ij"), axis=-1)
    return points, step_mm**3 / 1000


@pytest.mark.parametrize("contraction", [0.0, 0.4, 1.0])
def test_counted_volumes_are_those_of_the_formulas(contraction):
    points, ml = grid(2.0)
    counts = np.bincount(HEART.parts(HEART.unmoved(points, contraction)).ravel(), minlength=4)
    assert counts[HeartPart.LV] * ml == pytest.approx(HEART.lv_ml(contraction), rel=0.01)
    wall = HEART.myocardium_ml(contraction)
    assert counts[HeartPart.MYOCARDIUM] * ml == pytest.approx(wall, rel=0.01)
    assert counts[HeartPart.RV] * ml == pytest.approx(HEART.rv_ml(contraction, 1.0), rel=0.01)


def test_ejection_fraction_is_the_configured_one():
    assert HEART.ejection_fraction == pytest.approx(100 * (1 - 0.72**2 * 0.88))
    still = replace(HEART, narrowing=0.0, shortening=0.0)
    assert still.ejection_fraction == 0


@pytest.mark.parametrize("contraction", [0.0, 0.5, 1.0])
def test_motion_and_its_inverse_undo_each_other(contraction, rng):
    points = rng.uniform(-80, 80, (5000, 3)) + [0, 0, 40]
    there = HEART.moved(points, contraction)
    np.testing.assert_allclose(HEART.unmoved(there, contraction), points, atol=1e-9)
    assert (np.abs(there - points).max() < 1e-9) == (contraction == 0)


def test_motion_is_continuous(rng):
    points = rng.uniform(-80, 80, (5000, 3)) + [0, 0, 40]
    points = points[points[:, 2] > 1]
    nearby = points + rng.normal(0, 1e-4, points.shape)
    moved = HEART.moved(nearby, 1.0) - HEART.moved(points, 1.0)
    ratio = np.linalg.norm(moved, axis=1) / np.linalg.norm(nearby - points, axis=1)
    assert ratio.max() < 8


def test_a_cycle_begins_at_rest_and_contracts_once():
    curve = HEART.contraction(25)
    assert curve[0] == 0
    assert curve.max() == pytest.approx(1.0, abs=0.01)
    peak = int(curve.argmax())
    assert (np.diff(curve[: peak + 1]) > 0).all()
    assert (np.diff(curve[peak:]) < 0).all()
    assert curve.min() >= 0


@pytest.mark.slow
def test_a_scan_shows_bright_blood_and_a_dark_wall():
    cine = beating_cine(phases=3, shape=(6, 60, 60), spacing_mm=(3.0, 3.0, 12.0))
    assert cine.images.shape == cine.labels.shape == (3, 6, 60, 60)
    means = [cine.images[0][cine.labels[0] == part].mean() for part in HeartPart]
    assert min(means[HeartPart.LV], means[HeartPart.RV]) > 0.6
    assert means[HeartPart.MYOCARDIUM] < 0.4
    again = beating_cine(phases=3, shape=(6, 60, 60), spacing_mm=(3.0, 3.0, 12.0))
    np.testing.assert_array_equal(cine.images, again.images)


def test_labels_of_a_stack_have_the_hearts_volume():
    shape, spacing = (9, 90, 90), (2.0, 2.0, 10.0)
    labels = beating_labels(HEART, np.array([0.0, 1.0]), shape, stack_place(shape, spacing))
    for phase, contraction in enumerate((0.0, 1.0)):
        counted = (labels[phase] == HeartPart.LV).sum() * 0.04
        assert counted == pytest.approx(HEART.lv_ml(contraction), rel=0.015)
