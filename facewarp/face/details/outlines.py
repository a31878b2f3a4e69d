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
    mouth, eyes = details.shares
    rows = EYE_ROWS // CELL_PX
    left, right = (_eye(shares) for shares in (eyes[:, :rows], eyes[:, rows:]))
    return tuple(
        Outline(_on_crop(boundaries, frame), weights.astype(np.float32))
        for (boundaries, weights), frame in zip(
            (_mouth(mouth), left, right), details.frames, strict=True
        )
    )  # type: ignore[return-value]


def _mouth(shares: Floats) -> tuple[Floats, Floats]:
    heights = CELL_PX * shares[[_UPPER, _INNER, _LOWER]].sum(axis=1)
    whole = shares[_UPPER] + shares[_INNER] + shares[_LOWER]
    middle, total = _middle(whole)
    top = middle - total / 2
    boundaries = np.stack([top, top + heights[0], top + heights[0] + heights[1], top + total])
    return boundaries, _weights(whole, shares[_HIDDEN], total, _LEAST_AREA["mouth"])


def _eye(shares: Floats) -> tuple[Floats, Floats]:
    whole = shares[_EYE]
    middle, total = _middle(whole)
    half = np.maximum(total / 2 - EYE_RIM_PX, 0)
    weights = _weights(whole, shares[_HIDDEN], total, _LEAST_AREA["eye"])
    return np.stack([middle - half, middle + half]), weights


def _middle(whole: Floats) -> tuple[Floats, Floats]:
    """Middle and height of a part in each column, patch px."""
    rows = CELL_PX * np.arange(len(whole)) + (CELL_PX - 1) / 2
    total = whole.sum(axis=0)
    return rows @ whole / np.maximum(total, 1e-3), CELL_PX * total


def _weights(whole: Floats, hidden: Floats, total: Floats, least: tuple[float, float]) -> Floats:
    """How far each column can be trusted: the part is there, sharp, and nothing lies before it."""
    area, before = float(whole.sum()), float((hidden * _near(whole)).sum())
    sharp = float(np.square(whole).sum()) / max(area, 1e-3)
    certainty = (
        _ramp(_SHARP, sharp)
        * (1 - _ramp(_SEEN, before / max(area + before, 1e-3)))
        * _ramp(least, area / whole.size)
    )
    return np.asarray(certainty * smoothstep(*_PRESENT_PX, total))


def _ramp(limits: tuple[float, float], value: float) -> float:
    """0 below the first limit, 1 above the second."""
    return min(max((value - limits[0]) / (limits[1] - limits[0]), 0.0), 1.0)


def _near(whole: Floats) -> Floats:
    """Where a part is, and a little around it."""
    return np.asarray(cv2.dilate(np.asarray(whole, np.float32), np.ones((5, 5), np.uint8)))


def _on_crop(boundaries: Floats, frame: Floats) -> NDArray[np.float32]:
    x = np.broadcast_to(COLUMNS, boundaries.shape)
    points = np.stack([x, boundaries], axis=-1)
    return np.asarray(points @ frame[:, :2].T + frame[:, 2], np.float32)
