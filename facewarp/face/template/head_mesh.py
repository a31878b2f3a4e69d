"""MediaPipe's canonical face mesh, and where each of its vertices lies in the average template.

The mesh (468 vertices with metric positions and texture coordinates, 898 triangles) is MediaPipe's;
the positions in the template were measured on photographs (`benchmarks/face/expressions.py mesh`,
docs/decisions/0105). It gives template points a depth, and textures painted for the canonical face
a place.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop_fields import sample_field
from facewarp.face.template.template import Template

_ROUNDS = 12  # of the fixed-point iteration that inverts a template's texture field
_NOT_INSIDE = 1e-6  # barycentric coordinates down to which a point counts as inside a triangle


@dataclass(frozen=True, eq=False)
class HeadMesh:
    """The canonical face mesh and its place in the average template.

    Attributes:
        points: (468, 2) px of the average template's crop.
        uv: (468, 2) texture coordinates 0..1, from the top left of a texture's image.
        xyz: (468, 3) cm; x to the subject's left, y up, z out of the face.
        triangles: (898, 3) int32 vertex indices, counter-clockwise seen from outside.
        spread_px: (468,) median distance of the measured places from `points`, px.
    """

    points: NDArray[np.float64]
    uv: NDArray[np.float64]
    xyz: NDArray[np.float64]
    triangles: NDArray[np.int32]
    spread_px: NDArray[np.float64]

    @classmethod
    @cache
    def load(cls) -> "HeadMesh":
        """Load the shipped mesh; every call returns the same object."""
        path = resources.files("facewarp.assets") / "head" / "face_mesh.npz"
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        for array in arrays.values():
            array.setflags(write=False)
        return cls(**arrays)

    def at(self, points: NDArray[np.floating], values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Interpolate per-vertex values at points of the average template.

        Barycentric in the triangle a point lies in (the foremost one, where the mesh overlaps
        itself), else at the closest place of the closest triangle.

        Args:
            points: (N, 2) px of the average template.
            values: (468, K).

        Returns:
            (N, K).
        """
        corners = self.points[self.triangles]
        base, *edges = corners.transpose(1, 0, 2)
        first, second = edges[0] - base, edges[1] - base
        area = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
        flat = np.abs(area) < 0.5  # px^2: seen from the side, they say nothing
        area = np.where(flat, 1.0, area)
        depth = self.xyz[self.triangles, 2]
        found = np.empty((len(points), values.shape[1]))
        for row, point in enumerate(np.asarray(points, float)):
            x, y = (point - base).T
            a = (x * second[:, 1] - y * second[:, 0]) / area
            b = (first[:, 0] * y - first[:, 1] * x) / area
            weights = np.stack([1 - a - b, a, b], axis=-1)
            outside = np.maximum(-weights, 0).max(axis=-1) + 1e3 * flat
            clipped = weights.clip(0)
            clipped /= clipped.sum(axis=-1, keepdims=True)
            places = (clipped[:, :, None] * corners).sum(axis=1)
            distance = np.linalg.norm(places - point, axis=-1) + 1e3 * flat
            distance[outside < _NOT_INSIDE] = 0
            nearest = np.flatnonzero(distance <= distance.min() + 1e-9)
            best = nearest[(clipped[nearest] * depth[nearest]).sum(-1).argmax()]
            found[row] = clipped[best] @ values[self.triangles[best]]
        return found

    def positions(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return where points (N, 2) of the average template lie on the head, (N, 3) cm."""
        return self.at(points, self.xyz)


def from_average(template: Template, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points (N, 2) px of the average template into another template's own space.

    Inverts ``a = p + texture_field(p)`` by fixed-point iteration.
    """
    target = np.asarray(points, float)
    if template.texture_field is None:
        return target
    found = target
    for _ in range(_ROUNDS):
        found = target - sample_field(template.texture_field, found)
    return found


def to_average(template: Template, points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map points (N, 2) px of a template into the space of the average one."""
    target = np.asarray(points, float)
    if template.texture_field is None:
        return target
    return target + sample_field(template.texture_field, target)
