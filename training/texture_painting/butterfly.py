"""Face paint: a butterfly with its wings around the eyes."""

import numpy as np

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    curve,
    distance,
    dots,
    fill,
    grid,
    noise,
    soften,
    streaks,
    strokes,
    tones,
)

_UPPER = (
    (0.0, 255, 238, 168), (0.18, 255, 176, 92), (0.42, 244, 84, 148), (0.68, 132, 58, 214),
    (1.0, 38, 44, 150),
)  # fmt: skip
_LOWER = (
    (0.0, 214, 255, 246), (0.3, 92, 226, 226), (0.62, 44, 142, 236), (1.0, 44, 48, 156),
)  # fmt: skip
_INK = (18, 12, 34)


def butterfly(face: Anatomy) -> Painting:
    """Two pairs of wings in the colours of a sunset and of the sea, veined in ink, with pearls."""
    u = face.unit
    painting = Painting()
    upper, lower = _upper(face), _lower(face)
    root = np.array(face.at(27, -2, 2))
    _wing(painting, face, lower, root, _LOWER, fan=(96, 176, 6), seed=31)
    _wing(painting, face, upper, root, _UPPER, fan=(176, 262, 8), seed=32)
    _body(painting, face)
    lid = distance(fill(face.eye(3.0)))
    painting.paint(_INK, 0.95 * smoothstep(-0.7 * u, 0.7 * u, lid))
    painting.erase(face.eye_opening())
    return painting


def _upper(face: Anatomy) -> Points:
    return curve(
        face.outline(
            (27, -1, -2), (21, 2, -12), (20, 2, -30), (19, 0, -42), (18, -2, -42), (17, -2, -36),
            (0, 1, -30), (0, -1, -12), (36, -20, 3), (41, 0, 9), (39, 3, 6),
        ),
        closed=True,
    )  # fmt: skip


def _lower(face: Anatomy) -> Points:
    return curve(
        face.outline(
            (28, -2, -6), (39, 4, 3), (41, 0, 6), (36, -17, 4), (1, 6, 8), (2, 8, 2), (3, 14, -8),
            (3, 22, -2), (48, -12, -10), (31, -16, 2), (31, -8, -6), (29, -7, 2),
        ),
        closed=True,
    )  # fmt: skip


def _wing(
    painting: Painting,
    face: Anatomy,
    outline: Points,
    root: Points,
    table: tuple[tuple[float, ...], ...],
    fan: tuple[float, float, int],
    seed: int,
) -> None:
    """One wing: colours from its root to its edge, veins in a fan of degrees, an inky border."""
    u = face.unit
    x, y = grid()
    edge = distance(fill(outline))
    inside = smoothstep(-0.6 * u, 0.6 * u, edge)
    reach = float(np.linalg.norm(outline - root, axis=1).max())
    dx, dy = (x - root[0]) / reach, (y - root[1]) / reach
    radius, angle = np.hypot(dx, dy), np.arctan2(dy, -dx)
    scales = streaks(seed, radius * reach / u, 70 * angle, 16, 2.4)
    value = radius**0.9 + 0.05 * scales + 0.05 * noise(seed, 9)
    painting.paint(tones(value, table) * (1 + 0.10 * scales[..., None]), 0.93 * inside)
    painting.shade(soften(1 - inside, 5 * u) * inside, 0.55)
    first, last, count = fan
    veins: list[tuple[Points, float]] = []
    for degrees in np.linspace(first, last, count):
        a = np.radians(degrees)
        tip = root + reach * np.array([np.cos(a), np.sin(a)])
        bend = 0.09 * reach * np.array([-np.sin(a), np.cos(a)])
        veins.append((curve([root, (root + tip) / 2 + bend * 0.4, tip + bend]), 1.5 * u))
    painting.paint(_INK, 0.85 * soften(strokes(veins, taper=(0.0, 0.9)), 0.15 * u) * inside)
    band = smoothstep(6.4 * u, 4.4 * u, edge + 1.3 * u * scales)
    painting.paint(_INK, 0.96 * inside * band)
    _pearls(painting, outline, root, u)


def _pearls(painting: Painting, outline: Points, root: Points, u: float) -> None:
    """White dots along the border, larger at the wing's tip."""
    away = np.linalg.norm(outline - root, axis=1)
    steps = np.cumsum(np.hypot(*np.diff(outline, axis=0, append=outline[:1]).T))
    marks = np.searchsorted(steps, np.arange(0.5, steps[-1] / (5.2 * u)) * 5.2 * u)
    inward = outline.mean(axis=0) - outline
    inward /= np.linalg.norm(inward, axis=1, keepdims=True)
    far = marks[away[marks] > 0.42 * away.max()]
    radii = 0.5 * u + 0.75 * u * (away[far] / away.max()) ** 2
    painting.paint((255, 250, 255), 0.95 * dots(outline[far] + 2.4 * u * inward[far], radii))


def _body(painting: Painting, face: Anatomy) -> None:
    u = face.unit
    spine = curve(face.outline((27, 0, -10), (27, 0, 0), (28, 0, 2), (29, 0, 4)))
    length = np.linspace(0, 1, len(spine))
    width = np.interp(length, [0, 0.12, 0.3, 0.5, 1], [2.6, 3.2, 2.4, 3.0, 0.4]) * u
    left = spine - np.stack([width, np.zeros_like(width)], axis=-1)
    body = fill(np.concatenate([spine, left[::-1]]))
    height = distance(body)
    painting.paint((30, 20, 52), soften(body, 0.25 * u))
    painting.paint(
        (150, 120, 214), 0.6 * soften(body, 0.5 * u) * smoothstep(0.8 * u, 3 * u, height)
    )
