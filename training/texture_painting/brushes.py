"""Brushes: tools to paint mirror-symmetric textures in template space.

Only the image's left half of the template is painted, eight times finer than the template's
pixels; the right half is its mirror image. Points are (x, y) template px and may lie beyond the
middle line. Masks and paints are float32 arrays of the half's `SHAPE`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.face.crop import CROP_SHAPE

FINE = 8
"""Painted px per template px."""

SHAPE = (CROP_SHAPE[0] * FINE, CROP_SHAPE[1] // 2 * FINE)
"""Height and width of the painted half."""

Plane = NDArray[np.float32]
Color = Sequence[float]
"""RGB, 0..255."""

_SHIFT = 4


@dataclass
class Painting:
    """Layers of paint on the transparent half of a template.

    Attributes:
        color: (h, w, 3) float32, 0..255, premultiplied by alpha.
        alpha: (h, w) float32, 0..1.
    """

    color: Plane = field(default_factory=lambda: np.zeros((*SHAPE, 3), np.float32))
    alpha: Plane = field(default_factory=lambda: np.zeros(SHAPE, np.float32))

    def paint(self, color: ArrayLike, mask: NDArray[np.floating]) -> None:
        """Blend a color, or an (h, w, 3) image, over the painting through a mask."""
        cover = np.clip(mask, 0, 1)[..., None]
        self.color += cover * (np.asarray(color, np.float32) - self.color)
        self.alpha += cover[..., 0] * (1 - self.alpha)

    def shade(self, mask: Plane, strength: float) -> None:
        """Darken the paint by ``strength`` where the mask is 1."""
        self.color *= 1 - strength * np.clip(mask, 0, 1)[..., None]

    def erase(self, mask: Plane) -> None:
        """Erase the paint where the mask is 1."""
        keep = 1 - np.clip(mask, 0, 1)
        self.color *= keep[..., None]
        self.alpha *= keep

    def texture(self, pixels_per_px: int = 4) -> NDArray[np.uint8]:
        """Return the texture with both halves, (320 k, 260 k, 4) uint8 RGBA, straight alpha."""
        size = (SHAPE[1] * pixels_per_px // FINE, SHAPE[0] * pixels_per_px // FINE)
        rgba = cv2.resize(np.dstack([self.color, self.alpha]), size, interpolation=cv2.INTER_AREA)
        rgba[..., :3] /= np.maximum(rgba[..., 3:], 1e-4)
        rgba[..., 3] *= 255
        half = np.rint(np.clip(rgba, 0, 255)).astype(np.uint8)
        half[half[..., 3] == 0] = 0
        return np.concatenate([half, half[:, ::-1]], axis=1)


def grid() -> tuple[Plane, Plane]:
    """Template x and y of every painted px, (h, w) each."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    return (x + 0.5) / FINE - 0.5, (y + 0.5) / FINE - 0.5


