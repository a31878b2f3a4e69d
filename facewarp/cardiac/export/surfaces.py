"""Surfaces of the heart's parts that move with the field: one mesh, a position a phase."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.motion.labels import Labels, heart_box, part_depths
from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray

Triangles = NDArray[np.int64]

PARTS: Final = (HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV)
_RAS_TO_LPS: Final = np.array([-1.0, -1.0, 1.0])
_MARGIN_VOX: Final = 3
_ROUNDS: Final = 12
_SETTLED_VOX: Final = 0.1
_FINEST: Final = 8  # slices of the net for each of the volume's, at most


@dataclass(frozen=True, eq=False)
class MovingSurface:
    """The closed surface of one part in every phase.

    It may touch itself along an edge where the part is thinner than a voxel.

    Attributes:
        part: whose surface it is.
        triangles: ``(F, 3)`` indices of vertices, counter-clockwise seen from outside.
        vertices_mm: ``(T, V, 3)`` LPS mm: DICOM's and ITK's world. A vertex is the same material
            point in every phase.
    """

    part: HeartPart
    triangles: Triangles
    vertices_mm: FloatArray

    def volume_ml(self) -> FloatArray:
        """Enclosed volume in every phase, ``(T,)`` ml, by the divergence theorem."""
        a, b, c = np.moveaxis(self.vertices_mm[:, self.triangles], 2, 0)
        return np.asarray(np.einsum("tfi,tfi->t", a, np.cross(b, c)) / 6000.0)


def moving_surfaces(result: CineResult) -> list[MovingSurface]:
    """Extract the parts' surfaces at end-diastole and carry their vertices through the cycle.

    The surface of a part is where it stops being the deepest of all: inner and outer surface of
    neighbouring parts coincide. A vertex goes where the labels go: to the place whose field back
    to end-diastole ends at the vertex. Vertices stay within the stack, as labels do.

    Returns:
        A surface for each part that end-diastole shows.
    """
    volume, ed, phases = result.cine.volume, result.ed, range(len(result.cine.frames))
    at_rest = part_surfaces(result.labels[ed], volume.spacing_mm)
    vertices = [np.empty((len(phases), len(places), 3)) for _, _, places in at_rest]
    for phase in phases:
        there, back = (result.field(phase, to_ed=to_ed) for to_ed in (False, True))
        for index, (_, _, places) in enumerate(at_rest):
            moved = places if phase == ed else carried(places, there, back)
            moved[:, 2] = moved[:, 2].clip(-0.5, volume.shape[0] - 0.5)
            mm = moved @ volume.affine[:3, :3].T + volume.affine[:3, 3]
            vertices[index][phase] = mm * _RAS_TO_LPS
    surfaces = []
    for (part, triangles, _), moving in zip(at_rest, vertices, strict=True):
        surface = MovingSurface(part, triangles, moving)
        if surface.volume_ml()[ed] < 0:  # the voxels' axes are left-handed
            surface = MovingSurface(part, triangles[:, ::-1], moving)
        surfaces.append(surface)
    return surfaces


def carried(
    places: FloatArray, there: NDArray[np.float32], back: NDArray[np.float32]
) -> FloatArray:
    """Find the places that a field carries onto given ones, by fixed-point iteration.

    Args:
        places: ``(V, 3)`` in end-diastole, voxels ``(x, y, z)``.
        there: ``(3, D, H, W)`` voxels, lives on end-diastole: where the iteration begins, and what
            stands where it does not come to rest (the other field folds there).
        back: ``(3, D, H, W)`` voxels, lives on the phase and points into end-diastole.

    Returns:
        ``(V, 3)`` in the phase, voxels.
    """
    first = places + _at(there, places)
    found = first
    for _ in range(_ROUNDS):
        found = places - _at(back, found)
    off = np.linalg.norm(found + _at(back, found) - places, axis=1)
    return np.asarray(np.where((off < _SETTLED_VOX)[:, None], found, first))


def part_surfaces(
    labels: Labels, spacing_mm: tuple[float, float, float]
) -> list[tuple[HeartPart, Triangles, FloatArray]]:
    """Surfaces of the parts of one labelled volume.

    Args:
        labels: ``(D, H, W)`` part ids.
        spacing_mm: along x, y, z.

    Returns:
        For each part that is there: the part, triangles ``(F, 3)``, and vertices ``(V, 3)`` in
        voxels ``(x, y, z)`` of the volume.
    """
    if not labels.any():
        return []
    box = heart_box([labels > 0], _MARGIN_VOX)
    finer = int(np.clip(round(spacing_mm[2] / min(spacing_mm[:2])), 1, _FINEST))
    depths = part_depths(labels[box], spacing_mm, finer).values
    found = []
    for part in PARTS:
        if not (labels == part).any():
            continue
        others = np.delete(depths, part, axis=0).max(axis=0)
        points, triangles = surface_net(depths[part] - others)
        z, y, x = points.T
        places = np.stack([x - 1, y - 1, z / finer - 1], axis=1)  # without the frame
        places += (box[2].start or 0, box[1].start or 0, box[0].start or 0)
        found.append((part, triangles, places))
    return found


def surface_net(values: NDArray[np.floating]) -> tuple[FloatArray, Triangles]:
    """Find the surface where values change sign: naive surface nets.

    Every cell of eight neighbouring values that has both signs gets one vertex, the mean of the
    crossings on its edges; every edge that crosses gets a quadrilateral between the four cells
    around it. S. F. F. Gibson: Constrained Elastic Surface Nets, MICCAI 1998.

    Args:
        values: ``(nz, ny, nx)``, positive inside, negative at the border.

    Returns:
        Vertices ``(V, 3)`` in ``(z, y, x)`` indices, and triangles ``(F, 3)``, all turned one way.
    """
    inside = values > 0
    cells = tuple(n - 1 for n in values.shape)
    total, count = np.zeros((*cells, 3)), np.zeros(cells)
    crossings = []
    for axis in range(3):
        low, high = (np.moveaxis(values, axis, 0)[part] for part in (slice(-1), slice(1, None)))
        starts = np.moveaxis(inside, axis, 0)[:-1]
        crosses = starts != np.moveaxis(inside, axis, 0)[1:]
        share = np.where(crosses, low / np.where(crosses, low - high, 1.0), 0.0)
        crossings.append((crosses, starts))
        _add_crossings(total, count, axis, crosses, share)
    filled = count > 0
    number = np.full(cells, -1, dtype=np.int64)
    number[filled] = np.arange(int(filled.sum()))
    vertices = total[filled] / count[filled][:, None] + np.argwhere(filled)
    quads = np.concatenate([_quads(number, axis, *crossings[axis]) for axis in range(3)])
    return vertices, np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


def _add_crossings(
    total: FloatArray,
    count: FloatArray,
    axis: int,
    crosses: NDArray[np.bool_],
    share: NDArray[np.floating],
) -> None:
    """Add the crossings of all edges along one axis to the four cells around each.

    Positions are relative to the cell's first corner.
    """
    u, v = (other for other in range(3) if other != axis)
    sums, counts = np.moveaxis(total, axis, 0), np.moveaxis(count, axis, 0)
    for at_u in (0, 1):
        for at_v in (0, 1):
            part = (
                slice(None),
                slice(at_u, crosses.shape[1] - 1 + at_u),
                slice(at_v, crosses.shape[2] - 1 + at_v),
            )
            here = crosses[part]
            counts += here
            sums[..., axis] += share[part]
            sums[..., u] += at_u * here
            sums[..., v] += at_v * here


def _quads(
    number: NDArray[np.int64], axis: int, crosses: NDArray[np.bool_], starts: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Quadrilaterals around the crossing edges along one axis, ``(Q, 4)`` vertex numbers."""
    cells = np.moveaxis(number, axis, 0)
    along, u, v = np.nonzero(crosses[:, 1:-1, 1:-1])
    corners = [cells[along, u + at_u, v + at_v] for at_u, at_v in ((0, 0), (1, 0), (1, 1), (0, 1))]
    quads = np.stack(corners, axis=1)
    forwards = starts[:, 1:-1, 1:-1][along, u, v] == (axis != 1)  # (1, 0, 2) is an odd permutation
    quads[~forwards] = quads[~forwards][:, ::-1]
    return quads


def _at(field: NDArray[np.float32], places: FloatArray) -> FloatArray:
    """Displacements ``(V, 3)`` of a field ``(3, D, H, W)`` at places ``(V, 3)``, voxels x, y, z."""
    where = places[:, ::-1].T
    found = [ndimage.map_coordinates(channel, where, order=1, mode="nearest") for channel in field]
    return np.stack(found, axis=1).astype(np.float64)
