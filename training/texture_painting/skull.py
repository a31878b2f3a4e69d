"""Face paint: a skull."""

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
    mix,
    noise,
    soften,
    stroke,
    strokes,
)


def skull(face: Anatomy) -> Painting:
    """Draw a skull: bone with hollows, black sockets and nose, teeth across the lips, cracks."""
    u = face.unit
    grain = noise(21, 7.0, octaves=4)
    outline = distance(fill(face.face()))
    cover = 0.96 * smoothstep(-0.8 * u, 3.5 * u, outline + 0.8 * u * grain)
    painting = Painting()
    bone = mix((238, 230, 212), (206, 192, 166), np.clip(0.45 + 0.55 * grain, 0, 1))
    painting.paint(bone, cover)
    painting.shade(_hollows(face, outline), 0.9)
    black = (12, 10, 12)
    socket = distance(fill(_socket(face))) + 1.1 * u * grain
    painting.shade(smoothstep(-9 * u, 1 * u, socket), 0.55)
    painting.paint(black, 0.97 * smoothstep(-1.6 * u, 1.4 * u, socket))
    painting.paint((70, 52, 44), 0.55 * smoothstep(2 * u, 12 * u, socket))
    painting.shade(smoothstep(5 * u, -0.5 * u, np.abs(distance(fill(face.eye(1.5))))), 0.75)
    nose = distance(fill(_nose_hole(face)))
    painting.shade(smoothstep(-5 * u, 0.5 * u, nose), 0.5)
    painting.paint(black, 0.97 * smoothstep(-0.9 * u, 0.7 * u, nose + 0.5 * u * grain))
    _teeth(painting, face, grain)
    _cracks(painting, face)
    painting.erase(face.eye_opening())
    painting.erase(soften(face.mouth_opening(0.8), 0.25 * u))
    return painting


def _socket(face: Anatomy) -> Points:
    return curve(
        face.outline(
            (36, -10, 0), (37, -8, -13), (38, 0, -15), (39, 4, -11), (39, 8, 2), (40, 5, 13),
            (41, -3, 16), (36, -8, 11),
        ),
        closed=True,
    )  # fmt: skip


def _nose_hole(face: Anatomy) -> Points:
    half = face.outline(
        (29, 0, -3), (29, -4, 5), (31, 1, -7), (31, -1, 1), (32, -2, 3.5), (33, 0, -3)
    )
    return curve(face.mirrored(half)[:-1], closed=True)


def _hollows(face: Anatomy, outline: Plane) -> Plane:
    """Shadows of the temples, below the cheekbones, and towards the outline of the jaw."""
    u = face.unit
    cheek = fill(
        curve(
            face.outline(
                (2, -2, -8), (2, 18, 4), (48, -18, -16), (48, -13, 2), (5, 18, -10), (4, 2, 0)
            ),
            closed=True,
        )
    )
    temple = fill(
        curve(
            face.outline((17, -2, -34), (17, 6, -16), (17, -4, -2), (0, 2, -6), (0, 2, -30)),
            closed=True,
        )
    )
    # Not on the forehead: in a frame the paint goes on from there, up to the hairline.
    brow = face.at(19)[1]
    rim = smoothstep(11 * u, 0, outline) * smoothstep(brow - 26 * u, brow + 4 * u, grid()[1])
    return np.clip(
        0.95 * soften(cheek, 6.5 * u) + 0.6 * soften(temple, 4 * u) + 0.45 * rim, 0, 0.92
    )


def _teeth(painting: Painting, face: Anatomy, grain: Plane) -> None:
    """Two rows of teeth on the lips and on into the cheeks."""
    u = face.unit
    x, y = grid()
    corner = np.array(face.at(48, -13, -3))
    # The bite runs along the line between the lips and rises a little into the cheek.
    bite_x = [corner[0], face.at(48)[0], face.at(60)[0], face.at(67)[0], face.middle]
    top = np.interp(x[0], bite_x, [corner[1], *(face.at(i)[1] for i in (48, 60, 61, 62))])
    bottom = np.interp(x[0], bite_x, [corner[1], *(face.at(i)[1] for i in (48, 60, 67, 66))])
    height = u * np.interp(x[0], [corner[0], face.at(48)[0], face.middle], [3.5, 9.0, 13.0])
    columns = x[0] >= corner[0]
    upper = (top[None] - y) / height[None]
    lower = (y - bottom[None]) / height[None]
    across = np.abs(x - face.middle) / u
    width = 7.6 - 0.035 * across
    for row, shift in ((upper, 0.0), (lower, 0.5)):
        phase = (across / width + shift) % 1
        side = 2 * np.abs(phase - 0.5)
        # A tooth: a rounded block, its root narrower.
        body = smoothstep(1.0, 0.74, side + 0.25 * np.clip(row, 0, 1) ** 2)
        length = smoothstep(-0.05, 0.04, row) * smoothstep(1.02, 0.8, row)
        gum = smoothstep(-0.1, 0.0, row) * smoothstep(1.3, 1.0, row) * columns[None]
        painting.paint((24, 18, 18), 0.93 * gum)
        tone = mix((246, 238, 220), (168, 146, 112), np.clip(row + 0.15 * grain, 0, 1) ** 1.6)
        tone *= (1 - 0.35 * side**2)[..., None]
        painting.paint(tone, body * length * columns[None])
    line = curve(face.outline((48, -20, -6), (48, -13, -3), (48, 0, 0), (60, 0, 0)))
    painting.paint((12, 10, 12), soften(stroke(line, 2.4 * u, taper=(0.5, 0)), 0.3 * u))


def _cracks(painting: Painting, face: Anatomy) -> None:
    u = face.unit
    rng = np.random.default_rng(9)
    lines: list[tuple[Points, float]] = []

    def crack(start: Points, end: Points, width: float, branches: int) -> None:
        t = np.linspace(0, 1, 9)[:, None]
        across = (end - start)[::-1] * (-1, 1) * 0.13
        bends = np.concatenate([[0], rng.uniform(-1, 1, 7), [0]])[:, None]
        line = start + t * (end - start) + bends * across
        lines.append((line, width))
        for _ in range(branches):
            i = int(rng.integers(2, 7))
            turned = (end - start)[::-1] * (rng.choice([-1, 1]), 1) * rng.uniform(0.25, 0.45)
            crack(line[i], line[i] + turned + 0.2 * (end - start), 0.7 * width, 0)

    for a, b, width in (
        ((27, -12, -62), (20, -4, -15), 1.5), ((1, 1, 2), (41, -10, 19), 1.2),
        ((6, 2, -4), (58, -8, 14), 1.1),
    ):  # fmt: skip
        crack(face.outline(a)[0], face.outline(b)[0], width * u, 2)
    mask = strokes(lines, taper=(0.1, 0.8))
    painting.paint((52, 42, 36), 0.85 * soften(mask, 0.12 * u))
