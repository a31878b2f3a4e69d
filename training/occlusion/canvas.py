"""Layers of known alpha, and what they are drawn with: soft shapes, relief, shading, noise.

Pictures are (H, W, 3) float32 RGB in 0..1, alphas (H, W) float32 in 0..1, points (N, 2) px (x, y).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Shape2 = tuple[int, int]

_BITS: Final = 4  # of subpixel precision in OpenCV's drawing


@dataclass(eq=False)
class Layer:
    """An object before a face.

    Attributes:
        color: (H, W, 3), straight, meaningful where alpha is above 0.
        alpha: (H, W).
        shadow: how dark its shadow on the face is, 0..1.
        lift: how far it is from the face, px: its shadow's offset and softness.
    """

    color: Floats
    alpha: Floats
    shadow: float = 0.4
    lift: float = 6.0


@dataclass(frozen=True, eq=False)
class FacePlace:
    """Where a face lies in a picture, for placing objects on it.

    Attributes:
        shape: (H, W) of the picture.
        eyes: (2, 2) middles of both eyes, the image's left one first.
        mouth: (2,) its middle.
        unit: the distance of the pupils that a frontal face of this size has, px.
        skin: (3,) median color of the skin.
        hair: (3,) that of the hair.
    """

    shape: Shape2
    eyes: NDArray[np.float64]
    mouth: NDArray[np.float64]
    unit: float
    skin: Floats
    hair: Floats

    @property
    def across(self) -> NDArray[np.float64]:
        """(2,) unit vector from the left to the right eye."""
        between = self.eyes[1] - self.eyes[0]
        return np.asarray(between / max(float(np.linalg.norm(between)), 1e-6))

    def at(self, u: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
        """Points (..., 2) `u` units to the right of the middle between the eyes, `v` below."""
        right = self.across
        down = np.array([-right[1], right[0]])
        u, v = np.asarray(u, float)[..., None], np.asarray(v, float)[..., None]
        return np.asarray(self.eyes.mean(0) + self.unit * (u * right + v * down))


def polygon(shape: Shape2, points: ArrayLike, softness: float = 0.0) -> Floats:
    """Alpha of a filled polygon."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, _BITS)
    return soft(mask, softness)


def strokes(
    shape: Shape2, lines: Sequence[ArrayLike], width: float, softness: float = 0.0
) -> Floats:
    """Alpha of polylines; below a pixel of width they become fainter instead."""
    mask = np.zeros(shape, np.uint8)
    value = 255 * min(1.0, width)
    cv2.polylines(
        mask, [_fixed(line) for line in lines], False, value, max(1, round(width)), cv2.LINE_AA, 4
    )
    return soft(mask, softness)


def ellipse(
    center: ArrayLike, axes: tuple[float, float], angle: float, power: float = 2.0
) -> NDArray[np.float64]:
    """Outline (64, 2) of a superellipse, angle in radians."""
    t = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    c, s = np.cos(t), np.sin(t)
    x = axes[0] * np.sign(c) * np.abs(c) ** (2 / power)
    y = axes[1] * np.sign(s) * np.abs(s) ** (2 / power)
    turned = np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)]
    )
    return np.asarray(np.asarray(center, float) + turned.T)


def curve(points: ArrayLike, count: int = 24) -> NDArray[np.float64]:
    """Sample a Bezier curve (count, 2) of three or four control points."""
    control = np.asarray(points, float)
    t = np.linspace(0, 1, count)[:, None]
    if len(control) == 3:
        weights = [(1 - t) ** 2, 2 * t * (1 - t), t**2]
    else:
        weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    return np.asarray(sum(w * p for w, p in zip(weights, control, strict=True)))


def soft(mask: NDArray[np.uint8], softness: float) -> Floats:
    """Turn a mask of 0..255 into an alpha with an edge `softness` px (standard deviation) wide."""
    if softness > 0.2:
        mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), softness), np.uint8)
    return mask.astype(np.float32) / np.float32(255)


