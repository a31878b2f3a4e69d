"""Bilinear sampling is exact."""

import numpy as np
import pytest

from facewarp.face.passes.inverse import inverse_field
from facewarp.face.passes.sampling import bilinear, sample_grid


def test_a_ramp_is_sampled_to_a_thousandth(rng):
    y, x = np.mgrid[:40, :50].astype(np.float32)
    maps = np.stack([x, y])
    at = rng.uniform(0, 39, (2, 3000)).astype(np.float32)
    assert bilinear(maps, *at) == pytest.approx(at, abs=1e-3)
    outside = bilinear(maps, np.array([-5.0, 60.0]), np.array([10.0, 10.0]))
    assert outside[0] == pytest.approx([0, 49])


def test_the_inverse_undoes_the_field(face_at):
    y, x = np.mgrid[:80, :65] * 4.0
    field = np.stack([5 * np.sin(y / 60), 4 * np.cos(x / 50)]).astype(np.float32)
    face = face_at(field=field)
    back = inverse_field(face)
    rows, columns = np.mgrid[40:280, 40:220].astype(np.float32)
    there = columns + back[0, 40:280, 40:220], rows + back[1, 40:280, 40:220]
    assert np.stack(there) + sample_grid(field, *there) == pytest.approx(
        np.stack([columns, rows]), abs=2e-3
    )
