"""A texture of light: the face as a glowing wireframe."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from facewarp.core.arrays import Points
from facewarp.drawing.compositing import smoothstep
from facewarp.training.texture_painting.anatomy import Anatomy
from facewarp.training.texture_painting.brushes import (
    Painting,
    distance,
    dots,
    fill,
    grid,
    mix,
    soften,
    strokes,
)

_SPACING = 12.5  # units between the points of the mesh
_TOP, _BOTTOM = (60, 232, 255), (232, 70, 255)
_NIGHT = (6, 10, 34)


def wireframe(face: Anatomy) -> Painting:
    """Neon lines, turquoise at the forehead and violet at the chin, on a darkened face."""
    u = face.unit
    points = _points(face)
    triangles = _triangles(face, points)
    _, y = grid()
    top, bottom = face.face()[:, 1].min(), face.at(8)[1]
    neon = mix(_TOP, _BOTTOM, smoothstep(top, bottom, y))
    inside = distance(fill(face.face()))
    painting = Painting()
    painting.paint(_NIGHT, 0.58 * smoothstep(-1.5 * u, 3 * u, inside))
    rng = np.random.default_rng(4)
    facets = np.zeros_like(inside)
    for corners in points[triangles]:
        np.maximum(facets, rng.uniform(0.0, 0.5) ** 1.6 * fill(corners), out=facets)
    painting.paint(neon, facets)
    edges = np.unique(np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1), axis=0)
    lines = [(np.stack([a, b]), 1.0) for a, b in points[edges]]
    core = strokes([(line, 0.62 * u) for line, _ in lines], taper=(0, 0))
    rim = strokes([(line, 0.95 * u) for line in _contours(face)], taper=(0, 0))
    nodes = dots(points, 1.05 * u)
    light = np.maximum(np.maximum(core, rim), nodes)
    painting.paint(neon, 0.45 * np.clip(1.3 * soften(light, 3.0 * u), 0, 1))
    painting.paint(neon, 0.85 * np.clip(1.9 * soften(light, 0.85 * u), 0, 1))
    painting.paint(mix(neon, (255, 255, 255), np.full_like(light, 0.35)), core)
    painting.paint(mix(neon, (255, 255, 255), np.full_like(light, 0.8)), np.maximum(rim, nodes))
    opening = np.maximum(fill(face.eye(0.4)), face.mouth_opening(0.5))
    painting.erase(soften(opening, 0.2 * u))
    return painting


def _contours(face: Anatomy) -> list[Points]:
    """Brighter lines: around the eyes and the lips, along the brows and the outline."""
    closed = [face.eye(0.8), face.lips(), face.face()]
    lines = [np.concatenate([outline, outline[:1]]) for outline in closed]
    return [*lines, face.points[17:22], face.points[27:31], face.points[31:36]]


def _points(face: Anatomy) -> Points:
    """Landmarks, the forehead's outline, and evenly spread points between them."""
    u = face.unit
    outline = face.face()
    arch = outline[outline[:, 1] < face.at(0)[1] - 0.5 * _SPACING * u]
    arch = arch[np.argsort(arch[:, 0])]
    length = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(arch, axis=0).T))])
    count = 2 * round(length[-1] / (1.15 * _SPACING * u) / 2) + 1
    marks = np.linspace(0, length[-1], count)
    arch = np.stack([np.interp(marks, length, axis) for axis in arch.T], axis=-1)
    eyes = face.eye(0.8)[::16]
    mirror_eyes = (2 * face.middle, 0) + eyes * (-1, 1)
    kept = np.delete(face.points, np.arange(36, 48), axis=0)
    fixed = np.concatenate([kept, eyes, mirror_eyes, arch])
    free = _between(face, fixed)
    for _ in range(12):  # each free point to the mean of its neighbours
        points = np.concatenate([fixed, free])
        pointers, neighbors = Delaunay(points).vertex_neighbor_vertices
        free = np.array(
            [
                points[neighbors[pointers[i] : pointers[i + 1]]].mean(axis=0)
                for i in range(len(fixed), len(points))
            ]
        )
    return np.concatenate([fixed, free])


def _between(face: Anatomy, fixed: Points) -> Points:
    """Make a mirror-symmetric lattice inside the face, clear of the fixed points and openings."""
    step = _SPACING * face.unit
    columns, rows = np.arange(-12, 13), np.arange(-20, 21)
    lattice = np.array(
        [
            (face.middle + (c + 0.5 * (r % 2)) * step, face.at(29)[1] + r * step * 0.866)
            for r in rows
            for c in columns
        ]
    )
    clear = np.linalg.norm(lattice[:, None] - fixed[None], axis=-1).min(axis=1) > 0.62 * step
    inside = [
        cv2.pointPolygonTest(_float32(face.face()), p, True) > 0.4 * step for p in _pairs(lattice)
    ]
    openings = [face.eye(2), _mirror(face, face.eye(2)), face.lips()]
    outside = [
        all(cv2.pointPolygonTest(_float32(o), p, False) < 0 for o in openings)
        for p in _pairs(lattice)
    ]
    return lattice[clear & np.array(inside) & np.array(outside)]


def _triangles(face: Anatomy, points: Points) -> NDArray[np.int32]:
    """Delaunay triangles, without those across the eyes, the mouth and beyond the outline."""
    triangles = Delaunay(points).simplices
    centers = points[triangles].mean(axis=1)
    openings = [face.eye(0.8), _mirror(face, face.eye(0.8)), face.points[60:68]]
    keep = [
        cv2.pointPolygonTest(_float32(face.face(0.5)), c, False) >= 0
        and all(cv2.pointPolygonTest(_float32(o), c, False) < 0 for o in openings)
        for c in _pairs(centers)
    ]
    return np.asarray(triangles[np.array(keep)], np.int32)


def _mirror(face: Anatomy, outline: Points) -> Points:
    return (2 * face.middle, 0) + outline * (-1, 1)


def _float32(outline: Points) -> NDArray[np.float32]:
    return np.ascontiguousarray(outline, np.float32)


def _pairs(points: Points) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in points]
