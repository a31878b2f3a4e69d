"""A Venetian half mask."""

import numpy as np

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    Plane,
    curve,
    distance,
    dots,
    fill,
    gold,
    grid,
    mix,
    noise,
    rounded,
    slopes,
    soften,
    spiral,
    strokes,
    tones,
)

_LACQUER = ((0, 20, 2, 12), (0.33, 92, 6, 26), (0.67, 158, 14, 40), (1, 206, 40, 62))


def venetian_mask(face: Anatomy) -> Painting:
    """Draw a half mask of crimson lacquer with gilded scrolls, rims, pearls and a stone."""
    u = face.unit
    half = face.outline(
        (27, 0, -33), (21, -2, -24), (20, -4, -31), (18, -1, -33), (17, -3, -25), (0, -5, -42),
        (0, 0, -20), (1, 3, -6), (2, 6, 0), (3, 14, -5), (31, -24, 4), (31, -10, -7),
        (31, -4, -3), (33, 0, -3),
    )  # fmt: skip
    outline = curve(face.mirrored(half)[:-1], closed=True)
    hole = curve(
        face.outline(
            (36, -10, -5), (37, -3, -7.5), (38, 3, -7), (39, 6.5, 2.5), (40, 2, 7.5), (41, -4, 7)
        ),
        closed=True,
    )
    opening = fill(hole)
    body = np.clip(fill(outline) - opening, 0, 1)
    edge = distance(body)
    painting = Painting()
    _cast_shadow(painting, body, u)
    painting.paint(_lacquer(face, edge, u), body)
    _harlequin(painting, face, body, edge)
    rim = body * smoothstep(3.1 * u, 2.7 * u, edge)
    ornament = np.maximum(_scrolls(face), rim)
    painting.shade(soften(np.roll(ornament, 10, axis=0), 1.0 * u) * body, 0.6)
    relief = rounded(ornament, 1.3 * u)
    painting.paint(gold(relief * 1.1 + 0.03 * noise(5, 1.5)), ornament * body)
    _pearls(painting, outline, u, face.middle)
    _stone(painting, face)
    painting.erase(np.clip(opening - body, 0, 1) * smoothstep(-0.2, 0.4, distance(opening)))
    return painting


def _cast_shadow(painting: Painting, body: Plane, u: float) -> None:
    shadow = soften(np.roll(body, int(16 * u), axis=0), 2.6 * u)
    painting.paint((10, 4, 4), 0.55 * shadow * (1 - body))


def _lacquer(face: Anatomy, edge: Plane, u: float) -> Plane:
    x, y = grid()
    bevel = 7 * u
    t = 1 - np.clip(edge / bevel, 0, 1)
    height = bevel * 0.75 * np.sqrt(np.maximum(1 - t * t, 0))
    nose = np.exp(-(((x - face.middle) / (9 * u)) ** 2)) * smoothstep(
        face.at(27, 0, -8)[1], face.at(30)[1], y
    )
    cheek_x, cheek_y = face.at(41, -4, 20)
    cheek = np.exp(-(((x - cheek_x) / (20 * u)) ** 2) - ((y - cheek_y) / (14 * u)) ** 2)
    brow_x, brow_y = face.at(19, 0, -8)
    brow = np.exp(-(((x - brow_x) / (24 * u)) ** 2) - ((y - brow_y) / (11 * u)) ** 2)
    height = soften(height + u * (12 * nose + 5 * cheek + 6 * brow), 0.8 * u)
    nx, ny, nz = slopes(height)
    light = np.clip(0.62 * nz - 0.55 * ny - 0.16 * np.abs(nx) + 0.12, 0, 1)
    light += 0.035 * noise(3, 3.0, octaves=4)
    gloss = np.clip(0.80 * nz - 0.60 * ny, 0, 1) ** 40 + 0.4 * np.clip(nz - 0.35 * ny, 0, 1) ** 12
    shine = np.clip(gloss - 0.25, 0, 1)[..., None] * np.array((90, 74, 72), np.float32)
    return np.asarray(tones(light, _LACQUER) + shine, np.float32)


def _harlequin(painting: Painting, face: Anatomy, body: Plane, edge: Plane) -> None:
    """Darker diamonds with thin gilt lines between them, fading towards the middle."""
    x, y = grid()
    u = face.unit
    a, b = (x - face.middle) / (15 * u), (y - face.at(27)[1]) / (22 * u)
    first, second = a + b, a - b
    checks = np.sign(np.sin(np.pi * first) * np.sin(np.pi * second))
    side = smoothstep(20 * u, 44 * u, np.abs(x - face.middle)) * body
    painting.shade(soften((checks > 0).astype(np.float32), 0.12) * side, 0.34)
    lines = np.zeros_like(x)
    for v in (first, second):
        away = np.abs(v - np.rint(v)) * 12.4 * u
        lines = np.maximum(lines, smoothstep(0.5 * u, 0.22 * u, away))
    painting.paint((214, 160, 70), 0.5 * lines * side * smoothstep(2 * u, 4 * u, edge))


