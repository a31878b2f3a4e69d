"""A clip's faces as animated binary glTF: a mesh a face, a morph target a frame, and the camera.

Each point lies on the ray through its pixel, at the depth that the template's mesh in space has
there when it is fitted to the frame (perspective-n-point). Seen through the camera of the file the
mesh lies on the face. Pixels that are not square are made so. Units are metres; the camera is at
the origin and looks along -z.
"""

import math
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.glb import ARRAY_BUFFER, GlbFile
from facewarp.errors import FacewarpError
from facewarp.face.template.mesh_export import FaceMesh, face_scene, vertex_normals
from facewarp.face.track_export.shot import FaceTrack, Shot

Floats = NDArray[np.float64]

FIELD_OF_VIEW_DEG: Final = 60.0
"""Of the file's camera, along the longer side of the picture."""

MOST_FRAMES: Final = 1500
"""Of a face: every frame has a morph target, and the weights grow with their square."""

_FLIP: Final = np.array([1.0, -1.0, -1.0])  # OpenCV's axes (y down, z ahead) to glTF's


def gltf_file(shot: Shot) -> bytes:
    """Return a shot as one ``.glb``.

    Raises:
        FacewarpError: a face is there in more than `MOST_FRAMES` frames.
    """
    file = GlbFile()
    mesh = FaceMesh.of(shot.template)
    scene = face_scene(file, mesh)
    (rest,) = scene.pop("meshes")
    meshes: list[dict[str, Any]] = []
    nodes: list[dict[str, Any]] = []
    animations: list[dict[str, Any]] = []
    for track in shot.tracks:
        if len(track.numbers) > MOST_FRAMES:
            what = f"{track.name} is there in {len(track.numbers)} frames, glTF holds {MOST_FRAMES}"
            raise FacewarpError(what, shot.source, "Track a part of it with --start and --end.")
        shapes = [_in_space(points, mesh, shot) for points in track.points]
        meshes.append(_morphing(file, rest, shapes, mesh, track.name))
        animations.append(_animation(file, track, len(nodes)))
        nodes.append({"name": track.name, "mesh": len(meshes) - 1})
    nodes.append({"name": "camera", "camera": 0})
    scene |= {
        "scenes": [{"nodes": list(range(len(nodes)))}],
        "nodes": nodes,
        "meshes": meshes,
        "animations": animations,
        "cameras": [_camera(shot)],
    }
    return file.pack(scene)


def focal_px(shot: Shot) -> float:
    """Return the focal length of the file's camera."""
    return 0.5 * max(_square_size(shot)) / math.tan(math.radians(FIELD_OF_VIEW_DEG) / 2)


def _square_size(shot: Shot) -> tuple[float, float]:
    """Return (width, height) of the picture in square pixels, as high as stored ones."""
    width, height = shot.size
    return width * shot.pixel_aspect, height


def _in_space(points: Floats, mesh: FaceMesh, shot: Shot) -> Floats:
    """Return a frame's points (M, 3), metres in the camera's axes."""
    width, height = _square_size(shot)
    focal, middle = focal_px(shot), np.array([(width - 1) / 2, (height - 1) / 2])
    points = (points + 0.5) * (shot.pixel_aspect, 1) - 0.5
    matrix = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1.0]])
    model = mesh.positions
    found, turn, shift = cv2.solvePnP(model, points, matrix, None, flags=cv2.SOLVEPNP_SQPNP)
    depth = np.full(len(points), 0.6)
    if found and np.isfinite(turn).all() and shift[2, 0] > 0:
        depth = (model @ cv2.Rodrigues(turn)[0].T + shift[:, 0])[:, 2]
    rays = np.column_stack([(points - middle) / focal, np.ones(len(points))])
    return np.asarray(rays * depth[:, None] * _FLIP)


def _morphing(
    file: GlbFile, rest: dict[str, Any], shapes: list[Floats], mesh: FaceMesh, name: str
) -> dict[str, Any]:
    """Store a face: its first frame, and how far every later one is from it."""
    first = shapes[0].astype(np.float32)
    normals = vertex_normals(shapes[0], mesh.triangles)
    position = file.accessor(first, ARRAY_BUFFER, bounds=True)
    normal = file.accessor(_unit(normals), ARRAY_BUFFER)
    targets = [
        {"POSITION": file.accessor(shape.astype(np.float32) - first, ARRAY_BUFFER, bounds=True)}
        for shape in shapes[1:]
    ]
    primitives = [
        {
            **primitive,
            "attributes": {**primitive["attributes"], "POSITION": position, "NORMAL": normal},
            **({"targets": targets} if targets else {}),
        }
        for primitive in rest["primitives"]
    ]
    weights = {"weights": [0.0] * len(targets)} if targets else {}
    return {"name": name, "primitives": primitives, **weights}


def _animation(file: GlbFile, track: FaceTrack, node: int) -> dict[str, Any]:
    """Store when each frame is shown, from the clip's first."""
    count = len(track.numbers)
    times = np.array(track.times)
    shown = np.eye(count, dtype=np.float32)[:, 1:]
    if count == 1:
        channels, samplers = _standing(file, node)
    else:
        clock = file.accessor(times.astype(np.float32), bounds=True)
        samplers = [
            {"input": clock, "output": file.accessor(shown.ravel()), "interpolation": "LINEAR"}
        ]
        channels = [{"sampler": 0, "target": {"node": node, "path": "weights"}}]
    return {"name": track.name, "samplers": samplers, "channels": channels}


def _standing(file: GlbFile, node: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return channels and samplers of a face that is there in one frame: it keeps its place."""
    clock = file.accessor(np.zeros(1, np.float32), bounds=True)
    place = file.accessor(np.zeros((1, 3), np.float32))
    sampler = {"input": clock, "output": place, "interpolation": "STEP"}
    return [{"sampler": 0, "target": {"node": node, "path": "translation"}}], [sampler]


def _camera(shot: Shot) -> dict[str, Any]:
    width, height = _square_size(shot)
    upright = 2 * math.atan(0.5 * height / focal_px(shot))
    lens = {"aspectRatio": width / height, "yfov": upright, "znear": 0.01, "zfar": 100.0}
    return {"type": "perspective", "perspective": lens, "name": "camera"}


def _unit(normals: Floats) -> NDArray[np.float32]:
    short = normals.astype(np.float32)
    return short / np.linalg.norm(short, axis=1, keepdims=True).astype(np.float32)


def write_gltf(shot: Shot, path: Path) -> dict[Path, bytes]:
    """Return the file of a shot."""
    return {path: gltf_file(shot)}
