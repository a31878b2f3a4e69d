"""Outlines of lips and lids, from the shares that the detail network gives each class.

A column of a mouth holds an upper lip, the inside and a lower lip, one above the other. Summed over
the column, their shares are their heights, to a part of a pixel, and with their common middle the
four boundaries between them follow: nothing has to be found by a threshold, and what is shut has
the height 0. An eye's column likewise has two boundaries; the rim that was taught around it is
taken off.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import smoothstep
from facewarp.face.details.patches import CELL_PX, CLASSES, EYE_RIM_PX, EYE_ROWS, PATCH_PX
from facewarp.face.face import Details

Floats = NDArray[np.floating]

COLUMNS: Final = CELL_PX * np.arange(PATCH_PX // CELL_PX) + (CELL_PX - 1) / 2
"""Patch px of the cells' middles."""

_UPPER, _INNER, _LOWER, _EYE, _HIDDEN = (
    CLASSES.index(name) for name in ("upper_lip", "inner_mouth", "lower_lip", "eye", "hidden")
)
_PRESENT_PX: Final = (1.0, 2.5)  # height of a column that has nothing to say, and that has
_SHARP: Final = (0.35, 0.5)  # mean share where a part is: a guess, and what is well seen
_SEEN: Final = (0.15, 0.45)  # share of the area that is hidden: little, and too much
_LEAST_AREA: Final = {
    "mouth": (0.015, 0.03),
    "eye": (0.015, 0.03),
}  # of the patch: too little, enough
_MIDDLE: Final = 26  # of the heights of an eye's 32 columns, in order: corners are low
_AROUND: Final = np.ones((5, 5), np.uint8)  # cells


@dataclass(frozen=True)
class Outline:
    """Boundaries across the columns of one patch.

    Attributes:
        points: (B, 32, 2) crop px: the boundaries from top to bottom at each column.
        weights: (32,) how far they can be trusted, 0..1.
    """

    points: NDArray[np.float32]
    weights: NDArray[np.float32]


def outlines(details: Details) -> tuple[Outline, Outline, Outline]:
    """Return the outlines of a face's mouth, left and right eye."""
    lids, weights = _eyes(details.shares[1])
    left, right = (
        Outline(_on_crop(one, frame), trust)
        for one, trust, frame in zip(lids, weights, details.frames[1:], strict=True)
    )
    return mouth_outline(details), left, right


def mouth_outline(details: Details) -> Outline:
    """Return the outline of a face's mouth: of its four boundaries the inner lips are two."""
    lips, weights = _mouth(details.shares[0])
    return Outline(_on_crop(lips, details.frames[0]), weights[0])


def eye_heights(details: Details) -> NDArray[np.float32]:
    """Return how far a face's left and right eye are open at their middle, (2,) crop px.

    Of a shut eye too little is seen for its outline to be trusted, but how little tells that it is
    shut.
    """
    rims = details.shares[1, _EYE].reshape(2, EYE_ROWS // CELL_PX, -1).sum(axis=1)
    heights = np.sort(CELL_PX * rims, axis=-1)[:, _MIDDLE] - 2 * EYE_RIM_PX
    px = [float(np.hypot(*frame[:, 1])) for frame in details.frames[1:]]
    return np.asarray(np.maximum(heights, 0) * px, np.float32)


def _mouth(shares: Floats) -> tuple[Floats, Floats]:
    """Boundaries (4, 32) and weights (1, 32)."""
    parts = shares[_UPPER : _LOWER + 1]
    whole = parts.sum(axis=0)
    middle, total = _middle(whole)
    boundaries = np.empty((4, len(total)), np.float32)
    boundaries[0] = middle - total / 2
    boundaries[1:] = CELL_PX * parts.sum(axis=1)
    weights = _weights(whole[None], shares[None, _HIDDEN], total[None], _LEAST_AREA["mouth"])
    return np.cumsum(boundaries, axis=0, out=boundaries), weights


def _eyes(shares: Floats) -> tuple[Floats, Floats]:
    """Boundaries (2, 2, 32) and weights (2, 32) of both eyes."""
    whole, hidden = (shares[one].reshape(2, EYE_ROWS // CELL_PX, -1) for one in (_EYE, _HIDDEN))
    middle, total = _middle(whole)
    half = np.maximum(total / 2 - EYE_RIM_PX, 0)
    weights = _weights(whole, hidden, total, _LEAST_AREA["eye"])
    return np.stack([middle - half, middle + half], axis=1), weights


def _middle(whole: Floats) -> tuple[Floats, Floats]:
    """Middle and height of a part (..., rows, 32) in each column, patch px."""
    rows = CELL_PX * np.arange(whole.shape[-2], dtype=np.float32) + np.float32((CELL_PX - 1) / 2)
    total = whole.sum(axis=-2)
    return rows @ whole / np.maximum(total, np.float32(1e-3)), CELL_PX * total


def _weights(
    whole: Floats, hidden: Floats, total: Floats, least: tuple[float, float]
) -> NDArray[np.float32]:
    """How far each column can be trusted: the part is there, sharp, and nothing lies before it.

    Args:
        whole: (n, rows, 32) shares of n parts.
        hidden: (n, rows, 32) shares of what lies before the face.
        total: (n, 32) heights, px.
        least: area of the patch that is too little, and that is enough.
    """
    certainties = []
    for shares, before in zip(whole, hidden, strict=True):
        area, covered = float(shares.sum()), float(np.vdot(before, _near(shares)))
        sharp = float(np.vdot(shares, shares)) / max(area, 1e-3)
        certainties.append(
            _ramp(_SHARP, sharp)
            * (1 - _ramp(_SEEN, covered / max(area + covered, 1e-3)))
            * _ramp(least, area / shares.size)
        )
    return np.array(certainties, np.float32)[:, None] * smoothstep(*_PRESENT_PX, total)


def _ramp(limits: tuple[float, float], value: float) -> float:
    """0 below the first limit, 1 above the second."""
    return min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)


def _near(whole: Floats) -> Floats:
    """Where a part is, and a little around it."""
    return np.asarray(cv2.dilate(np.asarray(whole, np.float32), _AROUND))


def _on_crop(boundaries: Floats, frame: Floats) -> NDArray[np.float32]:
    """Points (B, 32, 2) of boundaries (B, 32) through a frame."""
    points = np.empty((*boundaries.shape, 2), np.float32)
    for axis, (along, down, start) in enumerate(frame.tolist()):
        points[..., axis] = boundaries * np.float32(down) + (COLUMNS * along + start)
    return points
