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
Boundaries = tuple[NDArray[np.float32], NDArray[np.float32]]

COLUMNS: Final = CELL_PX * np.arange(PATCH_PX // CELL_PX) + (CELL_PX - 1) / 2
"""Patch px of the cells' middles."""
PARTS: Final = (slice(0, 4), slice(4, 6), slice(6, 8))
"""Which of the boundaries are the mouth's, the left eye's and the right eye's."""
PART_OF: Final = np.array([0, 0, 0, 0, 1, 1, 2, 2])
"""The part of each boundary."""

_UPPER, _INNER, _LOWER, _EYE, _HIDDEN = (
    CLASSES.index(name) for name in ("upper_lip", "inner_mouth", "lower_lip", "eye", "hidden")
)
_PRESENT_PX: Final = (1.0, 2.5)  # height of a column that has nothing to say, and that has
_SHARP: Final = (0.35, 0.5)  # mean share where a part is: a guess, and what is well seen
_SEEN: Final = (0.15, 0.45)  # share of the area that is hidden: little, and too much
_LEAST_AREAS: Final = ((0.015, 0.03),) * 3  # of the patch: too little, enough
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


def boundaries(details: Details) -> Boundaries:
    """Return where boundaries lie in the columns of a face's patches, and how far to trust that.

    Returns:
        (8, 32) patch px: four of the mouth, then two of each eye, from top to bottom; and weights
        (3, 32), 0..1.
    """
    if details.boundaries is not None:
        return details.boundaries
    down, weights = boundaries_of(details.shares[None])
    return down[0], weights[0]


def boundaries_of(shares: NDArray[np.float32]) -> Boundaries:
    """Find the boundaries of several faces.

    Args:
        shares: (F, 2, K, 32, 32), see `Details`.

    Returns:
        (F, 8, 32) and (F, 3, 32), see `boundaries`.
    """
    sums = _SUMS @ shares.reshape(len(shares), -1, len(COLUMNS))
    total, moment = sums[:, _WHOLE], sums[:, _MOMENT]
    height = CELL_PX * total
    half = np.float32(0.5) * height
    down = (moment / np.maximum(total, np.float32(1e-3)))[:, PART_OF]
    down[:, PARTS[0]] -= half[:, :1]
    down[:, 1:4] += CELL_PX * sums[:, _LIPS]
    half -= np.float32(EYE_RIM_PX)
    np.maximum(half, 0, out=half)
    down[:, 4::2] -= half[:, 1:]
    down[:, 5::2] += half[:, 1:]
    weights = smoothstep(*_PRESENT_PX, height)
    areas = sums.sum(axis=2).tolist()
    for (mouth, eyes), area, weight in zip(shares, areas, weights, strict=True):
        whole = mouth[_UPPER] + mouth[_INNER] + mouth[_LOWER], *_of_eyes(eyes[_EYE])
        before = mouth[_HIDDEN], *_of_eyes(eyes[_HIDDEN])
        parts = zip(whole, before, area[_WHOLE], area[_BEFORE], _LEAST_AREAS, weight, strict=True)
        for *part, present in parts:
            present *= np.float32(_certainty(*part))
    return down, weights


def outlines(details: Details) -> tuple[Outline, Outline, Outline]:
    """Return the outlines of a face's mouth, left and right eye."""
    down, weights = boundaries(details)
    mouth, left, right = (
        Outline(_on_crop(down[part], frame), trust)
        for part, frame, trust in zip(PARTS, details.frames, weights, strict=True)
    )
    return mouth, left, right


def mouth_outline(details: Details) -> Outline:
    """Return the outline of a face's mouth: of its four boundaries the inner lips are two."""
    down, weights = boundaries(details)
    return Outline(_on_crop(down[PARTS[0]], details.frames[0]), weights[0])


def eye_heights(details: Details) -> NDArray[np.float32]:
    """Return how far a face's left and right eye are open at their middle, (2,) crop px.

    Of a shut eye too little is seen for its outline to be trusted, but how little tells that it is
    shut.
    """
    rims = _of_eyes(details.shares[1, _EYE]).sum(axis=1)
    heights = np.sort(CELL_PX * rims, axis=-1)[:, _MIDDLE] - 2 * EYE_RIM_PX
    px = [float(np.hypot(*frame[:, 1])) for frame in details.frames[1:]]
    return np.asarray(np.maximum(heights, 0) * px, np.float32)


def _of_eyes(shares: Floats) -> Floats:
    """Shares (2, rows, 32) of both eyes' patches, from those of their picture."""
    return shares.reshape(2, EYE_ROWS // CELL_PX, -1)


def _certainty(
    whole: Floats, hidden: Floats, area: float, covered: float, least: tuple[float, float]
) -> float:
    """How far a part can be trusted: it is there, sharp, and nothing lies before it.

    Args:
        whole: (rows, 32) its shares.
        hidden: (rows, 32) shares of what lies before the face.
        area: sum of the first.
        covered: sum of the second.
        least: area of the patch that is too little, and that is enough.
    """
    if covered > _SEEN[0] * (area + covered):  # else what is near is less than matters, too
        covered = float(np.vdot(hidden, _near(whole)))
    sharp = float(np.vdot(whole, whole)) / max(area, 1e-3)
    return (
        _ramp(_SHARP, sharp)
        * (1 - _ramp(_SEEN, covered / max(area + covered, 1e-3)))
        * _ramp(least, area / whole.size)
    )


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


_LIPS: Final = slice(0, 3)  # rows of `_SUMS`
_WHOLE: Final = slice(2, 5)  # the last of the lips' is the whole mouth's
_MOMENT: Final = slice(5, 8)
_BEFORE: Final = slice(8, 11)


def _weights_of_sums() -> NDArray[np.float32]:
    """Weights (11, 2 K 32) of a column's shares in all sums of columns that are asked for.

    The upper lip, with the inside, with the lower lip; each eye; the moments about the first row
    of mouth and eyes; what lies before the three.
    """
    rows = np.arange(PATCH_PX // CELL_PX)
    weights = np.zeros((11, 2, len(CLASSES), len(rows)), np.float32)
    for count, part in enumerate((_UPPER, _INNER, _LOWER)):
        weights[count : _LIPS.stop, 0, part] = 1
    weights[_BEFORE.start, 0, _HIDDEN] = 1
    for eye, places in enumerate(np.split(rows, 2)):
        weights[_WHOLE.start + 1 + eye, 1, _EYE, places] = 1
        weights[_BEFORE.start + 1 + eye, 1, _HIDDEN, places] = 1
    weights[_MOMENT] = weights[_WHOLE] * COLUMNS
    weights[_MOMENT.stop - 1, ..., EYE_ROWS // CELL_PX :] -= (
        np.float32(EYE_ROWS) * (weights[_WHOLE.stop - 1, ..., EYE_ROWS // CELL_PX :])
    )
    return weights.reshape(len(weights), -1)


_SUMS: Final = _weights_of_sums()
