"""Face part masks from 68 iBUG landmarks."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from facewarp.face.parts import LANDMARK_COUNT, FacePart

_SHIFT = 4  # OpenCV draws at 1/16 px
_SAMPLES = 6  # drawn points a curve segment


def part_masks(landmarks: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Rasterize the seven face parts from 68 landmarks.

    Painted in this order, later over earlier: face (jaw, then back along the brows lifted by
    0.35 of the way from chin to nose bridge), brows (curves stroked 0.09 of the outer eye
    distance wide), eyes, nose, mouth (outer lip). Curves are Catmull-Rom.

    Args:
        landmarks: (68, 2) (x, y) px, at any scale; points may lie outside of the image.
        shape: (H, W) of the label image.

    Returns:
        (H, W) uint8 `FacePart` ids.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (LANDMARK_COUNT, 2) or not np.isfinite(points).all():
        raise ValueError(f"landmarks must be finite and (68, 2), not {points.shape}")
    labels = np.zeros(shape[:2], dtype=np.uint8)
    forehead = points[26:16:-1] + 0.35 * (points[27] - points[8])
    _fill(labels, np.concatenate([points[:17], forehead]), FacePart.FACE)
    width = max(1, round(0.09 * float(np.linalg.norm(points[36] - points[45]))))
    for part, brow in ((FacePart.BROW_LEFT, points[17:22]), (FacePart.BROW_RIGHT, points[22:27])):
        curve = _to_fixed_point(_open_curve(len(brow)) @ brow)
        cv2.polylines(labels, [curve], False, int(part), width, cv2.LINE_8, _SHIFT)
    _fill(labels, _closed_curve(6) @ points[36:42], FacePart.EYE_LEFT)
    _fill(labels, _closed_curve(6) @ points[42:48], FacePart.EYE_RIGHT)
    _fill(labels, _nose_outline(points), FacePart.NOSE)
    _fill(labels, _closed_curve(12) @ points[48:60], FacePart.MOUTH)
    return labels


def _nose_outline(points: NDArray[np.float64]) -> NDArray[np.float64]:
    across = 0.12 * (points[42] - points[39])
    up = 0.25 * (points[30] - points[33])
    left = points[31] + 0.35 * (points[31] - points[33])
    right = points[35] + 0.35 * (points[35] - points[33])
    return np.stack(
        [
            points[27] - across,
            left + up,
            left,
            points[32],
            points[33],
            points[34],
            right,
            right + up,
            points[27] + across,
        ]
    )


def _fill(labels: NDArray[np.uint8], outline: NDArray[np.float64], part: FacePart) -> None:
    cv2.fillPoly(labels, [_to_fixed_point(outline)], int(part), cv2.LINE_8, _SHIFT)


def _to_fixed_point(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.rint(points * (1 << _SHIFT)).astype(np.int32)


def _catmull_rom(
    before: NDArray[np.float64],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    after: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Uniform Catmull-Rom segment from `start` to `end`, its end left out, (samples, n)."""
    t = np.linspace(0, 1, _SAMPLES, endpoint=False)[:, None]
    linear = end - before
    square = 2 * before - 5 * start + 4 * end - after
    cube = -before + 3 * start - 3 * end + after
    return np.asarray(start + 0.5 * (linear * t + square * t**2 + cube * t**3))


@cache
def _closed_curve(n: int) -> NDArray[np.float64]:
    """Return the matrix (n * samples, n) from points of a closed curve to its samples."""
    unit = np.eye(n)
    segments = [
        _catmull_rom(unit[i - 1], unit[i], unit[(i + 1) % n], unit[(i + 2) % n]) for i in range(n)
    ]
    return np.concatenate(segments)


@cache
def _open_curve(n: int) -> NDArray[np.float64]:
    """Return the matrix ((n - 1) * samples + 1, n) from points of an open curve to its samples."""
    unit = np.eye(n)
    row = [2 * unit[0] - unit[1], *unit, 2 * unit[-1] - unit[-2]]
    segments = [_catmull_rom(*row[i : i + 4]) for i in range(n - 1)]
    return np.concatenate([*segments, unit[-1:]])
