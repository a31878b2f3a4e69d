"""Baseline: thin-plate spline through MediaPipe's 478 face points, without training.

Bookstein, Principal Warps, IEEE TPAMI 1989; the points: Kartynnik et al., arXiv:1907.06724.
"""

import logging
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from facewarp.core.arrays import ImageArray, Points
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.mediapipe_blazeface import find_face_points

log = logging.getLogger(__name__)
GRID = (80, 65)  # where splines are evaluated; between them the field is interpolated


def spline_field(
    fixed: Points, moving: Points, smoothing: float = 1.0, shape: tuple[int, int] = CROP_SHAPE
) -> NDArray[np.float32]:
    """Return the field ``(2, *shape)`` px that maps points of fixed to those of moving.

    Args:
        fixed: ``(N, 2)`` (x, y) px, three or more that are not on a line.
        moving: where they lie in moving.
        smoothing: 0 interpolates; more reduces the bending energy, in px of ``r^2 log r``.
        shape: of the image.
    """
    fit = RBFInterpolator(
        fixed, moving - fixed, kernel="thin_plate_spline", smoothing=smoothing, degree=1
    )
    return dense_field(lambda points: fit(points), shape)


def dense_field(
    displace: Callable[[Points], Points], shape: tuple[int, int] = CROP_SHAPE
) -> NDArray[np.float32]:
    """Sample a smooth function of points ``(N, 2)`` to displacements as a field ``(2, *shape)`` px.

    It is evaluated every four pixels and interpolated in between.
    """
    rows, columns = (
        (np.arange(n) + 0.5) * size / n - 0.5 for n, size in zip(GRID, shape, strict=True)
    )
    x, y = np.meshgrid(columns, rows)
    at = np.stack([x.ravel(), y.ravel()], axis=1)
    coarse = np.asarray(displace(at), dtype=np.float32).reshape(*GRID, 2)
    fine = cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(np.moveaxis(np.asarray(fine, np.float32), -1, 0))


def face_mesh(model: Path) -> Callable[[ImageArray, ImageArray], NDArray[np.float32]]:
    """Return a method: MediaPipe's landmarker and a thin-plate spline through its points.

    Where it finds no face, the field is zero.

    Args:
        model: ``face_landmarker.task``.

    Raises:
        FacewarpError: see `facewarp.face.mediapipe_blazeface.find_face_points`.
    """
    points_of = find_face_points(model)

    def find(fixed: ImageArray, moving: ImageArray) -> NDArray[np.float32]:
        here, there = (points_of(np.repeat(crop[..., None], 3, 2)) for crop in (fixed, moving))
        if here is None or there is None:
            log.info("MediaPipe finds no face in one of two crops")
            return np.zeros((2, *CROP_SHAPE), dtype=np.float32)
        return spline_field(here, there)

    return find
