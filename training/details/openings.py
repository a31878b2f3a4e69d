"""Made openings and blinks: each column of a patch is warped by known knots."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.details.patches import PATCH_PX

_COLUMNS = np.arange(PATCH_PX, dtype=np.float64)


def opened(
    curves: NDArray[np.float64], change: NDArray[np.float64], upper_share: float
) -> NDArray[np.float64]:
    """Return a mouth's curves after its opening changed.

    Args:
        curves: (4, N) patch px: top, inner top, inner bottom and bottom at N columns.
        change: (N,) px by which the opening grows.
        upper_share: of it that the upper lip moves.
    """
    up = np.array([-0.9 * upper_share, -upper_share, 1 - upper_share, 1 - upper_share])
    return curves + up[:, None] * change


def with_opening(
    patch: NDArray[np.uint8],
    curves: NDArray[np.float64],
    inside: NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Shut a mouth, or open it more or less, by a known warp of each column."""
    across = np.linspace(-1, 1, int(inside.sum()))
    profile = np.zeros(PATCH_PX)
    profile[inside] = np.clip(1 - np.abs(across) ** rng.uniform(1.6, 3.0), 0, None)
    height = curves[2] - curves[1]
    tallest = float(height[inside].max())
    if rng.random() < 0.45:
        change = -height * (1.0 if rng.random() < 0.6 else rng.uniform(0, 1))  # shut, mostly
    elif tallest > 2.0:
        change = height * rng.uniform(-0.6, 1.5)
    else:
        change = profile * rng.uniform(0.5, 22.0)
    room = PATCH_PX - 4 - curves[3][inside].max()
    change = np.minimum(change, max(room, 0.0))
    moved = opened(curves, change, float(rng.uniform(0.0, 0.3)))
    top = np.full(PATCH_PX, min(curves[0].min(), moved[0].min()) - rng.uniform(8, 14))
    bottom = np.full(PATCH_PX, max(curves[3].max(), moved[3].max()) + rng.uniform(6, 30))
    source, target = (np.vstack([top, c, bottom]) for c in (curves, moved))
    warped = warped_columns(patch, source, target)
    now = float((moved[2] - moved[1])[inside].max())
    if tallest <= 2.0 and now > 0.5:
        warped = _with_interior(warped, moved, inside, rng)
    elif now < 1.0 and rng.random() < 0.6:
        warped = with_shadow(warped, moved[1], inside, rng, (0.3, 3.0), below=0.5)
    return warped, moved


def with_shadow(
    patch: NDArray[np.uint8],
    curve: NDArray[np.float64],
    inside: NDArray[np.bool_],
    rng: np.random.Generator,
    thickness: tuple[float, float],
    *,
    below: float,
) -> NDArray[np.uint8]:
    """Darken a line where lips or lids meet: a shadow, or lashes.

    Args:
        patch: uint8.
        curve: (64,) where it runs, px.
        inside: (64,) its columns.
        rng: random generator.
        thickness: least and most, px.
        below: share of it that lies under the curve.
    """
    thick = rng.uniform(*thickness)
    ends = np.sin(np.pi * np.linspace(0, 1, int(inside.sum()))) ** rng.uniform(0.2, 0.8)
    height = np.zeros(PATCH_PX)
    height[inside] = thick * ends
    band = covered(curve - (1 - below) * height, curve + below * height, len(patch), inside)
    band = cv2.GaussianBlur(band.astype(np.float32), (0, 0), float(rng.uniform(0.4, 1.3)))
    return np.asarray(patch * (1 - rng.uniform(0.3, 0.95) * band), np.uint8)


def _with_interior(
    patch: NDArray[np.uint8],
    curves: NDArray[np.float64],
    inside: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.uint8]:
    """Paint the inside of a mouth that was shut: dark, mostly with teeth at the top."""
    opening = covered(curves[1], curves[2], PATCH_PX, inside)
    skin = float(np.median(patch))
    rows = np.arange(PATCH_PX)[:, None]
    depth = (rows - curves[1]) / np.maximum(curves[2] - curves[1], 1)
    fill = skin * rng.uniform(0.1, 0.5) * (1 + rng.uniform(-0.3, 0.8) * depth)
    if rng.random() < 0.6:  # teeth
        edge = rng.uniform(1, 7)
        teeth = ((rows - curves[1]) < edge) * (1 + 0.1 * np.cos(_COLUMNS * rng.uniform(0.8, 1.6)))
        fill = np.where(teeth > 0, skin * rng.uniform(0.8, 1.5) * teeth, fill)
    fill = cv2.GaussianBlur(fill.astype(np.float32), (0, 0), float(rng.uniform(0.5, 1.2)))
    mixed = patch + opening * (fill - patch)
    return np.asarray(np.clip(mixed, 0, 255), np.uint8)


def warped_columns(
    patch: NDArray[np.uint8], source: NDArray[np.float64], target: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Move each column's pixels so that its knots go from `source` to `target` (n, 64)."""
    rows = np.arange(len(patch), dtype=np.float64)
    source, target = (np.maximum.accumulate(knots, axis=0) for knots in (source, target))
    target = target + 1e-4 * np.arange(len(target))[:, None]
    y = np.empty(patch.shape, np.float32)
    for column in range(PATCH_PX):
        at = np.interp(rows, target[:, column], source[:, column])
        outside = (rows < target[0, column]) | (rows > target[-1, column])
        y[:, column] = np.where(outside, rows, at)
    x = np.broadcast_to(_COLUMNS.astype(np.float32), patch.shape)
    moved = cv2.remap(
        patch, np.ascontiguousarray(x), y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
    )
    return np.asarray(moved, np.uint8)


def covered(
    top: NDArray[np.float64],
    bottom: NDArray[np.float64],
    rows: int,
    inside: NDArray[np.bool_],
) -> NDArray[np.float64]:
    """Share (rows, 64) of each px that lies between two curves (64,)."""
    row = np.arange(rows)[:, None]
    share = (np.minimum(bottom, row + 0.5) - np.maximum(top, row - 0.5)).clip(0, 1)
    return np.asarray(share * inside)
