"""The fit of a map to what is sampled from it."""

import numpy as np

from facewarp.face.passes.round_trip import fit_round_trip
from facewarp.face.passes.sampling import bilinear

SHAPE = (40, 50)


def grid():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return np.stack([x, y])


def test_a_map_that_gives_what_is_wanted_is_left_alone(rng):
    at = rng.uniform(0, 39, (2, 300))
    np.testing.assert_array_equal(fit_round_trip(grid(), *at, at), grid())


def test_a_bent_map_gives_what_is_wanted_where_it_is_sampled():
    y, x = np.mgrid[2:38:0.9, 2:47:0.9]  # a little denser than the map
    at = np.stack([x.ravel(), y.ravel()])
    wanted = at + 3 * np.sin(at / 2)  # off by 0.09 half-way between two pixels
    bent = grid() + 3 * np.sin(grid() / 2)
    off = np.hypot(*(bilinear(bent, *at) - wanted))
    fitted = fit_round_trip(bent, *at, wanted)
    after = np.hypot(*(bilinear(fitted, *at) - wanted))
    assert (off > 0.05).mean() > 0.3
    assert (after > 0.05).mean() < 0.3 * (off > 0.05).mean()
    assert np.abs(fitted - bent).max() < 0.3


def test_pixels_from_which_nothing_is_sampled_stay(rng):
    at = rng.uniform(5, 9, (2, 200))
    fitted = fit_round_trip(grid(), *at, at + 3)
    beside = np.ones(SHAPE, bool)
    beside[5:11, 5:11] = False
    np.testing.assert_array_equal(fitted[:, beside], grid()[:, beside])


def test_positions_beyond_the_map_count_at_its_border():
    far = np.array([-9.0, 70.0]), np.array([-9.0, 90.0])
    fitted = fit_round_trip(grid(), *far, np.array([[1.0, 49.0], [0.0, 40.0]]))
    assert np.isfinite(fitted).all()
    np.testing.assert_allclose(fitted[:, 0, 0], [1, 0], atol=0.02)
    np.testing.assert_allclose(fitted[:, -1, -1], [49, 40], atol=0.02)
