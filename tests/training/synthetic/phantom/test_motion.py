"""The phantom's motion: it can be undone, keeps the wall's volume, and ejects what is asked."""

import numpy as np
import pytest

from facewarp.training.synthetic.phantom.motion import HeartMotion, Infarct

PLAIN = HeartMotion(ejection_fraction=58.0)
SCARRED = HeartMotion(ejection_fraction=40.0, infarct=Infarct((60.0, 120.0), (1 / 3, 2 / 3)))


def wall_points(motion, rng, count=4000):
    """Points in the wall, not on its edges nor at the level where the cavity ends."""
    z = rng.uniform(0.05, motion.end_mm - 0.05, count)
    z = z[np.abs(z - motion.length_mm) > 0.05]
    inner, outer = motion.inner_mm(z), motion.outer_mm(z)
    r = inner + (outer - inner) * rng.uniform(0.02, 0.98, len(z))
    angle = rng.uniform(0, 2 * np.pi, len(z))
    return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=-1)


@pytest.mark.parametrize("motion", [PLAIN, SCARRED], ids=["plain", "infarct"])
@pytest.mark.parametrize("contraction", [0.3, 1.0])
def test_motion_is_undone_everywhere(motion, contraction, rng):
    points = rng.uniform([-130, -130, -120], [130, 130, 200], (20000, 3))
    there = motion.moved(points, contraction)
    np.testing.assert_allclose(motion.unmoved(there, contraction), points, atol=1e-7)
    assert np.linalg.norm(there - points, axis=-1).max() > 2


@pytest.mark.parametrize("motion", [PLAIN, SCARRED], ids=["plain", "infarct"])
def test_the_wall_keeps_its_volume(motion, rng):
    """To a millionth, twist, shortening and an infarct included; nothing folds anywhere."""
    for contraction in (0.5, 1.0):
        wall = np.linalg.det(motion.gradient(wall_points(motion, rng), contraction))
        assert np.abs(wall - 1).max() < 1e-6
    points = rng.uniform([-130, -130, -120], [130, 130, 200], (20000, 3))
    everywhere = np.linalg.det(motion.gradient(points, 1.0))
    assert everywhere.min() > 0
    assert everywhere.std() > 0.01  # what is not wall does change


def test_nothing_moves_at_rest_nor_far_away(rng):
    points = rng.uniform(-120, 120, (2000, 3))
    np.testing.assert_allclose(PLAIN.moved(points, 0.0), points, atol=1e-9)
    far = points + [0, 0, 400]
    np.testing.assert_allclose(PLAIN.moved(far, 1.0), far, atol=1e-9)


@pytest.mark.parametrize("percent", [15.0, 45.0, 70.0])
def test_the_ejection_fraction_is_the_one_asked_for(percent, rng):
    """By formula to a millionth, and by counting points of the contracted cavity."""
    motion = HeartMotion(ejection_fraction=percent, infarct=SCARRED.infarct)
    assert 100 * (1 - motion.lv_ml(1.0) / motion.lv_ml()) == pytest.approx(percent, abs=1e-6)
    points = rng.uniform([-40, -40, 0], [40, 40, 95], (60000, 3))
    cavities = []
    for amount in (0.0, 1.0):
        still = motion.unmoved(points, amount)
        x, y, z = still.T
        cavities.append(((np.hypot(x, y) < motion.inner_mm(z)) & (z > 0)).sum())
    assert 100 * (1 - cavities[1] / cavities[0]) == pytest.approx(percent, abs=1.5)


def test_a_heart_cannot_eject_all():
    with pytest.raises(ValueError, match="ejects 99 %"):
        _ = HeartMotion(ejection_fraction=99.0).narrowing


def test_the_apex_turns_counter_clockwise_as_seen():
    """In the usual view y points down: a point right of the axis goes up at the apex."""
    motion = HeartMotion(twist_degrees=(-4.0, 9.0))
    base, apex = motion.moved(np.array([[30.0, 0, 1], [12.0, 0, 80]]), 1.0)
    assert base[1] > 1
    assert apex[1] < -1
