"""Voxels that hold no picture."""

import numpy as np
import pytest

from facewarp.cardiac.io.slices.fill_values import without_fill


@pytest.fixture
def scan(rng):
    return np.rint(rng.gamma(2, 150, (3, 4, 24, 24))).astype(np.float32)


@pytest.mark.parametrize("fill", [-1000, -32768, 20000])
def test_a_fill_becomes_as_dark_as_the_darkest(scan, fill):
    masked = scan.copy()
    masked[..., :5] = fill
    found, said = without_fill(masked)
    np.testing.assert_array_equal(found[..., 5:], scan[..., 5:])
    assert (found[..., :5] == scan[..., 5:].min()).all()
    assert f"21 % of the voxels hold {fill}" in said


@pytest.mark.parametrize("kind", ["plain", "air of 0", "spikes", "two values", "constant"])
def test_pictures_stay_as_they_are(scan, kind):
    if kind == "air of 0":
        scan[..., :5] = 0
    elif kind == "spikes":
        scan[0, 0, 0, :3] = 30000
    elif kind == "two values":
        scan = np.where(scan > 300, 1, 0).astype(np.float32)
    elif kind == "constant":
        scan[:] = 7
    found, said = without_fill(scan)
    assert found is scan
    assert said == ""
