"""Composites: what is put before a face hides as much of it as its alpha says."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from facewarp.face.parts import FacePart
from facewarp.training.occlusion import matte_data
from facewarp.training.occlusion.canvas import Relief
from facewarp.training.occlusion.composite import HARD, MAKERS, compose
from facewarp.training.occlusion.faces import SHAPE, base_face
from facewarp.training.occlusion.matte_data import (
    MatteBatches,
    MatteData,
    Pose,
    augmented,
    held_out_composites,
    is_turned,
    random_pose,
)


@pytest.fixture
def drawn(photo, tmp_path):
    """A drawn face with 68 points, as a file."""
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), photo.image)
    return replace(photo, path=path)


@pytest.fixture
def base(drawn, rng):
    return base_face(drawn, rng)


@pytest.mark.parametrize("kind", [*MAKERS, *HARD])
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


def test_pictures_shown_again_are_the_one_before_moved(drawn):
    batch = MatteBatches([drawn], 4, seed=3).batch(5)
    images, labels, moved = batch["images"], batch["labels"], batch["moved"]
    assert (moved[:3] == 0).all()
    assert (moved[3] != 0).any()
    back = tuple(-int(v) for v in moved[3].flip(0))
    inner = (..., slice(6, -6), slice(6, -6))
    same, other = (torch.roll(each[3], back, (1, 2))[inner] for each in (labels, images))
    torch.testing.assert_close(same, labels[2][inner], atol=0.08, rtol=0)
    assert np.corrcoef(other.flatten(), images[2][inner].flatten())[0, 1] > 0.8
    assert not torch.equal(other, images[2][inner])


def test_half_of_the_poses_keep_pixels_as_sharp_as_they_were(rng):
    poses = [random_pose(rng) for _ in range(60)]
    whole = [p for p in poses if p.angle == 0 and p.size == 1]
    assert 15 < len(whole) < 45
    assert all(float(v).is_integer() for p in whole for v in p.shift)


def test_a_pose_of_whole_pixels_moves_labels_and_nothing_else(base, rng):
    one = compose(base, lambda: base, rng, "hand")
    there = augmented(one, Pose(1, 0.0, 1.0, (2, -1)), np.zeros(2, np.int64), rng)[1]
    here = augmented(one, Pose(1, 0.0, 1.0, (0, 0)), np.zeros(2, np.int64), rng)[1]
    assert np.array_equal(np.roll(here, (-1, 2), (1, 2))[:, 4:-4, 4:-4], there[:, 4:-4, 4:-4])


def test_a_nose_aside_tells_a_turned_face(drawn):
    assert not is_turned(drawn)
    labels = np.zeros_like(drawn.labels)
    labels[40:160, 40:140] = FacePart.FACE
    labels[80:120, 120:138] = FacePart.NOSE
    assert is_turned(replace(drawn, masks=labels))
    assert not is_turned(replace(drawn, masks=labels * 0))


def test_turned_and_dark_faces_count_several_times(drawn):
    data = MatteData()
    labels = np.where(drawn.labels == FacePart.BACKGROUND, 0, FacePart.FACE).astype(np.uint8)
    dark = replace(drawn, image=drawn.image // 4, masks=labels)
    bright = replace(dark, image=np.full_like(drawn.image, 180))
    data.add("faces", [bright, dark], hold_out=False)
    assert [sum(one is other for other in data.photos) for one in (bright, dark)] == [1, 3]
    assert data.size == 2


def test_scores_are_told_of_faces_and_things_that_stay_the_same(drawn, monkeypatch):
    """What is drawn in training alone is in no composite that scores are told of."""
    monkeypatch.setattr(matte_data, "varied", lambda *_: pytest.fail("a varied face"))
    kinds = {one.kinds[0] for one in held_out_composites([drawn], 24, seed=1)}
    assert kinds <= {*MAKERS, "donor", "free", "light"}


def test_composites_of_one_kind_alone_are_made(drawn):
    kinds = [one.kinds for one in held_out_composites([drawn], 12, seed=3, only="locks")]
    assert kinds.count(("locks",)) == 8
    assert {("free",), ("light",)} < set(kinds)


@pytest.mark.parametrize("spared", ["light", "camera"])
def test_a_spared_picture_shows_the_same_things_as_before(drawn, spared):
    """What is told of light and cameras is of the same composites."""
    usual, easier = (
        held_out_composites([drawn], 24, seed=3, spared=frozenset(faults))
        for faults in ((), (spared,))
    )
    changed = [
        not np.array_equal(one.image, other.image) for one, other in zip(usual, easier, strict=True)
    ]
    assert sum(changed) > 8
    for one, other in zip(usual, easier, strict=True):
        assert one.kinds == other.kinds
        np.testing.assert_array_equal(one.covered, other.covered)


def test_a_picture_spared_of_the_camera_is_the_drawing_at_half_its_size(base):
    both = frozenset({"light", "camera"})
    one = compose(base, lambda: base, np.random.default_rng(2), "light", both)
    half = cv2.resize(base.image, (SHAPE[1] // 2, SHAPE[0] // 2), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(one.image, np.rint(255 * half.clip(0, 1)))
