"""Calm skin: a smoother map from frame to template where nothing asks for another.

Registration bends the map wherever lips, lids and outlines meet the better for it. On forehead,
cheeks and chin nothing has to meet; there small errors are seen as wrinkles in straight lines and
letters. So paint, and paint alone, is carried there by the map after a Gaussian.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import smoothstep
from facewarp.face.crop_fields import GRID_PX, GRID_SHAPE, resized
from facewarp.face.parts import FacePart

if TYPE_CHECKING:
    from facewarp.face.template.template import Template

_SIGMA: Final = 2.0  # points of the grid that is smoothed, `GRID_SHAPE`: of 4 crop px
_NEAR: Final = {
    (FacePart.EYE_LEFT, FacePart.EYE_RIGHT): (3.0, 14.0),
    (FacePart.MOUTH,): (4.0, 24.0),
    (FacePart.BROW_LEFT, FacePart.BROW_RIGHT): (0.0, 8.0),
    (FacePart.NOSE,): (0.0, 10.0),
}
"""Template px from parts within which the map stays as it is, and beyond which it is smoothed."""
_LEAST_CELLS: Final = 24.0  # to fit a homography to
_NEAREST: Final = 0.25  # depth, of that at the crop's middle
_BROW_POINTS: Final = slice(17, 27)
_EYE_POINTS: Final = slice(36, 48)
_BROWS: Final = 0.4  # how far brows are smoothed themselves
_OUTLINE: Final = (2.0, 12.0)  # template px from the outline of cheeks and jaw, either side


def calm_skin(template: "Template") -> NDArray[np.float32]:
    """Return how far a template's skin is from what has to meet, (320, 260), 0..1.

    The upper end of the forehead meets nothing: the template's outline there is no part's.
    """
    background = np.asarray(template.probabilities[FacePart.BACKGROUND], np.float32)
    edge = cv2.morphologyEx(
        (background < 0.5).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)
    )
    brows, eyes = (template.landmarks[part, 1].mean() for part in (_BROW_POINTS, _EYE_POINTS))
    rows = np.arange(len(background), dtype=np.float32)[:, None]
    meets = smoothstep(brows, eyes, rows) * (1 - smoothstep(*_OUTLINE, _distance(edge)))
    calm = 1 - meets
    for parts, near in _NEAR.items():
        there = (template.probabilities[list(parts)].sum(axis=0) > 0.5).astype(np.uint8)
        least = _BROWS if FacePart.BROW_LEFT in parts else 0.0
        calm *= least + (1 - least) * smoothstep(*near, _distance(there))
    return np.asarray(calm, np.float32)


def _distance(mask: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Distance of each px from a mask, px."""
    return np.asarray(cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5), np.float32)


def smoothed(field: NDArray[np.float32], calm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth a field from frame to template where it shows calm skin.

    Args:
        field: (2, h, w) crop px, on any grid.
        calm: of the template, see `calm_skin`.
    """
    size = field.shape[:0:-1]
    coarse = resized(field, GRID_SHAPE)
    x, y = (cv2.add(cell, u) for cell, u in zip(crop_cells(), coarse, strict=True))
    share = cv2.resize(cv2.remap(calm, x, y, cv2.INTER_LINEAR), size)
    out = np.empty_like(field)
    for channel, small, target in zip(field, coarse, out, strict=True):
        soft = cv2.GaussianBlur(small, (0, 0), _SIGMA, borderType=cv2.BORDER_REPLICATE)
        change = cv2.multiply(cv2.subtract(cv2.resize(soft, size), channel), share)
        cv2.add(channel, change, dst=target)
    return out


def stiffened(field: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fit a field from frame to template by a homography, by which a stiff thing moves.

    Linear least squares (the direct linear transform): rotation, scale and perspective, and nothing
    of lids and brows.

    Args:
        field: (2, h, w) crop px, on any grid.
        weights: (80, 65) how much each cell of the crop counts.

    Returns:
        (2, 80, 65); the field itself where too little counts.
    """
    coarse = resized(field, GRID_SHAPE)
    if float(weights.sum()) < _LEAST_CELLS * max(float(weights.max()), 1.0):
        return coarse
    half = GRID_PX * GRID_SHAPE[0] / 2
    counts = weights.ravel() > 0
    x, y = crop_cells().reshape(2, -1)[:, counts] / half - 1
    to_x, to_y = coarse.reshape(2, -1)[:, counts] / half + (x, y)
    one, none = np.ones_like(x), np.zeros_like(x)
    lines = np.concatenate(
        [
            np.stack([x, y, one, none, none, none, -x * to_x, -y * to_x]),
            np.stack([none, none, none, x, y, one, -x * to_y, -y * to_y]),
        ],
        axis=1,
    )
    weighted = lines * np.tile(weights.ravel()[counts], 2)
    h = np.linalg.solve(
        weighted @ lines.T + 1e-6 * np.eye(8), weighted @ np.concatenate([to_x, to_y])
    ).astype(np.float32)
    x, y = crop_cells() / np.float32(half) - 1
    depth = np.maximum(h[6] * x + h[7] * y + 1, _NEAREST)
    found = np.stack([h[0] * x + h[1] * y + h[2], h[3] * x + h[4] * y + h[5]]) / depth
    return np.asarray(half * (found - (x, y)), np.float32)


@lru_cache(maxsize=1)
def crop_cells() -> NDArray[np.float32]:
    """(2, h, w): x and y of the middles of the crop's cells, crop px."""
    cells = np.mgrid[: GRID_SHAPE[0], : GRID_SHAPE[1]][::-1]
    return (cells * GRID_PX + (GRID_PX - 1) / 2).astype(np.float32)
