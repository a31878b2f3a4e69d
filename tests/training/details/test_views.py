"""Views of mouths and eyes: what is made is known, and the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facewarp.face.details.patches import CLASSES, PatchLayout
from facewarp.training.details.data import DetailBatches
from facewarp.training.details.openings import opened, warped_columns
from facewarp.training.details.views import (
    LEFT_EYE,
    MOUTH,
    RIGHT_EYE,
    DetailAugment,
    DetailPhoto,
    detail_view,
)
from facewarp.training.validation.details import DetailValidator

OTHER, UPPER, INNER, LOWER, EYE, HIDDEN = range(len(CLASSES))
PLAIN = DetailAugment(strength=0.0)


@pytest.fixture
def photo(template):
    frames = PatchLayout(template.landmarks).frames(template.landmarks)
    return DetailPhoto("average", template.image, frames, template.landmarks, None)


@pytest.fixture
def masked(photo):
    """The same face with masks in place of points."""
    ids = np.zeros(photo.image.shape, np.uint8)
    ids[176:182, 100:160], ids[182:188, 104:156], ids[188:198, 104:156] = 11, 10, 12
    ids[107:115, 83:110], ids[107:115, 149:176] = 4, 5
    return replace(photo, landmarks=None, ids=ids)


def test_shares_are_those_of_the_points(photo, rng):
    patch, shares = detail_view(photo, MOUTH, rng, PLAIN)
    assert patch.shape == (64, 64)
    assert shares.shape == (len(CLASSES), 32, 32)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-5)
    px = 1.09 * np.linalg.norm(np.subtract(*photo.landmarks[[36, 45]])) / 64
    opening = 2 * shares[INNER, :, 15:17].sum(0).mean() * px
    assert opening == pytest.approx(7.0, abs=0.3)


@pytest.mark.parametrize("part", [MOUTH, LEFT_EYE, RIGHT_EYE])
def test_points_and_masks_agree(photo, masked, rng, part):
    of_points, of_masks = (detail_view(one, part, rng, PLAIN)[1] for one in (photo, masked))
    both = np.minimum(of_points[1:], of_masks[1:]).sum()
    assert 2 * both / (of_points[1:].sum() + of_masks[1:].sum()) > 0.7


@pytest.mark.parametrize("change", [-7.0, 4.0])
def test_a_made_opening_moves_pixels_with_its_outline(change):
    curves = np.repeat([[20.0], [25], [32], [38]], 64, axis=1)
    bright = np.full((64, 64), 40, np.uint8)
    bright[32:38] = 200  # the lower lip
    moved = opened(curves, np.full(64, change), 0.0)
    knots = [np.vstack([np.full(64, 8.0), c, np.full(64, 60.0)]) for c in (curves, moved)]
    warped = warped_columns(bright, *knots)
    rows = np.arange(64)[:, None]
    lip = (rows > moved[2] + 1) & (rows < moved[3] - 1)
    assert warped[lip].min() > 190
    assert warped[rows[:, 0] > moved[3, 0] + 2].max() < 60


def test_made_blinks_shut_and_made_occluders_hide(photo):
    blinks, hidden = DetailAugment(blink=1.0, occlude=0.0), DetailAugment(occlude=1.0)
    heights = [
        detail_view(photo, LEFT_EYE, np.random.default_rng(i), blinks)[1][EYE].sum(0).max()
        for i in range(24)
    ]
    assert min(heights) < 0.4 * max(heights)
    covered = [
        detail_view(photo, MOUTH, np.random.default_rng(i), hidden)[1][HIDDEN].mean()
        for i in range(12)
    ]
    assert np.mean(covered) > 0.05


def test_batches_depend_on_seed_and_step_alone(photo, masked):
    first, again = (DetailBatches([[photo], [masked]], [0.6, 0.4], 4, seed=3) for _ in range(2))
    for step in (5, 1):
        one, other = first.batch(step), again.batch(step)
        assert torch.equal(one["images"], other["images"])
        assert torch.equal(one["labels"], other["labels"])
    assert not torch.equal(first.batch(1)["images"], first.batch(2)["images"])
    batch = first.batch(0)
    assert batch["images"].shape == (4, 1, 64, 64)
    assert batch["labels"].shape == (4, len(CLASSES), 32, 32)
    torch.testing.assert_close(batch["labels"].sum(1), torch.ones(4, 32, 32), atol=1e-4, rtol=0)


def test_validation_is_perfect_for_the_true_shares(photo, tmp_path):
    validator = DetailValidator([photo], tmp_path)

    class Knowing:
        def features(self, images):
            assert images.shape[2:] == (64, 64)
            return torch.from_numpy(np.log(validator.labels + 1e-9))

    scores = validator(Knowing(), 7)
    assert scores["dice_mean"] > 99.9
    assert scores["mouth_slope"] == pytest.approx(1, abs=0.01)
    assert scores["eye_mae_px"] == pytest.approx(0, abs=0.01)
    assert (tmp_path / "validation_7.png").is_file()
