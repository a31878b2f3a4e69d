"""The template's triangle mesh."""

import cv2
import numpy as np
from numpy.typing import NDArray

BROW_LINE = tuple(range(17, 27))  # iBUG: along both brows, image-left to image-right

INNER_LIPS = frozenset(range(60, 68))

LEFT_EYE, RIGHT_EYE = frozenset(range(36, 42)), frozenset(range(42, 48))  # the image's

OPENINGS = (LEFT_EYE, RIGHT_EYE, INNER_LIPS)

FOREHEAD_LIFT = 0.35  # of the way from chin to nose bridge, as the part masks have it

MESH_SPACING_PX = 17.0

_MAX_HALVINGS = 8  # a face needs one or two; more is for landmarks that are no face


def face_mesh(landmarks: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Triangulate a face: landmarks, a lifted brow line as forehead, and evenly placed skin points.

    Args:
        landmarks: (68, 2) px.

    Returns:
        Mesh points (M, 2) px, landmarks first, and triangles (T, 3) of their indices. Eyes and
        mouth opening have none, and no triangle reaches into them or beyond the face.
    """
    lift = FOREHEAD_LIFT * (landmarks[27] - landmarks[8])
    forehead = landmarks[list(BROW_LINE)] + lift
    outline = np.concatenate([landmarks[:17], forehead[::-1]])
    points = np.concatenate([landmarks, forehead, _skin_points(landmarks, forehead, outline)])
    count, brows = len(landmarks), len(forehead)
    rings = [[*range(17), *reversed(range(count, count + brows))], *map(sorted, OPENINGS)]
    points, triangles = _triangulate(points, rings)
    centers = points[triangles].mean(1)
    inside = _inside(centers, outline)
    for opening in OPENINGS:
        inside &= ~_inside(centers, landmarks[sorted(opening)])
    return points, triangles[inside]


def _skin_points(
    landmarks: NDArray[np.float64], forehead: NDArray[np.float64], border: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Place a hexagonal lattice inside the face, symmetric about its axis.

    Its points keep away from every landmark, and from the border, lest triangles get slim there.
    """
    taken = np.concatenate([landmarks, forehead])
    axis_x = float(landmarks[27:31, 0].mean())
    low, high = border.min(0), border.max(0)
    rows = np.arange(low[1], high[1], MESH_SPACING_PX * 0.866)
    found = []
    for index, y in enumerate(rows):
        offset = 0.5 * (index % 2)
        reach = np.arange(0, (high[0] - low[0]) / MESH_SPACING_PX) + offset
        xs = np.unique(
            np.concatenate([axis_x - reach * MESH_SPACING_PX, axis_x + reach * MESH_SPACING_PX])
        )
        found.append(np.column_stack([xs, np.full_like(xs, y)]))
    lattice = np.concatenate(found)
    distance = np.linalg.norm(lattice[:, None] - taken[None], axis=-1).min(1)
    inner = _inside(lattice, border)
    for opening in OPENINGS:
        inner &= ~_inside(lattice, landmarks[sorted(opening)])
    clear = (distance > 0.62 * MESH_SPACING_PX) & (
        _distance(lattice, border) > 0.25 * MESH_SPACING_PX
    )
    return lattice[inner & clear]


def _triangulate(
    points: NDArray[np.float64], rings: list[list[int]]
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Delaunay triangles (T, 3) that cross no edge of closed rings of points.

    An edge that triangles would cross is halved by a further point, and again, until none does.
    """
    from scipy.spatial import Delaunay  # takes as long to import as everything else here

    for _ in range(_MAX_HALVINGS):
        triangles = Delaunay(points).simplices.astype(np.int32)
        sides = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
        edges = set(map(tuple, sides.tolist()))
        halved: list[list[int]] = []
        further: list[NDArray[np.float64]] = []
        for ring in rings:
            halved.append([])
            for start, end in zip(ring, ring[1:] + ring[:1], strict=True):
                halved[-1].append(start)
                if (min(start, end), max(start, end)) not in edges:
                    halved[-1].append(len(points) + len(further))
                    further.append((points[start] + points[end]) / 2)
        if not further:
            break
        points, rings = np.concatenate([points, further]), halved
    return points, triangles


def _inside(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which points (N, 2) lie in a polygon (K, 2): even-odd rule."""
    x, y = points[:, :1], points[:, 1:]
    start, end = polygon, np.roll(polygon, -1, axis=0)
    spans = (start[:, 1] > y) != (end[:, 1] > y)
    rise = np.where(end[:, 1] == start[:, 1], 1e-12, end[:, 1] - start[:, 1])
    at = start[:, 0] + (y - start[:, 1]) / rise * (end[:, 0] - start[:, 0])
    return (spans & (x < at)).sum(1) % 2 == 1


def _distance(points: NDArray[np.float64], polygon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return distances of points (N, 2) from the border of a polygon (K, 2)."""
    border = polygon.astype(np.float32)
    return np.array([abs(cv2.pointPolygonTest(border, point, True)) for point in points.tolist()])


def _is_mesh(points: NDArray[np.float64], triangles: NDArray[np.int32]) -> bool:
    """Return whether arrays are points (M, 2) and triangles (T, 3) of their indices."""
    return bool(
        points.dtype == np.float64
        and points.shape[1:] == (2,)
        and np.isfinite(points).all()
        and triangles.dtype == np.int32
        and triangles.shape[1:] == (3,)
        and (triangles >= 0).all()
        and (triangles < len(points)).all()
    )
