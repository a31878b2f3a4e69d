"""What patches look like: light, sharpness, noise, and what lies before a face."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.details.patches import CELL_PX, CLASSES

_HIDDEN = CLASSES.index("hidden")


def in_cells(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Average shares (rows, 64) of pixels over the cells of the labels."""
    height, width = share.shape
    cells = share.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX)
    return np.asarray(cells.mean(axis=(1, 3)))


def occluded(
    patch: NDArray[np.uint8],
    shares: NDArray[np.float64],
    texture: NDArray[np.uint8],
    rng: np.random.Generator,
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Put something before the face: flat, coarse, or a piece of the photograph."""
    rows, columns = patch.shape
    shape = np.zeros(patch.shape, np.uint8)
    center = (float(rng.uniform(0, columns)), float(rng.uniform(0, rows)))
    axes = (float(rng.uniform(0.15, 1.2) * columns), float(rng.uniform(0.15, 0.8) * rows))
    box = (center, axes, float(rng.uniform(0, 180)))
    if rng.random() < 0.5:
        cv2.ellipse(shape, box, 255, -1)
    else:
        cv2.fillConvexPoly(shape, np.rint(cv2.boxPoints(box)).astype(np.int32), 255)
    kind = rng.integers(3)
    if kind == 0:
        front = np.full(patch.shape, rng.integers(256), np.uint8)
    elif kind == 1:
        coarse = rng.integers(0, 256, (int(rng.integers(2, 20)), int(rng.integers(2, 20))))
        front = cv2.resize(coarse.astype(np.uint8), (columns, rows))
    else:
        size = int(rng.integers(16, 80))
        top, left = (int(rng.integers(0, max(1, n - size))) for n in texture.shape)
        front = cv2.resize(texture[top : top + size, left : left + size], (columns, rows))
    soft = cv2.GaussianBlur(shape, (0, 0), float(rng.uniform(0.3, 1.5))).astype(np.float32) / 255
    mixed = patch + soft * (front.astype(np.float32) - patch)
    hidden = in_cells(soft.astype(np.float64))
    shares = shares * (1 - hidden)
    shares[_HIDDEN] += hidden
    return np.asarray(mixed.round(), np.uint8), shares


def relit(
    patch: NDArray[np.uint8], rng: np.random.Generator, share: float, strength: float
) -> NDArray[np.uint8]:
    """Change light, sharpness and noise at random.

    Args:
        patch: uint8.
        rng: random generator.
        share: of patches with each change.
        strength: of the light's unevenness.
    """
    if share <= 0:
        return patch
    chosen = rng.random(5) < share
    rows, columns = patch.shape
    values: NDArray[np.floating] = patch.astype(np.float32)
    if chosen[0]:
        corners = np.exp(0.4 * strength * rng.standard_normal((3, 3))).astype(np.float32)
        values *= cv2.resize(corners, (columns, rows), interpolation=cv2.INTER_CUBIC)
    if chosen[1]:
        power = np.float32(np.exp(0.4 * rng.standard_normal()))
        values = 255 * (values.clip(0, 255) / 255) ** power
        if rng.random() < 0.2:
            values *= np.float32(rng.uniform(0.1, 0.6))
    if chosen[2]:
        if rng.random() < 0.5:
            values = cv2.GaussianBlur(values, (0, 0), float(rng.uniform(0.4, 1.6)))
        else:
            shrink = rng.uniform(1.2, 3.5)
            small = (max(8, round(columns / shrink)), max(6, round(rows / shrink)))
            coarse = cv2.resize(values, small, interpolation=cv2.INTER_AREA)
            values = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)
    if chosen[3]:
        noise = rng.standard_normal(patch.shape).astype(np.float32)
        values = values + np.float32(min(rng.exponential(3.5), 12.0)) * noise
    if chosen[4] and rng.random() < 0.3:  # motion
        length = int(rng.integers(2, 6))
        kernel = (
            np.full((length, 1), 1 / length)
            if rng.random() < 0.6
            else np.full((1, length), 1 / length)
        )
        values = cv2.filter2D(np.asarray(values, np.float32), -1, kernel.astype(np.float32))
    return np.asarray(np.clip(values, 0, 255), np.uint8)
