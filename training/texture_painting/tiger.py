"""Face paint: a tiger."""

from collections.abc import Sequence

import numpy as np

from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    Plane,
    curve,
    distance,
    dots,
    fill,
    grid,
    mix,
    noise,
    soften,
    streaks,
    stroke,
)


def tiger(face: Anatomy) -> Painting:
    """Draw a tiger's face in orange, white and black, in strokes that follow the fur."""
    u = face.unit
    fur = _fur(face)
    skin = distance(fill(face.face())) + 2.2 * u * fur
    cover = 0.94 * smoothstep(-1.0 * u, 4.5 * u, skin)
    painting = Painting()
    painting.paint(_orange(face, fur), cover)
    painting.paint(_white_fur(fur), cover * _white(face, fur))
    painting.paint((24, 15, 12), 0.95 * cover * _stripes(face, fur))
    _muzzle(painting, face)
    _eyes(painting, face, fur)
    painting.erase(face.eye_opening())
    painting.erase(soften(face.mouth_opening(0.8), 0.25 * u))
    return painting


def _fur(face: Anatomy) -> Plane:
    """Bristles in about -1..1 that run away from the bridge of the nose."""
    x, y = grid()
    x0, y0 = face.at(28, 0, 6)
    dx, dy = (x - x0) / face.unit, (y - y0) / face.unit
    radius = np.hypot(dx, dy)
    angle = np.arctan2(dy, -dx)
    near = streaks(11, radius, 60 * angle, 26, 2.6)
    far = streaks(12, radius, 190 * angle, 26, 3.0)
    coarse = streaks(13, radius, 110 * angle, 46, 7.0)
    fine = near + smoothstep(30, 75, radius) * (far - near)
    # Close to where all bristles meet they would make a star.
    return (smoothstep(4, 42, radius) * np.clip(0.65 * fine + 0.5 * coarse, -1.2, 1.2)).astype(
        np.float32
    )


def _orange(face: Anatomy, fur: Plane) -> Plane:
    x, y = grid()
    x0, y0 = face.at(29)
    away = np.hypot((x - x0) / 95, (y - y0) / 120) / face.unit
    base = mix((250, 158, 46), (196, 76, 14), smoothstep(0.15, 1.0, away))
    return np.clip(base * (1 + 0.17 * fur[..., None]), 0, 255)


def _white_fur(fur: Plane) -> Plane:
    return mix((222, 208, 192), (255, 252, 244), np.clip(0.6 + 0.5 * fur, 0, 1))


def _white(face: Anatomy, fur: Plane) -> Plane:
    """Where the fur is white: over the eyes, below them, the muzzle, the chin and the whiskers."""
    u = face.unit
    patches = [
        # brow spot
        [(20, 4, 5), (19, 0, -8), (18, 2, -7), (18, -2, 3), (37, 0, -7), (38, 4, -7), (39, 3, -8)],
        # below the eye, towards the cheek
        [(39, 4, 6), (41, 0, 7), (36, -5, 8), (36, -16, 16), (41, -12, 24), (40, 0, 15)],
        # muzzle
        [(33, 0, -1), (31, -2, -3), (31, -15, 3), (48, -15, -4), (48, -14, 8), (59, -8, 8),
         (57, 0, 5), (57, 20, 5), (33, 20, 0)],
        # chin
        [(57, 0, -4), (59, -6, 4), (6, 14, -3), (7, 6, -4), (8, 0, 0), (8, 20, 0), (57, 20, -4)],
        # ruff along the jaw
        [(2, -3, 0), (2, 12, 8), (3, 14, 6), (4, 18, 0), (5, 18, -6), (6, 14, -8), (6, 0, 2),
         (5, -4, 0), (4, -4, 0), (3, -4, 0)],
    ]  # fmt: skip
    nearest = np.full_like(fur, -1e3)
    for patch in patches:
        nearest = np.maximum(nearest, distance(fill(curve(face.outline(*patch), closed=True))))
    return smoothstep(-2.2 * u, 2.6 * u, nearest + 3.0 * u * fur)


