"""Similarity and affine transforms of points: the rigid motion of a face."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points

Affine = NDArray[np.float64]
"""(2, 3) matrix: a point (x, y) goes to matrix @ (x, y, 1)."""


def fit_similarity(start: Points, end: Points) -> Affine:
    """Fit the similarity (shift, rotation, scale) that maps points (N, 2) closest to others.

    Least squares, in complex numbers: with both sets about their means the best turn and scale is
    ``sum(conj(start) * end) / sum(|start|^2)``.
    """
    here, there = ((points - points.mean(0)) @ (1, 1j) for points in (start, end))
    turn = np.vdot(here, there) / np.vdot(here, here).real
    return turned_about(start.mean(0), end.mean(0), abs(turn), math.atan2(turn.imag, turn.real))


def rotation(angle: float) -> NDArray[np.float64]:
    """Return the (2, 2) matrix of a rotation from +x towards +y, angle in radians.

    Its columns are the rotated axes: ``points @ rotation(angle)`` gives coordinates along them.
    """
    cos, sin = math.cos(angle), math.sin(angle)
    return np.array([[cos, -sin], [sin, cos]])


def turned_about(
    start: NDArray[np.floating], end: NDArray[np.floating], scale: float, angle: float
) -> Affine:
    """Return the similarity that maps one point (2,) to another, scales and rotates (+x to +y)."""
    linear = scale * rotation(angle)
    return np.column_stack([linear, end - linear @ start]).astype(np.float64)


def compose_affine(outer: Affine, inner: Affine) -> Affine:
    """Compose two affine maps: ``outer(inner(p))``."""
    linear = outer[:, :2]
    return np.column_stack([linear @ inner[:, :2], linear @ inner[:, 2] + outer[:, 2]])


def inverse(affine: Affine) -> Affine:
    """Invert an affine transform."""
    return np.asarray(cv2.invertAffineTransform(affine), dtype=np.float64)
