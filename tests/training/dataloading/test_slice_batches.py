"""Batches of slices: the same for the same seed, labels that keep areas, views that vary."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from facewarp.cardiac.motion.slice_parts import REACH, slice_step
from facewarp.training.dataloading.slice_augmentation import SliceAugment, augment_slice
from facewarp.training.dataloading.slice_batches import (
    SliceBatches,
    SliceStack,
    drawn_how_often,
    thicker,
)
from facewarp.training.dataloading.slice_data import base_is_last
from facewarp.training.synthetic.scan_shifts import SHIFTS, Scan

STILL = SliceAugment.of_strength(0.0)


def stack(depth=6, spacing=(1.6, 1.6), thickness_mm=9.0):
    """A disc of cavity, wider from slice to slice, gray by its number."""
    z, y, x = np.indices((depth, 120, 110))
    inside = (x - 60) ** 2 + (y - 55) ** 2 < (12 + 3 * z) ** 2
    images = np.where(inside, 0.4 + 0.1 * z, 0.1).astype(np.float32)
    shares = np.zeros((*inside.shape, 4), np.uint8)
    shares[..., 3], shares[..., 0] = 255 * inside, 255 * ~inside
    return SliceStack(images, shares, spacing, (60.0, 55.0), thickness_mm)


def view(one, z, config, seed=0, shape=(128, 128)):
    step = slice_step(one.thickness_mm)
    places = [z + k * step for k in range(-REACH, REACH + 1)]
    slices = [one.images[p] if 0 <= p < len(one.images) else None for p in places]
    rng = np.random.default_rng(seed)
    return augment_slice(slices, one.shares[z], one.spacing_mm, one.center, shape, 1.4, rng, config)


def test_batches_depend_on_seed_and_step_alone():
    first, again = (SliceBatches([stack(), stack(4)], 3, (32, 32), 1.4, seed=5) for _ in range(2))
    for step in (7, 2):
        one, other = first.batch(step), again.batch(step)
        assert torch.equal(one["images"], other["images"])
        assert torch.equal(one["labels"], other["labels"])
    assert not torch.equal(first.batch(1)["images"], first.batch(2)["images"])
    batch = first.batch(0)
    assert batch["images"].shape == (3, 5, 32, 32)
    assert batch["labels"].shape == (3, 4, 32, 32)
    torch.testing.assert_close(batch["labels"].sum(1), torch.ones(3, 32, 32), atol=0.01, rtol=0)
    assert batch["images"].min() >= 0
    assert batch["images"].max() <= 1


@pytest.mark.parametrize("spacing", [(0.8, 0.8), (1.6, 1.6), (1.9, 1.2)])
def test_soft_labels_keep_areas(spacing):
    one = stack(spacing=spacing)
    _, shares = view(one, 2, STILL)
    area = shares[3].sum() / 255 * 1.4**2
    true = one.shares[2, ..., 3].sum() / 255 * spacing[0] * spacing[1]
    assert area == pytest.approx(true, rel=0.01)


def test_images_and_labels_move_together():
    config = replace(SliceAugment(), gamma=0, contrast=0, bias=0, inverted=0, remapped=0,
                     ghosted=0, blurred=0, noise=0, lost=0, upside_down=0)  # fmt: skip
    for seed in range(5):
        images, shares = view(stack(), 2, config, seed)
        inside = shares[3] > 250
        assert inside.sum() > 200
        assert images[REACH][inside].min() > 0.5  # 0.6, and 0.1 outside
        assert images[REACH][shares[0] > 250].max() < 0.2


def test_slices_beyond_the_ends_and_lost_ones_are_black():
    images, _ = view(stack(), 0, STILL)
    assert not images[:REACH].any()
    assert images[REACH:].any(axis=(1, 2)).all()
    lost = [
        view(stack(9), 4, replace(STILL, lost=1.0), seed)[0].any(axis=(1, 2)) for seed in range(12)
    ]
    assert all(one[REACH] and not one.all() for one in lost)
    assert len({tuple(one) for one in lost}) > 3


def test_photometry_leaves_labels_alone_and_views_differ():
    plain = view(stack(), 2, STILL)[1]
    for seed in range(4):
        config = replace(
            STILL, gamma=0.4, bias=0.3, noise=0.1, inverted=0.5, remapped=0.5, ghosted=1, blurred=1
        )
        images, shares = view(stack(), 2, config, seed)
        np.testing.assert_array_equal(shares, plain)
        assert images.min() >= 0
        assert images.max() <= 1
        assert np.isfinite(images).all()


def test_every_slice_is_drawn():
    batches = SliceBatches([stack(3), stack(5)], 8, (16, 16), 8.0, STILL)
    grays = torch.cat([batches.batch(i)["images"][:, REACH].amax((1, 2)) for i in range(12)])
    assert len(grays.round(decimals=2).unique()) == 5


def test_the_base_is_where_hearts_are_wide():
    narrow_first = np.argmax(np.moveaxis(stack().shares, -1, 0) > 0, axis=0)
    assert base_is_last(narrow_first)
    assert not base_is_last(narrow_first[::-1])
    padded = np.concatenate([np.zeros_like(narrow_first), narrow_first])
    assert base_is_last(padded)


def test_base_and_apex_are_drawn_twice_as_often():
    shares = stack(9).shares.copy()
    shares[[0, 8], ..., 3], shares[[0, 8], ..., 0] = 0, 255  # beyond base and apex
    np.testing.assert_array_equal(drawn_how_often(shares), [2, 2, 2, 1, 1, 1, 2, 2, 2])
    shares[..., 3], shares[..., 0] = 0, 255
    np.testing.assert_array_equal(drawn_how_often(shares), np.ones(9))


def test_thicker_slices_are_those_of_a_scan_with_thicker_ones():
    one, times = stack(9), 1.5
    labels = one.shares.argmax(axis=-1)[None].astype(np.uint8)
    scan = Scan(one.images[None], labels, np.diag([1.6, 1.6, 9.0, 1.0]))
    thick = SHIFTS["thick"](scan, "middle")
    for index in range(REACH, 6 - REACH):  # six of 1.5 slices each
        slices, shares = thicker(one, times * (index + 0.5) - 0.5, times)
        seen = np.stack(slices)
        np.testing.assert_allclose(seen, thick.images[0, index - REACH : index + 3], atol=1e-6)
        np.testing.assert_array_equal(shares.argmax(axis=-1), thick.labels[0, index])


def test_thicker_slices_stay_in_the_stack_and_keep_volumes():
    one = stack(8)
    whole = one.shares[..., 3].sum(axis=(1, 2), dtype=float)
    for middle, first in ((-0.5, 0), (0.5, 0), (2.5, 2), (7.5, 6)):
        slices, shares = thicker(one, middle, 2.0)
        np.testing.assert_allclose(slices[REACH], one.images[first : first + 2].mean(axis=0))
        assert shares[..., 3].sum() == pytest.approx(whole[first : first + 2].mean(), rel=0.01)
    here = [one is not None for one in thicker(one, 0.5, 2.0)[0]]
    assert here == [False, False, True, True, True]
    assert all(one is None for k, one in enumerate(thicker(stack(2), 0.5, 2.0)[0]) if k != REACH)


def test_slices_still_thin_when_averaged_are_skipped_over():
    one = stack(13, thickness_mm=3.0)  # 1.5 times as thick: every second of them is read
    slices, _ = thicker(one, 6.0, 1.5)
    assert slice_step(4.5) == 2
    np.testing.assert_allclose(slices[REACH + 1], _mean(one, 8.25, 9.75), atol=1e-6)


def _mean(one, first, last):
    """Mean of a stack's images between two places; slice k lies from k - 0.5 to k + 0.5."""
    fine = np.arange(first, last, 0.25) + 0.125
    return one.images[np.rint(fine).astype(int)].mean(axis=0)


def test_some_views_are_of_thicker_slices():
    thick = SliceBatches([stack()], 8, (16, 16), 8.0, replace(STILL, thick=1.0))
    plain = SliceBatches([stack()], 8, (16, 16), 8.0, STILL)

    def grays(batches):
        return torch.cat([batches.batch(i)["images"][:, REACH].amax((1, 2)) for i in range(4)])

    assert len(grays(thick).round(decimals=3).unique()) > len(grays(plain).unique())
