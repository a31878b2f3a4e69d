"""Composites: what is put before a face hides as much of it as its alpha says."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from facewarp.training.occlusion.canvas import Relief
from facewarp.training.occlusion.composite import MAKERS, compose
from facewarp.training.occlusion.faces import SHAPE, base_face
from facewarp.training.occlusion.matte_data import MatteBatches


@pytest.fixture
def drawn(photo, tmp_path):
    """A drawn face with 68 points, as a file."""
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), photo.image)
    return replace(photo, path=path)


@pytest.fixture
def base(drawn, rng):
    return base_face(drawn, rng)


@pytest.mark.parametrize("kind", MAKERS)
def test_each_thing_hides_what_its_alpha_covers(base, rng, kind):
    one = compose(base, lambda: base, rng, kind)
    shape = (SHAPE[0] // 2, SHAPE[1] // 2)
    assert one.image.shape == (*shape, 3)
    assert one.visible.shape == one.known.shape == one.covered.shape == shape
    sure = one.known > 250
    assert (one.visible[sure & (one.covered > 250)] < 8).all()
    assert (one.visible.astype(int) + one.covered <= 258)[sure].all()
    assert one.covered.max() > 25


def test_light_and_make_up_hide_nothing(base, rng):
    for kind in ("light", "free"):
        one = compose(base, lambda: base, rng, kind)
        assert one.covered.max() == 0
        assert (one.visible >= one.face).all()
        assert (one.visible > 250).mean() > 0.05


def test_the_same_seed_makes_the_same_composite(base):
    one, other = (compose(base, lambda: base, np.random.default_rng(4)) for _ in range(2))
    assert np.array_equal(one.image, other.image)
    assert np.array_equal(one.visible, other.visible)
    assert one.kinds == other.kinds


def test_points_tell_the_face_below_the_brows_alone(base):
    known, eyes = base.known > 0.5, base.place.eyes
    assert known.any()
    assert np.flatnonzero(known.any(1))[0] > eyes[:, 1].min() - 0.6 * base.place.unit
    assert base.visible[known].min() > 0.5


def test_fingers_shine_where_they_face_the_light():
    relief = Relief((60, 80))
    relief.capsule((20, 30), (60, 30), 12, 12)
    shade = relief.shading((0, -1, 0.4), 0.2)
    assert shade[24, 40] > shade[36, 40] + 0.2
    assert relief.alpha()[30, 40] == 1
    assert relief.alpha()[5, 5] == 0


def test_batches_depend_on_seed_and_step_alone(drawn):
    make = [MatteBatches([drawn], 2, seed=3) for _ in range(2)]
    make[1].batch(7)
    one, other = (batches.batch(2) for batches in make)
    assert one["images"].equal(other["images"])
    assert one["labels"].equal(other["labels"])
    assert one["images"].shape == (2, 3, SHAPE[0] // 2, SHAPE[1] // 2)
    labels = one["labels"].sum(1)
    assert float(labels.max()) <= 1.01
