"""Baseline: coherent point drift, registration of two point sets by a smooth field.

Myronenko, Song, Point Set Registration: Coherent Point Drift, IEEE TPAMI 2010, the non-rigid case.
"""

from dataclasses import dataclass

import numpy as np

from facewarp.core.arrays import Points

_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Drift:
    """A smooth displacement of the plane: a sum of Gaussians around the source points.

    Attributes:
        points: ``(N, 2)`` centers of the Gaussians, in the units of `center` and `scale`.
        weights: ``(N, 2)`` of the Gaussians.
        center: ``(2,)`` px of both sets' common frame.
        scale: px of its unit.
        width: standard deviation of the Gaussians, units.
        start: ``(2,)`` mean displacement, px.
    """

    points: Points
    weights: Points
    center: Points
    scale: float
    width: float
    start: Points

    def __call__(self, points: Points) -> Points:
        """Return displacements ``(M, 2)`` px of points ``(M, 2)`` px."""
        units = (points - self.center) / self.scale
        return self.start + self.scale * _kernel(units, self.points, self.width) @ self.weights


def coherent_drift(
    source: Points,
    target: Points,
    *,
    width: float = 1.0,
    smoothness: float = 2.0,
    outliers: float = 0.1,
    iterations: int = 100,
) -> Drift:
    """Register points of `source` to those of `target`, without known correspondence.

    The target is a mixture of Gaussians around the moved source and a uniform share of outliers;
    fitted by expectation maximization with a smooth field.

    Args:
        source: ``(N, 2)`` px.
        target: ``(M, 2)`` px.
        width: of the smoothing Gaussians (beta), in root mean square radii of the source.
        smoothness: weight of the field's norm (lambda).
        outliers: expected share of outliers in target (w).
        iterations: at most.

    Returns:
        The displacement, for any point of the plane.
    """
    if min(len(source), len(target)) < 2:
        raise ValueError("point sets must have two points at least")
    center, start = source.mean(0), target.mean(0) - source.mean(0)
    scale = float(np.sqrt(((source - center) ** 2).sum(1).mean())) or 1.0
    y = (source - center) / scale
    x = (target - center - start) / scale
    n, m = len(x), len(y)
    gram = _kernel(y, y, width)
    weights = np.zeros_like(y)
    moved = y.copy()
    variance = _distances(x, y).sum() / (2 * n * m)
    for _ in range(iterations):
        near = np.exp(-_distances(moved, x) / (2 * variance))
        noise = 2 * np.pi * variance * outliers / (1 - outliers) * m / n
        share = near / (near.sum(0) + noise + 1e-300)
        mass = share.sum(1)
        system = mass[:, None] * gram + smoothness * variance * np.eye(m)
        weights = np.linalg.solve(system, share @ x - mass[:, None] * y)
        before, moved = moved, y + gram @ weights
        variance = (share * _distances(moved, x)).sum() / (2 * max(mass.sum(), 1e-9))
        variance = max(float(variance), 1e-6)
        if np.abs(moved - before).max() < _TOLERANCE:
            break
    return Drift(y, weights, center, scale, width, start)


def _distances(a: Points, b: Points) -> Points:
    return np.asarray(((a[:, None] - b[None]) ** 2).sum(-1))


def _kernel(a: Points, b: Points, width: float) -> Points:
    return np.asarray(np.exp(-_distances(a, b) / (2 * width**2)))
