"""Sunglasses: the one texture that is meant to lie over the eyes."""

import numpy as np

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    Plane,
    curve,
    distance,
    fill,
    grid,
    soften,
    stroke,
    tones,
)

_LENS = (
    (0.0, 20, 24, 34), (0.35, 44, 40, 74), (0.62, 146, 70, 108), (0.85, 238, 140, 96),
    (1.0, 255, 206, 130),
)  # fmt: skip


def sunglasses(face: Anatomy) -> Painting:
    """Dark frames with lenses that mirror a sunset, and a streak of light."""
    u = face.unit
    painting = Painting()
    lens = distance(fill(_lens(face)))
    frame = _frame(face, lens)
    shadow = soften(np.maximum(frame, (lens > 0).astype(np.float32)), 2.6 * u)
    painting.paint((18, 8, 6), 0.4 * np.roll(shadow, round(12 * u), axis=0))
    x, y = grid()
    top, bottom = _lens(face)[:, 1].min(), _lens(face)[:, 1].max()
    height = (y - top) / (bottom - top)
    sky = tones(height + 0.03 * np.sin(x / (4 * u)) * smoothstep(0.4, 0.9, height), _LENS)
    inside = smoothstep(-0.3 * u, 0.3 * u, lens)
    painting.paint(sky, 0.95 * inside)
    painting.shade(inside * smoothstep(7 * u, 0, lens), 0.5)
    slant = (x - face.at(36)[0] - 0.6 * (y - top)) / u
    streak = smoothstep(2.0, 3.2, slant) * smoothstep(12.0, 10.8, slant)
    streak += 0.7 * smoothstep(14.5, 15.3, slant) * smoothstep(18.6, 17.8, slant)
    painting.paint((255, 250, 240), 0.26 * streak * inside * smoothstep(1.1, 0.2, height))
    painting.paint((16, 15, 18), frame)
    gloss = (
        frame * smoothstep(0.9 * u, 0.1 * u, np.abs(lens + 1.2 * u)) * smoothstep(0.55, 0.0, height)
    )
    painting.paint((150, 146, 152), 0.75 * gloss)
    return painting


def _lens(face: Anatomy) -> Points:
    return curve(
        face.outline(
            (39, 6, -9), (38, 0, -13), (37, -4, -14), (36, -12, -12), (36, -18, -6), (36, -15, 12),
            (41, -6, 23), (40, 2, 22), (39, 7, 12), (39, 9, 0),
        ),
        closed=True,
    )  # fmt: skip


def _frame(face: Anatomy, lens: Plane) -> Plane:
    """Rims, bridge and arms."""
    u = face.unit
    rim = smoothstep(-3.4 * u, -2.8 * u, lens) * smoothstep(0.5 * u, -0.1 * u, lens)
    bridge = stroke(curve(face.outline((39, 7, -6), (27, -4, -2.5), (27, 0, -3.2))), 3.6 * u)
    brow = stroke(
        curve(face.outline((36, -19, -9), (0, 6, -8), (0, 0, -8), (0, -3, -7))),
        5.0 * u,
        taper=(0, 0.3),
    )
    corner = stroke(curve(face.outline((36, -12, -13.5), (36, -19, -11), (36, -20.5, -7))), 5.0 * u)
    return np.maximum.reduce([rim, bridge, brow * (lens < 0.2 * u), corner * (lens < 0.3 * u)])
