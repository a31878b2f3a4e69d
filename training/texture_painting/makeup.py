"""Masks of make-up: where each part of a face is coloured, and how much."""

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    FINE,
    SHAPE,
    Plane,
    curve,
    distance,
    dots,
    fill,
    grid,
    noise,
    soften,
    stroke,
)

PIXELS_PER_PX = 2
"""Px of a finished mask per template px."""


def makeup_masks(face: Anatomy) -> dict[str, NDArray[np.uint8]]:
    """Every part's mask, (320 k, 260 k) uint8, mirror-symmetric, clear of eyes and open mouth."""
    paint = {
        "contour": _contour,
        "blush": _blush,
        "freckles": _freckles,
        "shadow": _shadow,
        "liner": _liner,
        "brows": _brows,
        "lips": _lips,
    }
    return {name: _finished(part(face) * _free(face)) for name, part in paint.items()}


def _finished(half: Plane) -> NDArray[np.uint8]:
    size = (SHAPE[1] * PIXELS_PER_PX // FINE, SHAPE[0] * PIXELS_PER_PX // FINE)
    small = cv2.resize(half, size, interpolation=cv2.INTER_AREA)
    eight_bit = np.rint(255 * small.clip(0, 1)).astype(np.uint8)
    return np.concatenate([eight_bit, eight_bit[:, ::-1]], axis=1)


def _free(face: Anatomy) -> Plane:
    """1 where there is skin: not in the eye, not between the lips."""
    eye = soften(fill(face.eye(0.2)), 0.25 * face.unit)
    return np.asarray((1 - eye) * (1 - soften(face.mouth_opening(0.4), 0.2 * face.unit)))


def _blob(
    face: Anatomy, at: tuple[float, float], size: tuple[float, float], degrees: float
) -> Plane:
    """Return a soft ellipse: 1 in the middle, 0 at the edge; half axes in units, clockwise."""
    x, y = grid()
    a = np.radians(degrees)
    dx, dy = (x - at[0]) / face.unit, (y - at[1]) / face.unit
    along, across = dx * np.cos(a) + dy * np.sin(a), dy * np.cos(a) - dx * np.sin(a)
    return smoothstep(1.0, 0.0, np.hypot(along / size[0], across / size[1]))


def _lips(face: Anatomy) -> Plane:
    u = face.unit
    edge = distance(fill(face.lips()))
    full = 0.86 + 0.14 * smoothstep(0, 4 * u, edge)
    return np.asarray(smoothstep(-0.6 * u, 1.6 * u, edge) * full, np.float32)


def _blush(face: Anatomy) -> Plane:
    u = face.unit
    cheek = _blob(face, face.at(41, -10, 26), (40, 22), -26)
    # Faded out long before the outline, which a turned head shows in the middle of its cheek.
    inside = smoothstep(-2 * u, 26 * u, distance(fill(face.face())))
    return np.asarray(0.95 * cheek**0.9 * inside * (1 + 0.12 * noise(5, 6.0)), np.float32)


def _contour(face: Anatomy) -> Plane:
    u = face.unit
    cheek = stroke(
        curve(face.outline((2, 1, 4), (3, 12, -4), (4, 26, -16))), 7 * u, taper=(0.1, 0.7)
    )
    jaw = stroke(curve(face.points[3:8]), 9 * u, taper=(0.3, 0.5))
    nose = stroke(
        curve(face.outline((27, -7, 2), (29, -6.5, 0), (31, 1, -8))), 3 * u, taper=(0.2, 0.4)
    )
    within = distance(fill(face.face()))
    cheeks = soften(cheek, 5.5 * u) * smoothstep(-1 * u, 20 * u, within)
    jaws = soften(jaw, 4.5 * u) * smoothstep(-3 * u, 9 * u, within)
    soft = 1.3 * cheeks + 0.75 * jaws + 0.55 * soften(nose, 1.6 * u)
    return np.asarray(np.clip(1.25 * soft, 0, 1), np.float32)


def _shadow(face: Anatomy) -> Plane:
    """From the lashes up to below the brow, reaching beyond the outer corner."""
    u = face.unit
    lid = curve(
        face.outline(
            (39, 2, 0), (38, 2, 1), (37, -1, 1), (36, -2, 1), (36, -14, -7), (17, 8, 12),
            (37, -4, -12), (38, 0, -12), (38, 8, -8),
        ),
        closed=True,
    )  # fmt: skip
    height = distance(fill(face.eye(0.5)))
    fade = smoothstep(-15 * u, -1 * u, height)
    below = stroke(
        curve(face.outline((36, -3, 0), (41, 0, 2.4), (40, 0, 2.2))), 2.6 * u, taper=(0.1, 0.8)
    )
    return np.maximum(soften(fill(lid), 2.2 * u) * fade, 0.55 * soften(below, 1.0 * u))


def _liner(face: Anatomy) -> Plane:
    u = face.unit
    upper = curve(
        face.outline((39, 1.5, 0), (38, 1, -0.7), (37, 0, -0.9), (36, -1, -0.6), (36, -9, -6.5))
    )
    lower = curve(face.outline((36, -0.5, 0.8), (41, 0, 1.0), (40, 0, 1.0)))
    wing = soften(stroke(upper, 2.6 * u, taper=(0.45, 0.3)), 0.25 * u)
    return np.maximum(wing, 0.55 * soften(stroke(lower, 1.0 * u, taper=(0.1, 0.6)), 0.3 * u))


def _brows(face: Anatomy) -> Plane:
    u = face.unit
    line = curve(face.outline((17, 0, 2), (18, 0, 2), (19, 0, 2), (20, 0, 2.5), (21, 0, 2.5)))
    base = soften(stroke(line, 7.0 * u, taper=(0.6, 0.25)), 1.0 * u)
    return np.asarray(base * (0.8 + 0.2 * noise(11, 2.0)), np.float32)


def _freckles(face: Anatomy) -> Plane:
    """Dots of many sizes, densest on the ridge of the nose and below the eyes."""
    u = face.unit
    rng = np.random.default_rng(17)
    spots: list[Points] = []
    for at, size, count in (
        (face.at(41, -3, 19), (32, 15), 62),
        (face.at(29, -6, 0), (15, 15), 30),
        (face.at(27, -16, -26), (50, 26), 22),
        (face.at(3, 24, -2), (28, 22), 20),
    ):
        spots.append(np.array(at) + rng.normal(0, 0.5, (count, 2)) * np.array(size) * u)
    centers = np.concatenate(spots)
    total = np.zeros(SHAPE, np.float32)
    for share in (0.9, 0.6, 0.35):
        chosen = rng.random(len(centers)) < 0.45
        radii = rng.gamma(5, 0.12, int(chosen.sum())).clip(0.3, 1.3) * u
        total = np.maximum(total, share * soften(dots(centers[chosen], radii), 0.3 * u))
    inside = smoothstep(2 * u, 8 * u, distance(fill(face.face())))
    near_eye = smoothstep(1.5 * u, -1.5 * u, distance(fill(face.eye(3.0))))
    lips = smoothstep(1.0 * u, -2.0 * u, distance(fill(face.lips())))
    return np.asarray(total * inside * near_eye * lips, np.float32)
