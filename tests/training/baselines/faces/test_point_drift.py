"""Fields between point sets: coherent drift and thin-plate splines against known motions."""

import numpy as np
import pytest

from facewarp.training.baselines.faces.point_drift import coherent_drift
from facewarp.training.baselines.faces.thin_plate import dense_field, spline_field


def bend(points: np.ndarray) -> np.ndarray:
    """A smooth motion of a face's size, px."""
    x, y = (points / 100).T
    return np.stack([6 * np.sin(x) + 9, 5 * np.cos(1.3 * y) - 4], axis=1)


def test_drift_finds_a_smooth_motion_without_matches(
    rng: np.random.Generator,
) -> None:
    source = rng.uniform((60, 80), (200, 260), (68, 2))
    target = (source + bend(source))[rng.permutation(68)]
    drift = coherent_drift(source, target)
    off = np.linalg.norm(drift(source) - bend(source), axis=1)
    assert np.median(off) < 0.5
    assert np.percentile(off, 90) < 2


def test_drift_leaves_equal_sets_alone(rng: np.random.Generator) -> None:
    points = rng.uniform(50, 250, (40, 2))
    drift = coherent_drift(points, points)
    assert np.abs(drift(points)).max() < 0.05


def test_drift_carries_outliers_with_their_neighbors(rng: np.random.Generator) -> None:
    source = rng.uniform(50, 250, (60, 2))
    target = source + bend(source)
    target[:5] += rng.uniform(40, 80, (5, 2))
    off = np.linalg.norm(coherent_drift(source, target)(source[5:]) - bend(source[5:]), axis=1)
    assert np.median(off) < 1


def test_drift_wants_points() -> None:
    with pytest.raises(ValueError, match="two points"):
        coherent_drift(np.zeros((1, 2)), np.zeros((5, 2)))


def test_a_spline_goes_through_its_points(rng: np.random.Generator) -> None:
    fixed = rng.uniform((30, 40), (230, 280), (30, 2))
    moving = fixed + bend(fixed)
    field = spline_field(fixed, moving, smoothing=0.0)
    assert field.shape == (2, 320, 260)
    at = np.rint(fixed).astype(int)
    found = field[:, at[:, 1], at[:, 0]].T
    assert np.abs(found - bend(at.astype(float))).max() < 0.6


def test_an_affine_motion_is_affine_everywhere(rng: np.random.Generator) -> None:
    def motion(points: np.ndarray) -> np.ndarray:
        return points @ np.array([[0.1, 0.05], [-0.04, 0.02]]) + (3, -5)

    fixed = rng.uniform((90, 90), (170, 200), (10, 2))
    field = spline_field(fixed, fixed + motion(fixed))
    y, x = np.mgrid[8:312:40, 8:252:40]
    points = np.stack([x.ravel(), y.ravel()], 1)
    found = field[:, points[:, 1], points[:, 0]].T
    np.testing.assert_allclose(found, motion(points), atol=1e-3)


def test_pixels_are_where_they_are_said_to_be() -> None:
    field = dense_field(lambda points: points)
    y, x = np.mgrid[10:300:30, 10:250:30]
    np.testing.assert_allclose(field[0][y, x], x, atol=1e-3)
    np.testing.assert_allclose(field[1][y, x], y, atol=1e-3)