def curve(points: ArrayLike, *, closed: bool = False, samples: int = 16) -> Points:
    """Return a smooth curve through points: centripetal Catmull-Rom, without loops or overshoot.

    Barry and Goldman's pyramid (1988) with knots spaced by the square root of the distances.
    """
    p = np.asarray(points, np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    p = np.concatenate([ends[0], p, ends[1]])
    t = np.linspace(0, 1, samples, endpoint=False)[:, None]
    pieces = []
    for p0, p1, p2, p3 in zip(p[:-3], p[1:-2], p[2:-1], p[3:], strict=True):
        steps = [max(math.sqrt(np.linalg.norm(b - a)), 1e-3) for a, b in ((p0, p1), (p1, p2))]
        steps.append(max(math.sqrt(np.linalg.norm(p3 - p2)), 1e-3))
        k0, k1 = 0.0, steps[0]
        k2, k3 = k1 + steps[1], k1 + steps[1] + steps[2]
        k = k1 + t * (k2 - k1)
        a1 = (k1 - k) / (k1 - k0) * p0 + (k - k0) / (k1 - k0) * p1
        a2 = (k2 - k) / (k2 - k1) * p1 + (k - k1) / (k2 - k1) * p2
        a3 = (k3 - k) / (k3 - k2) * p2 + (k - k2) / (k3 - k2) * p3
        b1 = (k2 - k) / (k2 - k0) * a1 + (k - k0) / (k2 - k0) * a2
        b2 = (k3 - k) / (k3 - k1) * a2 + (k - k1) / (k3 - k1) * a3
        pieces.append((k2 - k) / (k2 - k1) * b1 + (k - k1) / (k2 - k1) * b2)
    return np.concatenate(pieces if closed else [*pieces, p[-2:-1]])


def spiral(
    center: ArrayLike, start: ArrayLike, turns: float, *, end_radius: float = 0.12
) -> Points:
    """Return a curl from a start point around a centre, down to a share of its first radius.

    Args:
        center: (2,) template px.
        start: (2,) template px, where the curl begins.
        turns: how often it goes round, positive clockwise on the screen.
        end_radius: share of the first radius at the end.
    """
    middle = np.asarray(center, np.float64)
    first = np.asarray(start, np.float64) - middle
    t = np.linspace(0, 1, max(24, int(48 * abs(turns))))
    radius = np.hypot(*first) * end_radius**t
    angle = math.atan2(first[1], first[0]) + 2 * math.pi * turns * t
    return middle + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def fill(outline: ArrayLike) -> Plane:
    """Anti-aliased mask of a closed outline (N, 2)."""
    canvas = np.zeros(SHAPE, np.uint8)
    cv2.fillPoly(canvas, [_fixed_point(outline)], 255, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / np.float32(255)


def stroke(line: ArrayLike, width: float, *, taper: tuple[float, float] = (0.0, 0.0)) -> Plane:
    """Mask of a brush stroke along a line (N, 2).

    Args:
        line: template px, sampled finely (see `curve`).
        width: full width of the stroke in template px.
        taper: shares of the length over which the stroke grows from, and shrinks to, a point.
    """
    canvas = np.zeros(SHAPE, np.uint8)
    _stroke_into(canvas, np.asarray(line, np.float64), width, taper)
    return canvas.astype(np.float32) / np.float32(255)


def strokes(lines: Sequence[tuple[Points, float]], *, taper: tuple[float, float]) -> Plane:
    """One mask of many strokes (line, width); see `stroke`."""
    canvas = np.zeros(SHAPE, np.uint8)
    for line, width in lines:
        _stroke_into(canvas, line, width, taper)
    return canvas.astype(np.float32) / np.float32(255)


def dots(centers: ArrayLike, radii: ArrayLike) -> Plane:
    """Mask of round dots, (N, 2) centres and N radii in template px."""
    canvas = np.zeros(SHAPE, np.uint8)
    points = _fixed_point(centers).reshape(-1, 2)
    for center, radius in zip(points.tolist(), np.broadcast_to(radii, len(points)), strict=True):
        cv2.circle(canvas, center, int(radius * FINE * 16), 255, -1, cv2.LINE_AA, _SHIFT)
    return canvas.astype(np.float32) / np.float32(255)


def distance(mask: Plane) -> Plane:
    """Signed distance to a mask's edge in template px, positive inside."""
    solid = (mask > 0.5).astype(np.uint8)
    inside, outside = (
        cv2.distanceTransform(part, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        for part in (solid, 1 - solid)
    )
    return np.asarray((inside - outside) / FINE, np.float32)


def soften(mask: Plane, sigma: float) -> Plane:
    """Gaussian blur by template px, the other half taken as the mirror image."""
    return np.asarray(
        cv2.GaussianBlur(mask, (0, 0), sigma * FINE, borderType=cv2.BORDER_REFLECT), np.float32
    )


def mix(first: ArrayLike, second: ArrayLike, share: Plane) -> Plane:
    """Return an image (h, w, 3) between two colors or images; share 0 is the first."""
    a, b = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return np.asarray(a + share[..., None] * (b - a), np.float32)


def tones(value: NDArray[np.floating], table: ArrayLike) -> Plane:
    """Map values to an image (h, w, 3) by a table of rows (value, red, green, blue)."""
    rows = np.asarray(table, np.float64)
    channels = [np.interp(value, rows[:, 0], rows[:, c]) for c in (1, 2, 3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def noise(seed: int, size: float, *, octaves: int = 3) -> Plane:
    """Smooth noise in about -1..1 with features of ``size`` template px, halving by octave."""
    rng = np.random.default_rng(seed)
    total, weight = np.zeros(SHAPE, np.float32), 0.0
    for octave in range(octaves):
        step = size * FINE / 2**octave
        cells = (math.ceil(SHAPE[0] / step) + 3, math.ceil(SHAPE[1] / step) + 3)
        coarse = rng.uniform(-1, 1, cells).astype(np.float32)
        full = cv2.resize(
            coarse, (int(cells[1] * step), int(cells[0] * step)), interpolation=cv2.INTER_CUBIC
        )
        total += 0.6**octave * full[: SHAPE[0], : SHAPE[1]]
        weight += 0.6**octave
    return total / weight


def streaks(
    seed: int,
    along: NDArray[np.floating],
    across: NDArray[np.floating],
    length: float,
    width: float,
) -> Plane:
    """Bristle marks in about -1..1: noise drawn out along one coordinate.

    Args:
        seed: of the noise.
        along: (h, w) coordinate along the bristles.
        across: (h, w) coordinate across them.
        length: of a mark, in units of ``along``.
        width: of a mark, in units of ``across``.
    """
    size = 512
    tile = np.random.default_rng(seed).normal(size=(size, size)).astype(np.float32)
    tile = gaussian_filter(tile, 1.2, mode="wrap")
    tile /= 2.2 * tile.std()
    return np.asarray(
        cv2.remap(
            tile,
            np.asarray((across / width * 2.5) % size, np.float32),
            np.asarray((along / length * 2.5) % size, np.float32),
            cv2.INTER_LINEAR,
            None,
            cv2.BORDER_WRAP,
        )
    )


def slopes(height: Plane) -> tuple[Plane, Plane, Plane]:
    """Return unit normals (x, y, z towards the viewer) of a height in template px."""
    dx = cv2.Sobel(height, cv2.CV_32F, 1, 0, scale=FINE / 8, borderType=cv2.BORDER_REFLECT)
    dy = cv2.Sobel(height, cv2.CV_32F, 0, 1, scale=FINE / 8, borderType=cv2.BORDER_REFLECT)
    norm = np.sqrt(dx * dx + dy * dy + 1)
    return -dx / norm, -dy / norm, 1 / norm


_GOLD = np.array(
    [
        (0.00, 38, 20, 4),
        (0.25, 96, 56, 12),
        (0.45, 168, 112, 32),
        (0.62, 222, 170, 66),
        (0.80, 252, 222, 130),
        (1.00, 255, 250, 222),
    ]
)


def gold(height: Plane) -> Plane:
    """Polished gold with this relief, lit from above: (h, w, 3).

    The brightness of a reflection depends on the normal alone: sky above, dark floor below, and a
    bright horizon between, which is what makes metal look like metal.
    """
    x, y, z = slopes(height)
    up = -y
    reflection = 0.46 + 0.42 * up + 0.3 * smoothstep(0.15, 0.6, up) * smoothstep(1.0, 0.5, up)
    reflection += 0.16 * smoothstep(-0.3, -0.75, up) + 0.12 * z**8 - 0.1 * np.abs(x)
    return tones(reflection, _GOLD)


def rounded(mask: Plane, half_width: float) -> Plane:
    """Height of a mask as a bead: half round at its edges, flat beyond ``half_width`` inside."""
    t = 1 - np.clip(distance(mask) / half_width, 0, 1)
    return soften(half_width * np.sqrt(np.maximum(1 - t * t, 0)), 0.12)


def _stroke_into(
    canvas: NDArray[np.uint8], line: Points, width: float, taper: tuple[float, float]
) -> None:
    lengths = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    s = lengths / max(lengths[-1], 1e-9)
    grow = np.ones_like(s)
    if taper[0] > 0:
        grow *= np.clip(s / taper[0], 0, 1) ** 0.7
    if taper[1] > 0:
        grow *= np.clip((1 - s) / taper[1], 0, 1) ** 0.7
    half = width / 2 * grow
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
    side = tangent[:, ::-1] * (-1, 1) * half[:, None]
    left, right = line + side, line - side
    # Quads one by one: the outline of a curl as one polygon would cancel where it meets itself.
    for i in range(len(line) - 1):
        quad = _fixed_point([left[i], left[i + 1], right[i + 1], right[i]])
        cv2.fillConvexPoly(canvas, quad, 255, cv2.LINE_AA, _SHIFT)
    for point, radius in zip(_fixed_point(line).tolist(), half, strict=True):
        if radius * FINE > 0.5:
            cv2.circle(canvas, point, int(radius * FINE * 16), 255, -1, cv2.LINE_AA, _SHIFT)


def _fixed_point(points: ArrayLike) -> NDArray[np.int32]:
    fine = (np.asarray(points, np.float64) + 0.5) * FINE - 0.5
    return np.rint(fine * (1 << _SHIFT)).astype(np.int32)