class Relief:
    """Height above the picture of capsules that taper, as of fingers.

    Args:
        shape: (H, W) px.
    """

    def __init__(self, shape: Shape2) -> None:
        self.height = np.zeros(shape, np.float32)
        self.crease = np.zeros(shape, np.float32)  # second highest: grooves lie where both meet

    def capsule(self, a: ArrayLike, b: ArrayLike, ra: float, rb: float, lift: float = 0.0) -> None:
        """Add one from `a` to `b` with radii `ra` and `rb`, its axis `lift` px high."""
        a, b = np.asarray(a, float), np.asarray(b, float)
        r = max(ra, rb) + 1
        low = np.floor(np.minimum(a, b) - r).astype(int).clip(0)
        high = np.ceil(np.maximum(a, b) + r).astype(int) + 1
        rows, columns = slice(low[1], high[1]), slice(low[0], high[0])
        known = self.height[rows, columns]
        if known.size == 0:
            return
        y, x = np.mgrid[: known.shape[0], : known.shape[1]].astype(np.float32)
        x, y = x + np.float32(low[0] - a[0]), y + np.float32(low[1] - a[1])
        d = b - a
        t = ((x * d[0] + y * d[1]) / max(float(d @ d), 1e-6)).clip(0, 1)
        radius = ra + (rb - ra) * t
        square = radius**2 - (x - t * d[0]) ** 2 - (y - t * d[1]) ** 2
        height = np.where(square > 0, np.sqrt(square.clip(0)) + lift, 0).astype(np.float32)
        self.crease[rows, columns] = np.maximum(
            self.crease[rows, columns], np.minimum(height, known)
        )
        np.maximum(known, height, out=known)

    def alpha(self) -> Floats:
        """Return what the capsules cover."""
        return soft(np.where(self.height > 0, 255, 0).astype(np.uint8), 0.6)

    def shading(self, light: ArrayLike, ambient: float) -> Floats:
        """Brightness (H, W) about 1 where the surface faces the light (x, y, z)."""
        height = cv2.GaussianBlur(self.height, (0, 0), 1.2)
        dx, dy = (cv2.Sobel(height, cv2.CV_32F, *o, ksize=3, scale=1 / 8) for o in ((1, 0), (0, 1)))
        toward = np.asarray(light, float)
        x, y, z = (toward / np.linalg.norm(toward)).tolist()
        facing = (z - x * dx - y * dy) / np.sqrt(1 + dx**2 + dy**2)
        grooves = 1 - 0.45 * np.exp(-np.abs(self.height - self.crease) / 1.5) * (self.crease > 0)
        return np.asarray((ambient + (1 - ambient) * facing.clip(0)) * grooves, np.float32)


def noise(shape: Shape2, size: float, rng: np.random.Generator) -> Floats:
    """Smooth noise (H, W) of mean 0 and deviation about 1, with blobs `size` px wide."""
    small = (max(2, round(shape[0] / size)), max(2, round(shape[1] / size)))
    values = rng.standard_normal(small, np.float32)
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def ramp(shape: Shape2, angle: float) -> Floats:
    """From 0 to 1 across the picture along a direction (radians)."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    along = x * np.cos(angle) + y * np.sin(angle)
    low, high = float(along.min()), float(along.max())
    return np.asarray((along - low) / (high - low), np.float32)


def filled(shape: Shape2, color: ArrayLike, brightness: Floats | float = 1.0) -> Floats:
    """Return a picture of one color times a brightness (H, W)."""
    plain = np.ones(shape, np.float32) * np.float32(1) * brightness
    return np.asarray((plain[..., None] * np.asarray(color, np.float32)).clip(0, 1), np.float32)


def over(below: Layer, above: Layer) -> Layer:
    """One layer of two."""
    alpha = above.alpha + below.alpha * (1 - above.alpha)
    share = (above.alpha / alpha.clip(1e-6))[..., None]
    color = above.color * share + below.color * (1 - share)
    return Layer(color.astype(np.float32), alpha, below.shadow, below.lift)


def any_color(rng: np.random.Generator) -> Floats:
    """Return a color of things: mostly dark, white or dull, sometimes bright."""
    value = float(rng.choice([rng.uniform(0.02, 0.2), rng.uniform(0.7, 1), rng.uniform(0.1, 0.9)]))
    saturation = float(rng.choice([rng.uniform(0, 0.2), rng.uniform(0.2, 0.9)]))
    hsv = np.array([[[rng.uniform(0, 360), saturation, value]]], np.float32)
    return np.asarray(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0], np.float32)


def _fixed(points: ArrayLike) -> NDArray[np.int32]:
    """Points in OpenCV's fixed-point coordinates."""
    limit = 1 << 12
    return np.rint(np.asarray(points, float).clip(-limit, limit) * (1 << _BITS)).astype(np.int32)
