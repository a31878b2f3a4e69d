"""The template's mesh for 3D programs: Wavefront OBJ and binary glTF.

The mesh always has the same points and triangles; its texture coordinates are the template's, so
that a texture painted for facewarp fits it. Depth is that of MediaPipe's canonical face at the same
place, on the foreheads's edge that of the nearest place. Units are metres: x to the subject's left,
y up, z out of the face; the origin is between the eyes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.glb import ARRAY_BUFFER, ELEMENT_BUFFER, GlbFile
from facewarp.drawing.png import png_bytes
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import PART_COLORS, FacePart
from facewarp.face.template.head_mesh import HeadMesh, to_average
from facewarp.face.template.template import Template

Floats = NDArray[np.float64]

_METRES: Final = 0.01
_EYES: Final = (36, 45)  # iBUG: outer corners, whose distance sets the scale
_BRIDGE: Final = 27


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """A template's mesh in space.

    Attributes:
        template: whose mesh it is.
        positions: (M, 3) metres.
        uv: (M, 2) texture coordinates from the top left.
        triangles: (T, 3) vertex indices, counter-clockwise from outside.
        parts: (T,) the part each triangle lies in.
    """

    template: Template
    positions: Floats
    uv: Floats
    triangles: NDArray[np.int32]
    parts: NDArray[np.uint8]

    @classmethod
    def of(cls, template: Template) -> "FaceMesh":
        """Lift a template's mesh into space."""
        points, mesh = np.asarray(template.mesh_points, float), HeadMesh.load()
        height, width = CROP_SHAPE
        ends = mesh.positions(to_average(template, template.landmarks[list(_EYES)]))[:, 0]
        across = float(np.ptp(template.landmarks[list(_EYES), 0]))
        unit = _METRES * float(np.ptp(ends)) / max(across, 1.0)
        depth = _METRES * mesh.positions(to_average(template, points))[:, 2]
        bridge = points[_BRIDGE]
        positions = np.column_stack([(points - bridge) * (unit, -unit), depth - depth[_BRIDGE]])
        uv = (points + 0.5) / (width, height)
        triangles = _outward(positions, np.asarray(template.triangles, np.int32))
        centers = np.rint(points[triangles].mean(axis=1)).astype(int)
        rows, columns = centers[:, 1].clip(0, height - 1), centers[:, 0].clip(0, width - 1)
        parts = template.labels[rows, columns]
        parts = np.where(parts == FacePart.BACKGROUND, FacePart.FACE, parts).astype(np.uint8)
        return cls(template, positions, uv, triangles, parts)

    @cached_property
    def normals(self) -> Floats:
        """(M, 3) unit normals, triangles weighted by their area."""
        return vertex_normals(self.positions, self.triangles)

    def groups(self) -> dict[str, NDArray[np.int32]]:
        """Return the triangles of each part that has some, by name."""
        return {
            FacePart(part).name.lower(): self.triangles[self.parts == part]
            for part in np.unique(self.parts)
        }


def vertex_normals(positions: Floats, triangles: NDArray[np.integer]) -> Floats:
    """Return unit normals (M, 3), triangles weighted by their area."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    sums = np.zeros_like(positions)
    for corner in range(3):
        np.add.at(sums, triangles[:, corner], np.cross(b - a, c - a))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    return np.where(lengths > 1e-12, sums / np.maximum(lengths, 1e-12), (0.0, 0.0, 1.0))


def to_obj(mesh: FaceMesh, path: Path) -> dict[Path, bytes]:
    """Return an OBJ file, its materials and the template's image as their texture."""
    materials, image = path.with_suffix(".mtl"), path.with_suffix(".png")
    lines = [f"# facewarp: template {mesh.template.name}; metres, y up", f"mtllib {materials.name}"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in mesh.positions.tolist()]
    lines += [f"vt {u:.6f} {1 - v:.6f}" for u, v in mesh.uv.tolist()]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in mesh.normals.tolist()]
    for name, triangles in mesh.groups().items():
        lines += [f"g {name}", f"usemtl {name}"]
        lines += ["f " + " ".join(f"{i}/{i}/{i}" for i in t) for t in (triangles + 1).tolist()]
    told = []
    for name in mesh.groups():
        told += [f"newmtl {name}", "Kd 1 1 1", f"map_Kd {image.name}", ""]
    return {
        image: png_bytes(mesh.template.color),
        materials: "\n".join(told).encode(),
        path: ("\n".join(lines) + "\n").encode(),
    }


def to_glb(mesh: FaceMesh, path: Path) -> dict[Path, bytes]:
    """Return a binary glTF file: one mesh with a primitive and a material for each part."""
    file = GlbFile()
    return {path: file.pack(face_scene(file, mesh))}


def face_scene(file: GlbFile, mesh: FaceMesh) -> dict[str, Any]:
    """Store a mesh and its image in a file; return glTF's JSON for them."""
    attributes = {
        "POSITION": file.accessor(mesh.positions.astype(np.float32), ARRAY_BUFFER, bounds=True),
        "NORMAL": file.accessor(_unit(mesh.normals), ARRAY_BUFFER),
        "TEXCOORD_0": file.accessor(mesh.uv.astype(np.float32), ARRAY_BUFFER),
    }
    primitives: list[dict[str, Any]] = []
    materials: list[dict[str, Any]] = []
    for name, triangles in mesh.groups().items():
        index = file.accessor(triangles.astype(np.uint32).ravel(), ELEMENT_BUFFER)
        primitives.append({"attributes": attributes, "indices": index, "material": len(materials)})
        materials.append(
            {
                "name": name,
                "doubleSided": True,
                "pbrMetallicRoughness": {
                    "baseColorTexture": {"index": 0},
                    "metallicFactor": 0.0,
                    "roughnessFactor": 0.9,
                },
                "extras": {"color": PART_COLORS[FacePart[name.upper()]].tolist()},
            }
        )
    image = file.view(png_bytes(mesh.template.color))
    return {
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"name": mesh.template.name, "mesh": 0}],
        "meshes": [{"name": "face", "primitives": primitives}],
        "materials": materials,
        "textures": [{"source": 0, "sampler": 0}],
        "samplers": [{"wrapS": 33071, "wrapT": 33071}],
        "images": [{"bufferView": image, "mimeType": "image/png", "name": "template"}],
    }


EXPORTS: Final[dict[str, Callable[[FaceMesh, Path], dict[Path, bytes]]]] = {
    ".obj": to_obj,
    ".glb": to_glb,
}
"""Kinds of files by suffix."""


def exported(template: Template, path: Path) -> dict[Path, bytes]:
    """Return the files of a template's mesh, the named one last.

    Raises:
        FacewarpError: the file is of no such kind.
    """
    write = EXPORTS.get(path.suffix.lower())
    if write is None:
        what = f"a mesh is written as {' or '.join(EXPORTS)}"
        raise FacewarpError(what, path, f"Call it {path.stem}.glb.")
    return write(FaceMesh.of(template), path)


def _outward(positions: Floats, triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn triangles whose normal points into the head."""
    a, b, c = (positions[triangles[:, k]] for k in range(3))
    inward = np.cross(b - a, c - a)[:, 2] < 0
    return np.where(inward[:, None], triangles[:, ::-1], triangles).astype(np.int32)


def _unit(normals: Floats) -> NDArray[np.float32]:
    short = normals.astype(np.float32)
    return short / np.linalg.norm(short, axis=1, keepdims=True).astype(np.float32)
