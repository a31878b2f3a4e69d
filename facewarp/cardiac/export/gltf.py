"""Moving surfaces as binary glTF 2.0: a mesh a part, a morph target a phase, one animation."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.cardiac.export.surfaces import MovingSurface, Triangles
from facewarp.cardiac.parts import PART_COLORS, PART_NAMES, HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.drawing.glb import ARRAY_BUFFER, ELEMENT_BUFFER, GlbFile
from facewarp.system.atomic_files import written

_OPACITY: Final = {HeartPart.LV: 1.0, HeartPart.MYOCARDIUM: 0.35, HeartPart.RV: 0.6}
_METRES: Final = 0.001
#: glTF's axes (columns' images of L, P, S): x to the patient's left, y up, z to the front.
_FROM_LPS: Final = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])


def write_gltf(
    path: Path, surfaces: Sequence[MovingSurface], ed: int, times_s: Sequence[float], cycle_s: float
) -> None:
    """Write the beating surfaces as one ``.glb`` file.

    Buffers hold LPS mm, as the other files do; the root node turns them into glTF's metres with y
    up and puts the heart's middle into the origin. The animation ends with its first phase again,
    so that a player that repeats it shows a heart that beats.

    Args:
        path: the ``.glb`` file.
        surfaces: of the parts.
        ed: index of end-diastole, the shape that is shown at rest.
        times_s: when every phase is shown, from 0.
        cycle_s: when the cycle begins again.

    Raises:
        FacewarpError: it could not be written.
    """
    scene = _Scene()
    phases = len(times_s)
    targets = [phase for phase in range(phases) if phase != ed]
    weights = np.zeros((phases + 1, len(targets)), np.float32)
    for step, phase in enumerate([*range(phases), 0]):
        if phase != ed:
            weights[step, targets.index(phase)] = 1.0
    times = np.array([*times_s, cycle_s], np.float32)
    clock = scene.accessor(times, bounds=True)
    shown = scene.accessor(weights.ravel())
    for surface in surfaces:
        scene.add_part(surface, ed, targets)
    scene.animate(clock, shown)
    middle = np.concatenate([s.vertices_mm[ed] for s in surfaces]).mean(axis=0)
    with written(path) as temporary:
        temporary.write_bytes(scene.to_glb(middle))


class _Scene(GlbFile):
    """Collects what a glTF file is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.meshes: list[dict[str, Any]] = []
        self.materials: list[dict[str, Any]] = []
        self.animations: list[dict[str, Any]] = []

    def add_part(self, surface: MovingSurface, ed: int, targets: Sequence[int]) -> None:
        """Store one part: its shape at end-diastole, and how far every other phase is from it."""
        rest = surface.vertices_mm[ed].astype(np.float32)
        normals = vertex_normals(surface.vertices_mm[ed], surface.triangles).astype(np.float32)
        triangles = surface.triangles.astype(np.uint32).ravel()
        name = PART_NAMES[surface.part]
        primitive = {
            "attributes": {
                "POSITION": self.accessor(rest, ARRAY_BUFFER, bounds=True),
                "NORMAL": self.accessor(normals, ARRAY_BUFFER),
            },
            "indices": self.accessor(triangles, ELEMENT_BUFFER),
            "material": len(self.materials),
            "targets": [
                {
                    "POSITION": self.accessor(
                        surface.vertices_mm[phase].astype(np.float32) - rest,
                        ARRAY_BUFFER,
                        bounds=True,
                    )
                }
                for phase in targets
            ],
        }
        self.materials.append(_material(surface.part))
        weights = [0.0] * len(targets)
        self.meshes.append({"name": name, "primitives": [primitive], "weights": weights})

    def animate(self, clock: int, weights: int) -> None:
        """Let all parts go through the phases."""
        sampler = {"input": clock, "output": weights, "interpolation": "LINEAR"}
        channels = [
            {"sampler": 0, "target": {"node": node + 1, "path": "weights"}}
            for node in range(len(self.meshes))
        ]
        self.animations = [{"name": "heart beat", "samplers": [sampler], "channels": channels}]

    def to_glb(self, middle_mm: FloatArray) -> bytes:
        """Return the whole file; ``middle_mm`` (3,) LPS becomes the origin."""
        matrix = np.eye(4)
        matrix[:3, :3] = _METRES * _FROM_LPS
        matrix[:3, 3] = -matrix[:3, :3] @ middle_mm
        nodes: list[dict[str, Any]] = [
            {
                "name": "heart",
                "matrix": matrix.T.ravel().tolist(),  # column after column
                "children": list(range(1, len(self.meshes) + 1)),
            }
        ]
        nodes += [{"name": mesh["name"], "mesh": index} for index, mesh in enumerate(self.meshes)]
        return self.pack(
            {
                "scene": 0,
                "scenes": [{"nodes": [0]}],
                "nodes": nodes,
                "meshes": self.meshes,
                "materials": self.materials,
                "animations": self.animations,
            }
        )


def vertex_normals(vertices: FloatArray, triangles: Triangles) -> FloatArray:
    """Return unit normals ``(V, 3)`` of vertices, triangles weighted by their area."""
    a, b, c = (vertices[triangles[:, corner]] for corner in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, triangles[:, corner], faces)
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    upwards = np.array([0.0, 0.0, 1.0])
    return np.asarray(np.where(lengths > 0, normals / np.where(lengths > 0, lengths, 1), upwards))


def _material(part: HeartPart) -> dict[str, Any]:
    linear = ((PART_COLORS[part] / 255.0) ** 2.2).tolist()  # glTF's factors are linear
    opacity = _OPACITY[part]
    found: dict[str, Any] = {
        "name": PART_NAMES[part],
        "doubleSided": True,
        "pbrMetallicRoughness": {
            "baseColorFactor": [*linear, opacity],
            "metallicFactor": 0.0,
            "roughnessFactor": 0.7,
        },
    }
    if opacity < 1:
        found["alphaMode"] = "BLEND"
    return found
