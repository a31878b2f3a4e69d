"""Metrics of registration in 2D and 3D: Dice, contour and Hausdorff distance, Jacobian."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from facewarp.core.arrays import FloatArray


def dice_per_part(a: ArrayLike, b: ArrayLike, n_classes: int) -> FloatArray:
    """Return the Dice coefficient of each part, 2 |A and B| / (|A| + |B|).

    Args:
        a: ([D,] H, W) integer labels, 0 to `n_classes` - 1.
        b: the other labels, same shape.
        n_classes: number of classes, the background counted.

    Returns:
        (n_classes - 1,) float64 in 0..1, without the background: entry i is that of part i + 1.
        NaN where a part is in neither, 0 where it is in one only.

    Raises:
        ValueError: different shapes, or labels out of range.
    """
    a, b = _same_labels(a, b)
    if a.size and (min(a.min(), b.min()) < 0 or max(a.max(), b.max()) >= n_classes):
        raise ValueError(f"labels must be in 0 to {n_classes - 1}")
    pairs = a.astype(np.intp).ravel() * n_classes + b.astype(np.intp).ravel()
    both = np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
    sizes = (both.sum(axis=0) + both.sum(axis=1))[1:].astype(np.float64)
    overlap = 2.0 * both.diagonal()[1:]
    result = np.full(n_classes - 1, np.nan)
    np.divide(overlap, sizes, out=result, where=sizes > 0)
    return result


def mean_over_present(values: ArrayLike) -> float:
    """Return the mean of the values that are not NaN: over the parts present; NaN if none is."""
    array = np.asarray(values, dtype=np.float64)
    present = array[~np.isnan(array)]
    return float(present.mean()) if present.size else float("nan")


def contour(mask: ArrayLike) -> NDArray[np.bool_]:
    """Return the contour of a mask: its pixels with a direct neighbour outside mask or image."""
    inside = np.asarray(mask, dtype=bool)
    edge = np.zeros_like(inside)
    for axis in range(inside.ndim):
        here, before, after = np.moveaxis(inside, axis, 0), *_shifted(inside, axis)
        np.moveaxis(edge, axis, 0)[...] |= here & ~(before & after)
    return edge


def contour_distance_px(a: ArrayLike, b: ArrayLike, n_classes: int) -> FloatArray:
    """Return the symmetric mean contour distance of each part (the paper's equation 6), px.

    Half the mean distance of the contour pixels of A to the contour of B, and half that of B's to
    A's. The table's number is its mean over the parts (`mean_over_present`).

    Args:
        a: ([D,] H, W) integer labels.
        b: the other labels, same shape.
        n_classes: number of classes, the background counted.

    Returns:
        (n_classes - 1,) float64 px; NaN where a part is missing in either.
    """
    a, b = _same_labels(a, b)
    result = np.full(n_classes - 1, np.nan)
    for part in range(1, n_classes):
        distances = _directed_distances(a == part, b == part, None)
        if distances is not None:
            result[part - 1] = 0.5 * distances[0].mean() + 0.5 * distances[1].mean()
    return result


def hd95_mm(a: ArrayLike, b: ArrayLike, spacing: Sequence[float], n_classes: int) -> FloatArray:
    """Return the 95 % Hausdorff distance of each part: the larger of the two directed ones.

    Args:
        a: ([D,] H, W) integer labels.
        b: the other labels, same shape.
        spacing: mm a pixel or voxel, in the order of the array's axes ([z,] y, x).
        n_classes: number of classes, the background counted.

    Returns:
        (n_classes - 1,) float64 mm; NaN where a part is missing in either.
    """
    a, b = _same_labels(a, b)
    if len(spacing) != a.ndim or min(spacing) <= 0:
        raise ValueError(f"spacing must be {a.ndim} positive numbers, not {tuple(spacing)}")
    result = np.full(n_classes - 1, np.nan)
    for part in range(1, n_classes):
        distances = _directed_distances(a == part, b == part, spacing)
        if distances is not None:
            result[part - 1] = max(float(np.percentile(d, 95)) for d in distances)
    return result


@dataclass(frozen=True)
class JacobianStatistics:
    """Statistics of a field's Jacobian determinant.

    Attributes:
        std: standard deviation of the determinant.
        folds_percent: share of points with determinant <= 0, percent.
        sdlogj: standard deviation of the logarithm of the (shifted) determinant, clipped to
            1e-9..1e9.
    """

    std: float
    folds_percent: float
    sdlogj: float


def jacobian_statistics(determinant: ArrayLike, *, log_shift: float = 0.0) -> JacobianStatistics:
    """Summarise the Jacobian determinant of a field over an array of any shape.

    Args:
        determinant: determinants.
        log_shift: added to them before the logarithm alone. The evaluation of Learn2Reg, and
            papers that use it, add 3, which makes SDlogJ several times smaller.

    Raises:
        ValueError: empty, or not finite.
    """
    values = np.asarray(determinant, dtype=np.float64)
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("the determinant must be finite and not empty")
    return JacobianStatistics(
        std=float(values.std()),
        folds_percent=100.0 * float((values <= 0).mean()),
        sdlogj=float(np.log((values + log_shift).clip(1e-9, 1e9)).std()),
    )


def _same_labels(a: ArrayLike, b: ArrayLike) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    first, second = np.asarray(a), np.asarray(b)
    if first.shape != second.shape:
        raise ValueError(f"labels differ in shape: {first.shape} and {second.shape}")
    if not (np.issubdtype(first.dtype, np.integer) and np.issubdtype(second.dtype, np.integer)):
        raise ValueError(f"labels must be integers, not {first.dtype} and {second.dtype}")
    return first, second


def _shifted(inside: NDArray[np.bool_], axis: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return a mask's neighbours before and after along an axis, that axis first; False beyond."""
    here = np.moveaxis(inside, axis, 0)
    before, after = np.zeros_like(here), np.zeros_like(here)
    before[1:] = here[:-1]
    after[:-1] = here[1:]
    return before, after


def _directed_distances(
    a: NDArray[np.bool_], b: NDArray[np.bool_], spacing: Sequence[float] | None
) -> tuple[FloatArray, FloatArray] | None:
    """Return the distances of A's contour to B's, and of B's to A's; None if one is empty."""
    edge_a, edge_b = contour(a), contour(b)
    if not edge_a.any() or not edge_b.any():
        return None
    return _distance_to(edge_b, spacing)[edge_a], _distance_to(edge_a, spacing)[edge_b]


def _distance_to(edge: NDArray[np.bool_], spacing: Sequence[float] | None) -> FloatArray:
    if edge.ndim == 2 and spacing is None:  # the same numbers, many times faster
        away = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(away, dtype=np.float64)
    return np.asarray(ndimage.distance_transform_edt(~edge, sampling=spacing), dtype=np.float64)