def _stripes(face: Anatomy, fur: Plane) -> Plane:
    """Tapered stripes; each is (its points, its width in units)."""
    plan: Sequence[tuple[list[tuple[float, ...]], float]] = [
        # forehead: the mark in the middle, and arches to both sides
        ([(27, 0, -62), (27, 0.5, -44), (27, 0, -22)], 6.0),
        ([(27, -26, -40), (27, -13, -36), (27, 1, -41)], 5.6),
        ([(27, -21, -27), (27, -11, -24), (27, 1, -29)], 5.0),
        ([(27, -20, -55), (27, -12, -51), (27, 1, -53)], 5.2),
        ([(17, -2, -40), (19, -3, -29), (20, 0, -18), (21, -2, -9)], 6.2),
        ([(0, 6, -38), (18, -6, -17), (19, -8, -12), (20, -4, -9)], 5.4),
        ([(18, 8, -46), (20, -8, -38), (20, 0, -30)], 5.6),
        ([(0, -2, -20), (17, -2, -7), (17, 7, -8)], 4.6),
        # temple and cheek, from the outline inwards
        ([(0, -4, -8), (0, 8, -3), (36, -9, -2)], 4.8),
        ([(0, -3, 5), (1, 9, -9), (36, -12, 11), (41, -8, 13)], 5.6),
        ([(1, -4, 0), (1, 12, 3), (41, -16, 24), (40, -8, 23)], 6.4),
        ([(2, -4, -4), (2, 14, -1), (48, -22, -22), (31, -22, 2)], 6.6),
        ([(3, -4, -8), (3, 12, -8), (48, -22, -8), (48, -13, -8)], 6.2),
        ([(4, -4, -6), (4, 12, -10), (48, -20, 6), (48, -11, 3)], 5.8),
        ([(5, -5, -4), (5, 7, -12), (59, -16, 6)], 5.4),
        ([(6, -4, 2), (6, 5, -10), (59, -8, 11)], 5.0),
        ([(7, -4, 3), (7, 2, -8), (58, -4, 10)], 4.2),
    ]
    u = face.unit
    away = np.full_like(fur, -1e3)
    for corners, width in plan:
        line = curve(face.outline(*corners))
        away = np.maximum(away, distance(stroke(line, width * u, taper=(0.3, 0.75))))
    return smoothstep(-0.9 * u, 0.9 * u, away + 1.5 * u * fur)


def _muzzle(painting: Painting, face: Anatomy) -> None:
    """Nose leather, the line to the lip, dark lips, and spots where whiskers grow."""
    u = face.unit
    _, y = grid()
    leather = fill(
        curve(
            face.mirrored(
                face.outline(
                    (30, 0, -3), (30, -6, -2.5), (31, -2.5, -4), (31, -1, 0.5), (32, 0, 1),
                    (33, 0, 3.4),
                )
            )[:-1],
            closed=True,
        )
    )  # fmt: skip
    top, bottom = face.at(30, 0, -3)[1], face.at(33)[1]
    tone = mix((214, 116, 104), (92, 34, 36), smoothstep(top, bottom, y) + 0.12 * noise(7, 2.0))
    edge = smoothstep(2.6 * u, 0.2 * u, distance(leather))
    painting.paint(mix(tone, (34, 16, 16), 0.85 * edge), soften(leather, 0.35 * u))
    shine = np.array(face.at(30, -3.6, 3))
    painting.paint((255, 226, 216), 0.5 * soften(dots([shine], 1.5 * u), 0.9 * u))
    dark = (26, 14, 14)
    line = curve(face.outline((33, 0, 2), (51, 0, -1.5), (51, 0, 0.5)))
    painting.paint(dark, soften(stroke(line, 2.2 * u), 0.25 * u))
    lips = distance(fill(face.lips()))
    painting.paint((38, 20, 20), 0.92 * smoothstep(-0.8 * u, 1.2 * u, lips))
    smile = curve(face.outline((48, 4, 0), (48, -1, -0.5), (48, -8, -6)))
    painting.paint(dark, soften(stroke(smile, 2.6 * u, taper=(0.0, 0.8)), 0.25 * u))
    spots = face.outline(
        (50, -4, -8), (50, -11, -7.5), (49, -9, -5), (50, -6.5, -4.2), (49, -13, -9.5),
        (49, -6, -9.6),
    )  # fmt: skip
    painting.paint(dark, 0.9 * soften(dots(spots, 0.95 * u), 0.2 * u))


def _eyes(painting: Painting, face: Anatomy, fur: Plane) -> None:
    """Heavy liner that runs into the nose and out to the temple."""
    u = face.unit
    lid = distance(fill(face.eye(4.0)))
    liner = smoothstep(-0.8 * u, 0.8 * u, lid + 0.8 * u * fur)
    tear = stroke(curve(face.outline((39, -3, 1), (39, 4, 5), (28, -9, 8))), 5 * u, taper=(0, 0.9))
    wing = stroke(
        curve(face.outline((36, 5, -1), (36, -6, -5), (36, -15, -11))), 6 * u, taper=(0, 0.9)
    )
    painting.paint((18, 11, 10), 0.97 * np.maximum(liner, soften(np.maximum(tear, wing), 0.3 * u)))
