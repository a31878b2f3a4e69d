"""Similarities: the best fit, and what they make of points."""

import cv2
import numpy as np
import pytest

from facewarp.face.similarity import (
    SimilarityFit,
    compose_affine,
    fit_similarity,
    inverse,
    rotation,
    sampled,
    turned_about,
)


def through(affine, points):
    return points @ affine[:, :2].T + affine[:, 2]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_similarity_is_found_again(rng, dtype):
    true = turned_about(np.array([3.0, -2.0]), np.array([40.0, 7.0]), 1.7, -2.9)
    points = rng.normal(0, 30, (12, 2))
    found = fit_similarity(points.astype(dtype), through(true, points).astype(dtype))
    np.testing.assert_allclose(found, true, atol=1e-4 if dtype is np.float32 else 1e-12)


def test_of_noisy_points_the_fit_is_that_of_least_squares(rng):
    start, end = rng.normal(0, 30, (2, 20, 2))
    (x, y), one, none = start.T, np.ones(20), np.zeros(20)
    rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
    a, b, right, down = np.linalg.lstsq(rows, end.T.ravel(), rcond=None)[0]
    np.testing.assert_allclose(fit_similarity(start, end), [[a, -b, right], [b, a, down]])


def test_fits_from_the_same_points_are_the_same(rng):
    start, first, second = rng.normal(20, 30, (3, 30, 2))
    fit = SimilarityFit(start)
    for end in (first, second[::-1]):
        np.testing.assert_allclose(fit(end), fit_similarity(start, end), atol=1e-12)


def test_points_that_are_a_view_are_read_in_their_order(rng):
    points, target = rng.normal(0, 9, (2, 40, 2))
    found = fit_similarity(points[::2], target[::-2])
    expected = fit_similarity(points[::2].copy(), target[::-2].copy())
    np.testing.assert_array_equal(found, expected)


def test_a_turn_goes_from_x_to_y_about_its_point():
    turn = turned_about(np.array([5.0, 5.0]), np.array([1.0, 2.0]), 2.0, np.pi / 2)
    expected = [[1, 2], [1, 4], [-1, 2]]
    np.testing.assert_allclose(through(turn, np.array([[5, 5], [6, 5], [5, 6]])), expected)


def test_composing_is_one_after_the_other(rng):
    outer, inner = rng.normal(0, 2, (2, 2, 3))
    points = rng.normal(0, 9, (7, 2))
    both = compose_affine(outer, inner)
    np.testing.assert_allclose(through(both, points), through(outer, through(inner, points)))
    np.testing.assert_allclose(compose_affine(inverse(inner), inner), np.eye(2, 3), atol=1e-9)


@pytest.mark.parametrize("shift", [(-4.3, 2.1), (0.0, 0.0), (25.6, 13.2), (80.0, -60.0)])
def test_samples_of_a_window_are_those_of_the_image(rng, shift):
    image = rng.integers(0, 256, (40, 56, 3), np.uint8)
    matrix = np.column_stack([1.3 * rotation(0.4), shift])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    whole = cv2.warpAffine(image, matrix, (21, 17), flags=flags)
    found = sampled(image, matrix, (21, 17))
    assert cv2.absdiff(found, whole).max() <= 1  # places are rounded from another corner