def _scrolls(face: Anatomy) -> Plane:
    u = face.unit
    scrolls: list[tuple[Points, float]] = []
    leaves: list[tuple[Points, float]] = []

    def scroll(
        *corners: tuple[float, ...], around: tuple[float, ...], turns: float, width: float = 2.1
    ) -> Points:
        """Draw a stem through points that ends in a curl around one; the stem is returned."""
        stem = curve(face.outline(*corners))
        curl = spiral(face.outline(around)[0], stem[-1], turns, end_radius=0.2)
        scrolls.append((np.concatenate([stem, curl[1:]]), width * u))
        return stem

    # Over the brow, from the stone to the temple, and back above the brow.
    over = scroll(
        (27, -5, -20), (21, -6, -14), (20, -2, -21), (18, 2, -21), (17, 2, -13),
        around=(17, 6.5, -12.5), turns=-1.35,
    )  # fmt: skip
    scroll(
        (27, -4, -12), (21, -5, -4), (20, 0, -7.5), (19, 0, -10), (18, 5, -11),
        around=(18, 7.5, -14.5), turns=1.2, width=1.6,
    )  # fmt: skip
    # Down the temple, below the eye, along the nose.
    temple = scroll(
        (17, -6, -19), (17, -9, -8), (36, -21, -6), (36, -20, 6), (36, -13, 15),
        around=(36, -11, 9.5), turns=-1.3,
    )  # fmt: skip
    under = scroll(
        (36, -15, 17), (41, -10, 17), (40, -3, 18), (39, 4, 14),
        around=(39, 2, 19.5), turns=1.25, width=1.7,
    )  # fmt: skip
    scroll(
        (27, -3, -5), (28, -6, 0), (29, -8, -2), (30, -8.5, -4),
        around=(30, -4.6, -4), turns=-1.2, width=1.5,
    )  # fmt: skip
    for line, count, length, sides in (
        (over, 8, 8.5, (1, -1)), (temple, 6, 7.0, (1, -1)), (under, 6, 6.0, (-1, 1)),
    ):  # fmt: skip
        leaves += _leaves(line, count, length * u, sides)
    return np.maximum(strokes(scrolls, taper=(0.08, 0.3)), strokes(leaves, taper=(0.45, 0.7)))


def _leaves(
    line: Points, count: int, length: float, sides: tuple[int, ...]
) -> list[tuple[Points, float]]:
    """Small bent leaves that grow out of a stem, (line, width) each."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    leaves = []
    for i, index in enumerate(np.linspace(0.12, 0.86, count) * (len(line) - 1)):
        root, along = line[int(index)], tangent[int(index)]
        side = sides[i % len(sides)] * np.array([-along[1], along[0]])
        tip = root + length * (0.75 * along + 0.6 * side)
        bend = root + length * (0.5 * along + 0.12 * side)
        leaves.append((curve([root, bend, tip]), 0.36 * length))
    return leaves


def _pearls(painting: Painting, outline: Points, u: float, middle: float) -> None:
    steps = np.hypot(*np.diff(outline, axis=0, append=outline[:1]).T)
    length = np.cumsum(steps)
    count = 2 * round(length[-1] / (4.4 * u) / 2)
    at = np.interp(np.arange(count) * length[-1] / count, length, np.arange(len(length)))
    centers = outline[at.astype(int) % len(outline)]
    centers = centers[centers[:, 0] <= middle + u]
    mask = dots(centers, 1.45 * u)
    painting.shade(soften(np.roll(mask, 6, axis=0), 0.6 * u), 0.5)
    painting.paint((250, 240, 222), mask)
    painting.paint((150, 118, 98), 0.7 * dots(centers + (0, 0.55 * u), 1.2 * u) * mask)
    painting.paint((244, 232, 214), dots(centers - (0, 0.25 * u), 1.0 * u))
    painting.paint((255, 255, 255), dots(centers - (0, 0.6 * u), 0.45 * u))


def _stone(painting: Painting, face: Anatomy) -> None:
    """Draw a faceted emerald in a gilt setting between the brows."""
    u = face.unit
    center = np.array(face.at(27, 0, -17))
    drop = curve(
        center + u * np.array([(0, -8.5), (-4.4, -2), (-4.6, 3), (0, 8.5), (4.6, 3), (4.4, -2)]),
        closed=True,
    )
    stone, setting = fill(drop), fill(center + (drop - center) * (1.42, 1.32))
    painting.shade(soften(np.roll(setting, 12, axis=0), 1.2 * u) * (1 - setting), 0.6)
    painting.paint(gold(rounded(setting, 1.5 * u)), setting)
    x, y = grid()
    dx, dy = (x - center[0]) / (4.6 * u), (y - center[1]) / (8.5 * u)
    facet = np.floor((np.arctan2(dy, np.abs(dx)) + 2) * 2.4) % 3 / 2
    table = smoothstep(0.5, 0.42, np.hypot(dx, dy))
    shine = np.clip(0.25 + 0.35 * facet * (1 - table) + 0.35 * table * (0.9 - dy), 0, 1)
    painting.paint(mix((2, 44, 30), (66, 226, 150), shine), stone)
    painting.paint(
        (232, 255, 244), 0.9 * soften(dots([center + u * np.array([-1.3, -3.4])], 0.9 * u), 0.15)
    )
    painting.paint((0, 20, 12), 0.55 * stone * smoothstep(0.9 * u, 0, distance(stone)))
