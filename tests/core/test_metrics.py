import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from facewarp.core.metrics import (
    contour,
    contour_distance_px,
    dice_per_part,
    hd95_mm,
    jacobian_statistics,
    mean_over_present,
)


def blobs(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Labels 0 to 3 in smooth blobs."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    return np.digitize(noise, np.quantile(noise, [0.4, 0.6, 0.8])).astype(np.uint8)


def directed(a: np.ndarray, b: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances between contours by comparing all pixels."""
    edges = [np.argwhere(m & ~ndimage.binary_erosion(m)) * spacing for m in (a, b)]
    distances = cdist(*edges)
    return distances.min(axis=1), distances.min(axis=0)


def test_dice_by_hand() -> None:
    a = np.array([[1, 1, 2, 0]])
    b = np.array([[1, 0, 2, 3]])
    # part 1: 2 * 1 / (2 + 1); part 2: the same; part 3: in b only; part 4: in neither
    expected = [2 / 3, 1.0, 0.0, np.nan]
    np.testing.assert_allclose(dice_per_part(a, b, 5), expected)


def test_dice_is_one_and_symmetric() -> None:
    a, b = blobs((8, 20, 24), 0), blobs((8, 20, 24), 1)
    np.testing.assert_array_equal(dice_per_part(a, a, 4), np.ones(3))
    np.testing.assert_array_equal(dice_per_part(a, b, 4), dice_per_part(b, a, 4))


def test_dice_refuses_other_shapes_and_labels() -> None:
    with pytest.raises(ValueError, match="shape"):
        dice_per_part(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)
    with pytest.raises(ValueError, match="integers"):
        dice_per_part(np.zeros(3), np.zeros(3), 2)
    with pytest.raises(ValueError, match="0 to 1"):
        dice_per_part(np.array([2]), np.array([0]), 2)


def test_mean_leaves_out_absent_parts() -> None:
    assert mean_over_present([0.5, np.nan, 1.0]) == 0.75
    assert np.isnan(mean_over_present([np.nan]))


@pytest.mark.parametrize("shape", [(30, 40), (9, 14, 16)])
def test_contour_is_the_mask_less_its_erosion(shape: tuple[int, ...]) -> None:
    mask = blobs(shape, 2) >= 2
    np.testing.assert_array_equal(contour(mask), mask & ~ndimage.binary_erosion(mask))


def test_contour_distance_by_hand() -> None:
    a = np.zeros((9, 20), int)
    b = np.zeros((9, 20), int)
    a[2:5, 2:5] = 1  # 8 contour pixels around its middle
    b[2:5, 5:8] = 1  # moved by 3: its left column is 1, 1, 1 px from A's right column
    # From A: columns 2, 3, 4 to column 5 are 3, 2, 1 px away, the middle pixel is no contour.
    expected = (3 * 3 + 2 * 2 + 3 * 1) / 8
    assert contour_distance_px(a, b, 2)[0] == pytest.approx(expected)


@pytest.mark.parametrize("shape", [(40, 50), (8, 18, 20)])
def test_distances_agree_with_comparing_all_pixels(shape: tuple[int, ...]) -> None:
    a, b = blobs(shape, 3), blobs(shape, 4)
    spacing = np.array([7.0, 1.5, 0.8])[-len(shape) :]
    mean = contour_distance_px(a, b, 4)
    worst = hd95_mm(a, b, tuple(spacing), 4)
    for part in (1, 2, 3):
        there, back = directed(a == part, b == part, np.ones(len(shape)))
        assert mean[part - 1] == pytest.approx((there.mean() + back.mean()) / 2, abs=1e-5)
        there, back = directed(a == part, b == part, spacing)
        expected = max(np.percentile(there, 95), np.percentile(back, 95))
        assert worst[part - 1] == pytest.approx(expected)


def test_distances_of_a_missing_part_are_unknown() -> None:
    a = np.array([[0, 1, 1], [0, 0, 0], [0, 0, 0]])
    assert np.isnan(contour_distance_px(a, 2 * a, 3)).all()
    assert np.isnan(hd95_mm(a, 2 * a, (1, 1), 3)).all()
    assert contour_distance_px(a, a, 3)[0] == 0
    assert hd95_mm(a, a, (1, 1), 3)[0] == 0


def test_hd95_takes_spacing_in_the_order_of_the_axes() -> None:
    a, b = np.zeros((2, 20, 20), int)
    a[10, 10] = b[14, 10] = 1
    assert hd95_mm(a, b, (2.0, 9.0), 2)[0] == pytest.approx(8.0)
    with pytest.raises(ValueError, match="spacing"):
        hd95_mm(a, b, (1.0, 1.0, 1.0), 2)


def test_jacobian_statistics_by_hand() -> None:
    stats = jacobian_statistics(np.array([[1.0, 1.0], [np.e, np.e]]))
    assert stats.std == pytest.approx((np.e - 1) / 2)
    assert stats.sdlogj == pytest.approx(0.5)
    assert stats.folds_percent == 0
    assert jacobian_statistics([1.0, 0.0, -2.0, 3.0]).folds_percent == 50
    shifted = jacobian_statistics([1.0, 2.0], log_shift=3.0)
    assert shifted.sdlogj == pytest.approx(np.log(5 / 4) / 2)
    assert shifted.std == 0.5


@pytest.mark.parametrize("values", [[], [1.0, np.nan]])
def test_jacobian_statistics_refuse_nonsense(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        jacobian_statistics(values)
