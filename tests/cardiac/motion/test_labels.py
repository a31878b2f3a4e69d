import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from facewarp.cardiac.motion.labels import (
    carry_labels,
    cubic_spline,
    heart_box,
    part_depths,
    seen_labels,
)
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import HeartPart

SPACING = (1.5, 1.5, 10.0)


def tube(radii, size=60, center=(29.3, 30.1)):
    """Discs of a cavity and its wall, one radius (px) a slice."""
    y, x = np.indices((size, size))
    distance = np.hypot(x - center[0], y - center[1])
    labels = np.zeros((len(radii), size, size), np.uint8)
    for z, radius in enumerate(radii):
        labels[z][distance <= radius + 6] = HeartPart.MYOCARDIUM
        labels[z][distance <= radius] = HeartPart.LV
    return labels


def places(shape, shift=(0.0, 0.0, 0.0)):
    z, y, x = np.indices(shape, dtype=np.float32)
    return np.stack([x + shift[0], y + shift[1], z + shift[2]])


def test_at_rest_labels_stay():
    labels = tube([14, 13, 11, 8])
    labels[0, 10:20, 10:20] = HeartPart.RV
    carried = carry_labels(part_depths(labels, SPACING), places(labels.shape))
    for part in HeartPart:
        one, other = labels == part, carried == part
        assert 2 * (one & other).sum() / (one.sum() + other.sum()) > 0.985, part


def test_a_shift_by_whole_voxels_is_that_shift():
    labels = tube([14, 13, 11, 8])
    depths = part_depths(labels, SPACING)
    still = carry_labels(depths, places(labels.shape))
    moved = carry_labels(depths, places(labels.shape, (3.0, -2.0, 0.0)))
    np.testing.assert_array_equal(moved[:, 2:, :-3], still[:, :-2, 3:])


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_between_two_slices_outlines_are_in_between(share):
    """One-hot labels would jump from one slice's outline to the next one's at 0.5."""
    radii = [16.0, 16.0, 12.0, 12.0]
    labels = tube(radii)
    carried = carry_labels(part_depths(labels, SPACING), places(labels.shape, (0, 0, share)))
    radius = np.sqrt((carried[1] == HeartPart.LV).sum() / np.pi)
    assert radius == pytest.approx(16 - 4 * share, abs=0.35)


def test_small_motions_move_outlines_by_less_than_a_voxel():
    labels = tube([14.0] * 4)
    depths = part_depths(labels, SPACING)
    areas = []
    for shrink in (1.0, 1.01, 1.02, 1.03, 1.04):
        where = places(labels.shape)
        for axis, center in ((0, 29.3), (1, 30.1)):
            where[axis] = center + (where[axis] - center) * shrink
        areas.append((carry_labels(depths, where)[1] == HeartPart.LV).sum())
    expected = np.pi * 14.0**2 / np.array([1.0, 1.01, 1.02, 1.03, 1.04]) ** 2
    np.testing.assert_allclose(areas, expected, rtol=0.03)


def test_what_comes_from_outside_is_background():
    labels = tube([14, 14, 14])
    carried = carry_labels(part_depths(labels, SPACING), places(labels.shape, (0, 0, -1.0)))
    assert not carried[0].any()
    assert (carried[1] == HeartPart.LV).any()


def test_a_part_that_is_not_there_does_not_appear():
    labels = tube([14, 13, 11])
    assert HeartPart.RV not in carry_labels(part_depths(labels, SPACING), places(labels.shape))


def test_small_components_are_removed():
    parts = np.zeros((4, 6, 20, 20), np.float32)
    parts[0] = 0.2
    parts[HeartPart.LV, :, 5:12, 5:12] = 0.8
    parts[HeartPart.LV, 3, 18, 18] = 0.9
    grid = ModelGrid((6, 20, 20), (1.0, 1.0, 1.0), (6, 24, 24), np.eye(4))
    ids = seen_labels(parts, grid)
    assert ids.shape == (6, 24, 24)
    assert (ids[:, 5:12, 5:12] == HeartPart.LV).all()
    assert (ids == HeartPart.LV).sum() == 6 * 49
    assert not ids[:, 20:].any()  # beyond the window


def test_the_box_holds_the_masks_with_a_margin():
    masks = np.zeros((2, 5, 40, 50), bool)
    masks[0, 2, 10, 20] = masks[1, 3, 15, 30] = True
    assert heart_box(masks, 4) == (slice(None), slice(6, 20), slice(16, 35))
    whole = heart_box([np.zeros((5, 40, 50), bool)], 4)
    assert np.zeros((5, 40, 50))[whole].shape == (5, 40, 50)


@pytest.mark.parametrize("count", [2, 3, 4, 12])
def test_the_spline_between_slices_is_scipys(count):
    between = np.arange((count - 1) * 3 + 1) / 3
    wanted = CubicSpline(np.arange(count), np.eye(count))(between)
    np.testing.assert_allclose(cubic_spline(count, 3), wanted, atol=1e-12)
