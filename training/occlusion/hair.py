"""Hair before a face: single strands, locks and fringes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.training.occlusion.canvas import FacePlace, Layer, curve, noise

_TONES: tuple[tuple[float, float, float], ...] = (
    (0.05, 0.04, 0.04),
    (0.14, 0.09, 0.06),
    (0.3, 0.2, 0.12),
    (0.62, 0.46, 0.28),
)
_TONES += ((0.8, 0.7, 0.52), (0.55, 0.55, 0.55), (0.45, 0.16, 0.08), (0.7, 0.2, 0.5))


def fringe(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw hair that falls from the hairline over the forehead, thin or dense."""
    count = int(rng.integers(2, 9))
    top, end = rng.uniform(-1.9, -1.3), rng.uniform(-0.6, 0.1)
    middle, width = rng.normal(0, 0.35), rng.uniform(0.3, 1.3)
    layer = None
    roots = middle + width * np.linspace(-1, 1, count) + rng.normal(0, 0.08, count)
    lean = rng.normal(0, 0.5)
    locks = []
    for root in roots:
        tip = root + lean + rng.normal(0, 0.15)
        control = [(root, top), (root + rng.normal(0, 0.2), top + 0.4)]
        control += [(tip + rng.normal(0, 0.2), end - 0.4), (tip, end + rng.normal(0, 0.15))]
        locks.append(np.array(control))
    layer = _drawn(face, locks, rng.uniform(0.05, 0.28), int(rng.integers(8, 60)), rng)
    return layer


def locks_beside(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw locks that hang down over temple and cheek."""
    side = rng.choice([-1.0, 1.0])
    locks = []
    for _ in range(int(rng.integers(1, 5))):
        x = side * rng.uniform(0.5, 1.3)
        points = [(x * rng.uniform(0.4, 1), -1.6), (x * 1.15, -0.6), (x, 0.5)]
        points.append((x * rng.uniform(0.6, 1.1), rng.uniform(0.8, 2.4)))
        locks.append(np.array(points) + rng.normal(0, 0.08, (4, 2)))
    return _drawn(face, locks, rng.uniform(0.05, 0.3), int(rng.integers(10, 70)), rng)


def strands(face: FacePlace, rng: np.random.Generator) -> Layer:
    """Draw a few single strands across the face."""
    locks = []
    for _ in range(int(rng.integers(1, 6))):
        x = rng.normal(0, 0.8)
        end = (x + rng.normal(0, 0.8), rng.uniform(-0.3, 1.8))
        points = [(x, -1.6), (x + rng.normal(0, 0.4), -0.8), (x + rng.normal(0, 0.5), 0.1), end]
        locks.append(np.array(points))
    return _drawn(face, locks, rng.uniform(0.01, 0.06), int(rng.integers(2, 8)), rng)


def _drawn(
    face: FacePlace,
    locks: list[NDArray[np.float64]],
    spread: float,
    count: int,
    rng: np.random.Generator,
) -> Layer:
    """Draw `count` hairs along each lock (4, 2), `spread` units apart at the middle."""
    shape = face.shape
    alpha, tint = np.zeros(shape, np.uint8), np.full(shape, 128, np.uint8)
    own = rng.random() < 0.6
    tone = face.hair if own else np.array(_TONES[rng.integers(len(_TONES))], np.float32)
    contrast = rng.uniform(15, 60)
    for lock in locks:
        fade = rng.uniform(0.3, 1.0)
        offsets = rng.normal(0, spread, (count, 1, 1)) * np.array([[1], [1.1], [1], [fade]])
        paths = lock[None] + offsets * (1.0, 0.25) + rng.normal(0, 0.15 * spread, (count, 4, 2))
        shade = (128 + contrast * rng.standard_normal(count)).clip(0, 255)
        for path, value in zip(paths, shade, strict=True):
            points = np.rint(curve(face.at(*path.T), 16) * 16).astype(np.int32)
            wide = int(rng.integers(1, 3)) if face.unit > 40 else 1
            cv2.polylines(alpha, [points], False, 255, wide, cv2.LINE_AA, 4)
            cv2.polylines(tint, [points], False, float(value), wide, cv2.LINE_AA, 4)
    soft = rng.uniform(0.3, 1.0)
    cover = cv2.GaussianBlur(alpha.astype(np.float32) / 255, (0, 0), soft)
    bright = (tint.astype(np.float32) / 128) * (1 + 0.25 * noise(shape, 40, rng))
    sheen = np.exp(-(noise(shape, 60, rng) ** 2) * 6) * rng.uniform(0, 0.35)
    color = bright[..., None] * np.asarray(tone, np.float32) + sheen[..., None] * bright[..., None]
    cover = (cover * rng.uniform(0.9, 1.15)).clip(0, 1)
    layer = Layer(color.clip(0, 1).astype(np.float32), cover.astype(np.float32))
    layer.shadow, layer.lift = rng.uniform(0, 0.45), rng.uniform(1, 6)
    return layer
