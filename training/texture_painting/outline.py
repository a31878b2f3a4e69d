"""Textures of lines: the face as a neon sign, and a checker that shows how the skin moves."""

import colorsys

import numpy as np

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    curve,
    distance,
    fill,
    grid,
    mix,
    soften,
    strokes,
)

_PINK, _CYAN = (255, 62, 176), (46, 226, 255)
_CELL = 8.0  # units along a side of the checker
_BOLD = 4  # every so many cells a bold line


def outline(face: Anatomy) -> Painting:
    """Glowing tubes along outline, brows, eyes, nose and lips."""
    u = face.unit
    painting = Painting()
    painting.paint((8, 4, 22), 0.35 * smoothstep(-1 * u, 9 * u, distance(fill(face.face()))))
    tubes = strokes([(line, 1.9 * u) for line in _tubes(face)], taper=(0, 0))
    x, y = grid()
    share = smoothstep(face.at(27)[1], face.at(8)[1], y + 0.35 * np.abs(x - face.middle))
    neon = mix(_CYAN, _PINK, share)
    for width, strength in ((7.0, 0.35), (3.0, 0.5), (1.2, 0.8)):
        painting.paint(neon, strength * np.clip(2.2 * soften(tubes, width * u), 0, 1))
    painting.paint(mix(neon, (255, 255, 255), np.full_like(tubes, 0.78)), soften(tubes, 0.15 * u))
    opening = np.maximum(fill(face.eye(0.6)), face.mouth_opening(0.4))
    painting.erase(soften(opening, 0.2 * u))
    return painting


def checker(face: Anatomy) -> Painting:
    """Squares whose hue runs across and down the face, with a bold line every fourth."""
    u = face.unit
    x, y = grid()
    across, down = np.abs(x - face.middle) / (_CELL * u), (y - face.at(27)[1]) / (_CELL * u)
    odd = (np.floor(across) + np.floor(down)) % 2
    hues = np.array([colorsys.hsv_to_rgb(h / 256, 0.85, 1.0) for h in range(256)]) * 255
    turn = (0.55 + 0.055 * np.floor(across) + 0.035 * np.floor(down)) % 1
    bright = hues[(turn * 255).astype(int)].astype(np.float32)
    painting = Painting()
    inside = smoothstep(-0.3 * u, 1.2 * u, distance(fill(face.face())))
    cells = mix(bright, (244, 244, 240), (0.78 * odd).astype(np.float32))
    painting.paint(cells, 0.9 * inside)
    for size, width, strength in ((1, 0.035, 0.55), (_BOLD, 0.02, 0.95)):
        near = [np.abs(axis / size - np.rint(axis / size)) for axis in (across, down)]
        line = smoothstep(width, 0.4 * width, np.minimum(*near))
        painting.paint((20, 22, 30), strength * line * inside)
    painting.erase(face.eye_opening())
    painting.erase(soften(face.mouth_opening(0.4), 0.2 * u))
    return painting


def _tubes(face: Anatomy) -> list[Points]:
    closed = [face.eye(1.6), face.lips(), curve(face.points[60:68], closed=True)]
    lines = [np.concatenate([ring, ring[:1]]) for ring in closed]
    rim = face.face(-2.0)
    nostril = face.outline((31, -2, -7), (31, -3, -1), (31, 0, 3), (32, 0, 2), (33, 0, 2))
    return [
        *lines,
        np.concatenate([rim, rim[:1]]),
        curve(face.points[17:22]),
        curve(face.outline((21, 5, 6), (27, -6, 0), (28, -5, 0), (29, -5, 0))),
        curve(nostril),
    ]
