"""Random views of hearts: labels stay with what they label, phases stay together."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import maximum_filter as maximum
from scipy.ndimage import minimum_filter as minimum

from facewarp.training.dataloading.heart_augmentation import HeartAugment, augment_pair
from facewarp.training.datasets.acdc import HeartCase

GRAYS = np.array([0.1, 0.4, 0.7, 1.0], np.float32)  # of the parts
GEOMETRY = replace(HeartAugment(), gamma=0.0, bias=0.0, noise=0.0, blur_px=0.0)
STILL = replace(GEOMETRY, breath_px=0.0, wobble_px=0.0, cut=0.0, slices=0)
SHAPE = (6, 40, 36)


@pytest.fixture
def case() -> HeartCase:
    """Rings whose grey tells their part, off the middle, smaller at ES; no picture at the ends."""
    z, y, x = np.indices((10, 64, 60))
    labels = []
    for shrink in (1.0, 0.75):
        away = np.hypot(y - 34, x - 27) / shrink + 1.5 * abs(z - 5)
        left = np.hypot(y - 34, x - 10) / shrink < 9
        ids = np.select([away < 8, away < 13, left], [3, 2, 1], 0).astype(np.uint8)
        ids[[0, 9]] = 0
        labels.append(ids)
    images = GRAYS[np.stack(labels)]
    images[:, [0, 9]] = 0
    return HeartCase("rings", images, np.stack(labels))


def view(case: HeartCase, config: HeartAugment, seed: int = 0, shape=SHAPE, center=None):
    rng = np.random.default_rng(seed)
    return augment_pair(case.images, case.labels, shape, rng, config, center)


def test_no_augmentation_is_a_crop(case: HeartCase) -> None:
    config = HeartAugment.of_strength(0)
    for seed, center in ((0, None), (1, case.center), (2, (20.25, 30.5, 4.0))):
        images, labels = view(case, config, seed, center=center)
        found = [
            (y, x)
            for y in range(25)
            for x in range(25)
            if np.array_equal(labels, case.labels[:, 2:8, y : y + 40, x : x + 36])
            and np.array_equal(images, case.images[:, 2:8, y : y + 40, x : x + 36])
        ]
        assert len(found) == 1
        wanted = case.images.shape[:1:-1] if center is None else 2 * np.array(center[:2]) + 1
        middle = 2 * np.array(found[0][::-1]) + (36, 40)
        assert np.abs(middle - wanted).max() <= 1  # half a pixel


def test_views_keep_labels_on_what_they_label(case: HeartCase) -> None:
    for seed in range(6):
        images, labels = view(case, GEOMETRY, seed, center=case.center)
        low, high = (extreme(labels, size=(1, 1, 5, 5)) for extreme in (minimum, maximum))
        scanned = minimum(images, size=(1, 1, 5, 5), mode="constant") > 0
        within = scanned & (low == high)  # not at an outline, where greys mix
        assert {1, 2, 3} <= set(labels[within].tolist())
        off = np.abs(images - GRAYS[labels])[within]
        assert (off < 0.01).mean() > 0.98  # all but tips too thin for labels


def test_both_phases_get_one_deformation(case: HeartCase) -> None:
    same = HeartCase("still", case.images[[0, 0]], case.labels[[0, 0]])
    images, labels = view(same, replace(GEOMETRY, wobble_px=0.0), 3)
    assert np.array_equal(labels[0], labels[1])
    assert np.array_equal(images[0], images[1])
    _, wobbling = view(same, replace(GEOMETRY, wobble_px=1.0), 3)
    assert not np.array_equal(wobbling[0], wobbling[1])


def test_slices_move_each_on_its_own_with_breath(case: HeartCase) -> None:
    flat = np.repeat(case.labels[:, 5:6], 10, axis=1)
    column = HeartCase("column", GRAYS[flat], flat)
    _, stiff = view(column, STILL, 4)
    assert (stiff == stiff[:, :1]).all()
    _, breathing = view(column, replace(STILL, breath_px=2.0), 4)
    assert not (breathing == breathing[:, :1]).all()


def test_photometric_changes_leave_labels(case: HeartCase) -> None:
    config = HeartAugment.of_strength(0)
    looks = replace(config, gamma=0.4, bias=0.3, noise=0.1, blur_px=1.0)
    images, labels = view(case, looks, 5)
    plain, same = view(case, config, 5)
    assert np.array_equal(labels, same)
    assert not np.allclose(images[0], plain[0], atol=0.02)
    assert not np.allclose(images[0][labels[0] == 3].mean(), images[1][labels[1] == 3].mean())
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.dtype == np.float32


def test_views_beyond_the_scan_are_empty(case: HeartCase) -> None:
    images, labels = view(case, HeartAugment(), 6, shape=(14, 40, 36))
    assert images.shape == labels.shape == (2, 14, 40, 36)
    scanned = images.any(axis=(0, 2, 3))
    assert 5 <= scanned.sum() <= 8  # eight, of which the ends may have been lost
    assert not labels[:, ~scanned].any()


def test_end_slices_are_lost_in_both_phases(case: HeartCase) -> None:
    counts = set()
    for seed in range(12):
        images, labels = view(case, replace(STILL, cut=1.0), seed, shape=(8, 40, 36))
        filled = images.any(axis=(2, 3))
        assert np.array_equal(filled[0], filled[1])
        assert not labels[:, ~filled[0]].any()
        counts.add(int(filled[0].sum()))
    assert counts == {6, 7}


def test_strength_scales_everything() -> None:
    plain, half = HeartAugment(), HeartAugment.of_strength(0.5)
    assert half.turn_deg == plain.turn_deg / 2
    assert half.cut == plain.cut / 2
    assert (HeartAugment.of_strength(1), HeartAugment.of_strength(2).slices) == (plain, 2)
