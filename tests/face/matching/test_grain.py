"""Noise is measured, and grain of that size made."""

import numpy as np
import pytest

from facewarp.face.matching.grain import SCALE, grain, noise_level


def noisy(sigma, seed=0):
    y, x = np.mgrid[:96, :112]
    skin = 150 + 0.3 * x - 0.2 * y + 8 * np.sin(x / 9)
    skin[40:44, 20:60] = 60  # an edge is no noise
    made = skin + np.random.default_rng(seed).normal(0, sigma, skin.shape)
    return np.rint(made.clip(0, 255)).astype(np.uint8)


@pytest.mark.parametrize("sigma", [2.0, 5.0, 9.0])
def test_noise_is_measured_on_shaded_skin_with_edges(sigma):
    assert noise_level(noisy(sigma)) == pytest.approx(sigma, rel=0.15)


def test_a_clean_picture_has_none():
    assert noise_level(noisy(0.0)) == 0
    assert noise_level(np.zeros((6, 9), np.uint8)) == 0


def test_grain_has_mean_0_and_deviation_1():
    made = (grain((300, 400), 3).astype(float) - 128) / SCALE
    assert made.mean() == pytest.approx(0, abs=0.03)
    assert made.std() == pytest.approx(1, abs=0.05)


def test_the_same_seed_is_the_same_grain_and_another_is_not():
    first, again, other = grain((40, 700), 5), grain((40, 700), 5), grain((40, 700), 6)
    np.testing.assert_array_equal(first, again)
    assert np.corrcoef(first.ravel(), other.ravel())[0, 1] < 0.1
