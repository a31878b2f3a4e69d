"""Fields on the network's grid."""

import cv2
import numpy as np
import pytest
import torch

from facewarp.core import fields
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import (
    GRID_PX,
    cell_px,
    compose_fields,
    inverted,
    jacobian_determinant,
    resized,
    sample_field,
    sample_maps,
    upsample_field,
    warp_maps,
)

HEIGHT, WIDTH = CROP_SHAPE


def linear(shape):
    """u(p) = (0.1 x + 3, 0.2 y - 1) on a grid."""
    sx, sy = WIDTH / shape[1], HEIGHT / shape[0]
    y, x = np.indices(shape)
    x, y = (x + 0.5) * sx - 0.5, (y + 0.5) * sy - 0.5
    return np.stack([0.1 * x + 3, 0.2 * y - 1]).astype(np.float32)


@pytest.mark.parametrize("shape", [(80, 65), (160, 130), CROP_SHAPE])
def test_the_grid_does_not_matter(shape, rng):
    field = linear(shape)
    inside = rng.uniform((3, 3), (WIDTH - 4, HEIGHT - 4), (50, 2))
    expected = inside * (0.1, 0.2) + (3, -1)
    np.testing.assert_allclose(sample_field(field, inside), expected, atol=0.01)
    np.testing.assert_allclose(
        upsample_field(field)[:, 5:-5, 5:-5], linear(CROP_SHAPE)[:, 5:-5, 5:-5], atol=1e-3
    )
    assert cell_px(field) == (WIDTH / shape[1], HEIGHT / shape[0])


def test_beyond_the_outermost_points_it_stays_as_it_is(rng):
    field = rng.normal(size=(2, 80, 65)).astype(np.float32)
    corners = np.array([(-50.0, -50.0), (WIDTH + 50.0, HEIGHT + 50.0)])
    np.testing.assert_allclose(sample_field(field, corners), [field[:, 0, 0], field[:, -1, -1]])


def test_its_own_grid_costs_nothing():
    field = linear((80, 65))
    assert resized(field, (80, 65)) is field
    assert upsample_field(field).shape == (2, *CROP_SHAPE)


def test_composing_in_numpy_is_composing_in_torch(rng):
    outer, inner = rng.normal(0, 2, (2, 2, 40, 30)).astype(np.float32)
    inner[:, :6], inner[:, -6:], inner[..., :6], inner[..., -6:] = 0, 0, 0, 0
    expected = fields.compose(torch.from_numpy(outer)[None], torch.from_numpy(inner)[None])[0]
    np.testing.assert_allclose(compose_fields(outer, inner), expected, atol=1e-4)
    assert compose_fields(None, inner) is inner


@pytest.mark.parametrize("size_px", [0.0, 0.3, 4.0, 60.0])  # none, small, folding, off the grid
def test_warping_in_numpy_is_warping_in_torch(size_px, rng):
    maps = rng.random((3, 20, 13)).astype(np.float32)
    field = (size_px * rng.normal(size=(2, 20, 13))).astype(np.float32)
    ours = warp_maps(maps, field)
    theirs = fields.warp(torch.from_numpy(maps)[None], torch.from_numpy(field)[None])[0].numpy()
    assert (ours.dtype, ours.shape) == (np.float32, maps.shape)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)  # of values within 0..1
    assert size_px > 0 or np.array_equal(ours, maps)


@pytest.mark.parametrize("shape", [(20, 13), (3, 2), (2, 9)])
def test_folds_in_numpy_are_folds_in_torch(shape, rng):
    field = (0.7 * rng.normal(size=(2, *shape))).astype(np.float32)
    ours = jacobian_determinant(field)
    theirs = fields.jacobian_determinant(torch.from_numpy(field)[None])[0].numpy()
    assert (ours.dtype, ours.shape) == (np.float32, shape)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert ((ours <= 0) == (theirs <= 0)).all()
    np.testing.assert_array_equal(jacobian_determinant(np.zeros_like(field)), 1)


def test_a_field_and_its_inverse_undo_each_other():
    y, x = np.mgrid[:80, :65].astype(np.float32)
    field = np.stack([6 * np.sin(y / 9) + 3, 5 * np.cos(x / 8) - 4]).astype(np.float32)
    inverse = inverted(field)
    points = np.stack([x.ravel(), y.ravel()], 1)[::7] * 4 + 1.5
    inside = ((points > 30) & (points < np.array([230, 290]))).all(1)
    there = points[inside] + sample_field(inverse, points[inside])
    back = there + sample_field(field, there)
    assert np.abs(back - points[inside]).max() < 0.05


def test_an_inverse_is_exact_where_the_iteration_alone_does_not_settle():
    y, x = np.mgrid[:80, :65].astype(np.float32)
    stretched = 12 * np.tanh((y - 40) / 3)  # by up to 1 a px: rounds leave all of an error there
    field = np.stack([3 * np.sin(x / 9), stretched]).astype(np.float32)

    def off(steps):
        back = compose_fields(field / GRID_PX, inverted(field, steps) / GRID_PX)
        return GRID_PX * np.abs(back[:, 15:-15, 5:-5]).max()

    assert off(0) > 1
    assert off(4) < 0.06


@pytest.mark.parametrize("shape", [(80, 65), (160, 130)])
def test_an_inverse_is_exact_to_hundredths_of_a_px(shape):
    """As no inverse is that is found by samples at places rounded to 1/32 of a cell."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32) * (80 / shape[0])
    field = np.stack([9 * np.sin(y / 9) + 3, 8 * np.cos(x / 8) - 4]).astype(np.float32)
    cell = np.float32(cell_px(field)[0])
    left = cell * np.abs(compose_fields(field / cell, inverted(field) / cell))
    inside = slice(shape[0] // 6, -shape[0] // 6), slice(shape[1] // 6, -shape[1] // 6)
    assert left[:, *inside].max() < 0.02
    assert np.percentile(left[:, *inside], 90) < 0.002


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 8])
def test_samples_lie_exactly_where_they_are_asked_for(count, rng):
    maps = rng.normal(size=(count, 20, 13)).astype(np.float32)
    x, y = rng.uniform(0, 11.9, (6, 7)).astype(np.float32), rng.uniform(0, 18.9, (6, 7))
    y = y.astype(np.float32)
    i, j = x.astype(int), y.astype(int)
    a, b = x - i, y - j
    above = maps[:, j, i] * (1 - a) + maps[:, j, i + 1] * a
    below = maps[:, j + 1, i] * (1 - a) + maps[:, j + 1, i + 1] * a
    found = sample_maps(maps, x, y)
    np.testing.assert_allclose(found, above * (1 - b) + below * b, atol=1e-5)
    np.testing.assert_array_equal(sample_maps(np.asfortranarray(maps), x, y), found)


def test_inversion_leaves_errors_alone_that_nobody_sees(rng):
    coarse = rng.normal(0, 0.5, (2, 8, 7)).astype(np.float32)
    field = np.stack([cv2.resize(one, (65, 80), interpolation=cv2.INTER_CUBIC) for one in coarse])
    once = inverted(field)
    np.testing.assert_array_equal(inverted(field, steps=8), once)
    back = compose_fields(field / GRID_PX, once / GRID_PX)
    assert GRID_PX * np.abs(back).max() < 0.02
