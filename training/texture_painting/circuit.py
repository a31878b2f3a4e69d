"""A texture of light: a circuit board under the skin."""

import numpy as np

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    Plane,
    distance,
    dots,
    fill,
    grid,
    mix,
    soften,
    strokes,
)

_STEP = 5.2  # units between the tracks
_TRACKS = 80
_TURNS = ((1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
_BOARD = (3, 26, 30)
_CORE, _TIP = (140, 255, 214), (255, 190, 84)


def circuit(face: Anatomy) -> Painting:
    """Tracks in eight directions that end in pads, a chip on the forehead, rings round the eyes."""
    u = face.unit
    inside = distance(fill(face.face()))
    painting = Painting()
    painting.paint(_BOARD, 0.66 * smoothstep(-1.5 * u, 4 * u, inside))
    tracks, pads = _routed(face, _clear(face, inside))
    lines = strokes([(line, 1.15 * u) for line in tracks], taper=(0, 0))
    ends = dots(np.array(pads), 1.75 * u)
    holes = dots(np.array(pads), 0.75 * u)
    ring = np.abs(distance(fill(face.eye(5.0)))) < 0.7 * u
    ring2 = np.abs(distance(fill(face.eye(8.0)))) < 0.4 * u
    lips = np.abs(distance(fill(face.lips()))) < 0.6 * u
    rim = np.abs(inside - 2.5 * u) < 0.55 * u
    light = np.maximum.reduce(
        [lines, ends, *(m.astype(np.float32) for m in (ring, ring2, lips, rim))]
    )
    x, y = grid()
    warm = smoothstep(46 * u, 8 * u, np.hypot(x - face.middle, y - face.at(27, 0, -32)[1]))
    neon = mix(_CORE, _TIP, warm)
    painting.paint(neon, 0.38 * np.clip(1.4 * soften(light, 2.6 * u), 0, 1))
    painting.paint(neon, 0.95 * soften(light, 0.2 * u))
    painting.paint(mix(neon, (255, 255, 255), np.full_like(light, 0.6)), soften(ends, 0.2 * u))
    painting.paint(_BOARD, 0.9 * holes)
    _chip(painting, face, neon)
    opening = np.maximum(fill(face.eye(0.8)), face.mouth_opening(0.6))
    painting.erase(soften(opening, 0.2 * u))
    return painting


def _clear(face: Anatomy, inside: Plane) -> Plane:
    """1 where tracks may run."""
    u = face.unit
    free = (inside > 5 * u) & (distance(fill(face.eye(11.0))) < 0)
    free &= distance(fill(face.lips())) < -2.5 * u
    x, y = grid()
    chip = (np.abs(x - face.middle) < 15 * u) & (np.abs(y - face.at(27, 0, -32)[1]) < 12 * u)
    return (free & ~chip).astype(np.float32)


def _routed(face: Anatomy, free: Plane) -> tuple[list[Points], list[Points]]:
    """Tracks on a lattice, each cell used once, and the pads at their ends."""
    step = _STEP * face.unit
    columns, rows = int(face.middle / step) + 1, int(320 / step)
    open_cells = np.zeros((columns, rows), bool)
    for i in range(columns):
        for j in range(rows):
            x, y = face.middle - (i + 0.5) * step, (j + 0.5) * step
            px, py = int((x + 0.5) * 8), int((y + 0.5) * 8)
            is_on = 0 <= px < free.shape[1] and 0 <= py < free.shape[0]
            open_cells[i, j] = is_on and free[py, px] > 0.5
    rng = np.random.default_rng(12)
    tracks: list[Points] = []
    pads: list[Points] = []
    starts = np.argwhere(open_cells)
    for start in rng.permutation(starts)[:_TRACKS]:
        cell, heading = (int(start[0]), int(start[1])), int(rng.integers(0, 8))
        if not open_cells[cell]:
            continue
        open_cells[cell] = False
        path = [cell]
        for _ in range(int(rng.integers(5, 18))):
            if rng.random() < 0.16:
                heading = (heading + int(rng.choice([-1, 1]))) % 8
            for turn in (0, 1, -1):
                move = _TURNS[(heading + turn) % 8]
                goal = (cell[0] + move[0], cell[1] + move[1])
                is_in = 0 <= goal[0] < columns and 0 <= goal[1] < rows
                if is_in and open_cells[goal]:
                    heading = (heading + turn) % 8
                    break
            else:
                break
            open_cells[goal] = False
            path.append(goal)
            cell = goal
        if len(path) < 3:
            continue
        line = np.array([(face.middle - (i + 0.5) * step, (j + 0.5) * step) for i, j in path])
        tracks.append(line)
        pads += [line[0], line[-1]]
    return tracks, pads


def _chip(painting: Painting, face: Anatomy, neon: Plane) -> None:
    """Draw a rounded square with pins on the forehead."""
    u = face.unit
    x, y = grid()
    dx, dy = np.abs(x - face.middle) / u, np.abs(y - face.at(27, 0, -32)[1]) / u
    body = smoothstep(0.35, -0.35, np.maximum(dx - 9, dy - 7.5))
    pins = (smoothstep(0.2, -0.2, np.abs((dx / 3.0) % 1 - 0.5) - 0.2) * (dy < 11) * (dy > 7)) * (
        dx < 9
    )
    sides = (smoothstep(0.2, -0.2, np.abs((dy / 3.0) % 1 - 0.5) - 0.2) * (dx < 12.5) * (dx > 8)) * (
        dy < 7.5
    )
    painting.paint(neon, np.maximum(pins, sides))
    painting.paint((14, 18, 22), body)
    edge = body * smoothstep(1.2, 0.2, np.minimum(9 - dx, 7.5 - dy))
    painting.paint(neon, 0.9 * edge)
    core = smoothstep(0.3, -0.3, np.maximum(dx, dy) - 3.2)
    painting.paint(mix(neon, (255, 255, 255), np.full_like(dx, 0.45)), core)
    painting.paint(neon, 0.5 * soften(core, 2.2 * u))
