"""Local correlation of gray values around each voxel, and smoothing by small matrices."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from facewarp.core.fields import spline_field, spline_matrix

Window = list[Tensor]  # a matrix for each axis, in the order of the tensor's axes
_REACH = 4.0  # standard deviations that a Gaussian is cut at


def gaussian_window(shape: Sequence[int], sigma: Sequence[float]) -> Window:
    """Return Gaussian means as matrices ``(n, n)``, one an axis, renormalized at edges.

    Args:
        shape: of the images, ``([D,] H, W)``.
        sigma: standard deviations in voxels, in the same order; 0 leaves an axis as it is.
    """
    return [_gaussian(n, width) for n, width in zip(shape, sigma, strict=True)]


def box_window(shape: Sequence[int], width: Sequence[int]) -> Window:
    """Return means over an odd number of voxels as matrices; edges are repeated."""
    return [spline_matrix(n, n, w, passes=1) for n, w in zip(shape, width, strict=True)]


def smooth(values: Tensor, window: Window) -> Tensor:
    """Average ``(B, C, *shape)`` in a window around each voxel."""
    return spline_field(values, window)


def squared_correlation(a: Tensor, b: Tensor, window: Window, floor: float = 1e-5) -> Tensor:
    """Return the squared local correlation coefficient of two images, 0 to 1.

    Args:
        a: ``(B, 1, *shape)``.
        b: the same.
        window: of the means.
        floor: added to the product of the variances: where both images are flat there is none.
    """
    n = a.shape[1]
    means = smooth(torch.cat([a, b, a * a, b * b, a * b], dim=1), window)
    mean_a, mean_b, square_a, square_b, product = means.split(n, dim=1)
    cross = product - mean_a * mean_b
    variance_a = (square_a - mean_a * mean_a).clamp(min=0)
    variance_b = (square_b - mean_b * mean_b).clamp(min=0)
    return cross * cross / (variance_a * variance_b + floor)


def _gaussian(n: int, sigma: float) -> Tensor:
    if sigma <= 0:
        return torch.eye(n)
    where = torch.arange(n, dtype=torch.float64)
    away = (where[:, None] - where[None]) / sigma
    weights = torch.exp(-0.5 * away.square()) * (away.abs() <= max(_REACH, 1 / sigma))
    matrix: Tensor = weights / weights.sum(1, keepdim=True)
    return matrix.float()


def squarings_for(velocity: Tensor, most: float = 0.5) -> int:
    """Return how often to halve a velocity field until no voxel moves farther than ``most``."""
    largest = float(velocity.detach().norm(dim=1).max())
    return max(0, math.ceil(math.log2(largest / most))) if largest > most else 0
