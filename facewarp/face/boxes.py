"""Axis-aligned boxes (x0, y0, x1, y1) in frame px."""

import numpy as np
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""x0, y0, x1, y1 in px of the frame."""


def box_around(points: NDArray[np.float64]) -> Box:
    """Return the smallest box that holds points (N, 2)."""
    (x0, y0), (x1, y1) = points.min(0).tolist(), points.max(0).tolist()
    return x0, y0, x1, y1


def square_at(center: NDArray[np.float64], side: float) -> Box:
    """Return the square box of a side in px around a center (x, y)."""
    x, y = center.tolist()
    return x - side / 2, y - side / 2, x + side / 2, y + side / 2


def widened(box: Box, share: float) -> Box:
    """Return a box that reaches further by a share of its width and height on each side."""
    x, y = share * (box[2] - box[0]), share * (box[3] - box[1])
    return box[0] - x, box[1] - y, box[2] + x, box[3] + y


def center_of(box: Box) -> NDArray[np.float64]:
    """Return the center (x, y) of a box."""
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def side_of(box: Box) -> float:
    """Return the longer side of a box, px."""
    return max(box[2] - box[0], box[3] - box[1])


def overlap(one: Box, other: Box) -> float:
    """Return the intersection over union (IoU) of two boxes, 0 to 1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return width * height / (sum(areas) - width * height)
