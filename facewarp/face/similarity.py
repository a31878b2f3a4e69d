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
    here, there = (
        np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]
        for points in (start, end)
    )
    middle, target = here.sum() / len(here), there.sum() / len(there)
    here, there = here - middle, there - target
    turn = np.vdot(here, there) / np.vdot(here, here).real
    shift = target - turn * middle
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


class SimilarityFit:
    """Fits similarities from the same points as `fit_similarity` does, in half of its time.

    Args:
        start: (N, 2).
    """

    def __init__(self, start: Points) -> None:
        here = np.ascontiguousarray(start, np.float64).view(np.complex128)[:, 0]
        self._middle = complex(here.mean())
        here = here - self._middle
        self._weights = here.conj() / np.vdot(here, here).real

    def __call__(self, end: Points) -> Affine:
        """Fit the similarity that maps the points closest to others (N, 2)."""
        there = np.ascontiguousarray(end, np.float64).view(np.complex128)[:, 0]
        turn = complex(self._weights @ there)  # that of their mean is 0
        shift = complex(there.sum()) / len(there) - turn * self._middle
        return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


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
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    (x, y), (x_end, y_end) = start, end
    return np.array([[cos, -sin, x_end - cos * x + sin * y], [sin, cos, y_end - sin * x - cos * y]])


def compose_affine(outer: Affine, inner: Affine) -> Affine:
    """Compose two affine maps: ``outer(inner(p))``."""
    composed = outer[:, :2] @ inner
    composed[:, 2] += outer[:, 2]
    return composed


def inverse(affine: Affine) -> Affine:
    """Invert an affine transform."""
    return np.asarray(cv2.invertAffineTransform(affine), dtype=np.float64)


def sampled(image: NDArray[np.uint8], matrix: Affine, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Sample an image bilinearly, black beyond it; only the window that it takes is cut out.

    Args:
        image: (H, W, 3).
        matrix: from px of the samples to those of the image.
        size: (width, height) of the samples.

    Returns:
        (height, width, 3).
    """
    width, height = size
    ends = np.array([(0, 0, 1), (width - 1, 0, 1), (0, height - 1, 1), (width - 1, height - 1, 1)])
    places = ends @ matrix.T
    limit = image.shape[1::-1]
    x0, y0 = np.floor(places.min(axis=0) - 1).clip(0, np.subtract(limit, 1)).astype(int).tolist()
    x1, y1 = np.ceil(places.max(axis=0) + 2).clip((x0 + 1, y0 + 1), limit).astype(int).tolist()
    window = image[y0:y1, x0:x1]
    there = matrix.copy()
    there[:, 2] -= (x0, y0)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(window, there, size, flags=flags), np.uint8)
