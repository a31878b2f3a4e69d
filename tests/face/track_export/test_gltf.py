"""Animated glTF of a clip: seen through its camera the mesh lies on the face."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pygltflib
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.track_export import gltf
from facewarp.face.track_export.formats import TracksTarget
from facewarp.face.track_export.shot import Shot

SIZE = (640, 480)


@pytest.fixture
def shot(template, face_at):
    made = Shot(Path("clip.mp4"), SIZE, Fraction(25), template)
    for number, x in enumerate([300, 310, 320, 330], start=5):
        made.add(number, [face_at(center=(x, 240), side=150 + number, id=4)])
    return made


def read(shot, tmp_path):
    (data,) = TracksTarget.of("clip.glb").files(shot).values()
    path = tmp_path / "clip.glb"
    path.write_bytes(data)
    return pygltflib.GLTF2().load(str(path))


def array(file, index, columns):
    accessor = file.accessors[index]
    start = file.bufferViews[accessor.bufferView].byteOffset
    found = np.frombuffer(file.binary_blob(), "<f4", accessor.count * columns, start)
    return found.reshape(-1, columns) if columns > 1 else found


def test_every_frame_projects_onto_its_points(shot, tmp_path):
    file = read(shot, tmp_path)
    lens = file.cameras[0].perspective
    assert lens.aspectRatio == pytest.approx(640 / 480)
    focal = 240 / np.tan(lens.yfov / 2)
    (mesh,) = file.meshes
    first = array(file, mesh.primitives[0].attributes.POSITION, 3)
    moves = [array(file, target["POSITION"], 3) for target in mesh.primitives[0].targets]
    assert len(moves) == 3
    for shape, points in zip(
        [first, *(first + m for m in moves)], shot.faces[4].points, strict=True
    ):
        x, y, z = shape.T
        assert (z < 0).all()
        seen = np.column_stack([x, -y]) / -z[:, None] * focal + (319.5, 239.5)
        np.testing.assert_allclose(seen, points, atol=0.05)


def test_weights_show_one_frame_after_the_other(shot, tmp_path):
    file = read(shot, tmp_path)
    (animation,) = file.animations
    (sampler,) = animation.samplers
    np.testing.assert_allclose(array(file, sampler.input, 1), np.arange(4) / 25, atol=1e-6)
    weights = array(file, sampler.output, 1).reshape(4, 3)
    np.testing.assert_array_equal(weights, np.eye(4)[:, 1:])
    assert animation.channels[0].target.path == "weights"


def test_faces_are_meshes_and_one_that_is_seen_once_stands(shot, face_at, tmp_path):
    shot.add(9, [face_at(center=(100, 200), side=90, id=7)])
    file = read(shot, tmp_path)
    assert [mesh.name for mesh in file.meshes] == ["face4", "face7"]
    assert [node.name for node in file.nodes] == ["face4", "face7", "camera"]
    assert not file.meshes[1].primitives[0].targets


def test_too_many_frames_are_told(shot, tmp_path, monkeypatch):
    monkeypatch.setattr(gltf, "MOST_FRAMES", 3)
    with pytest.raises(FacewarpError, match=r"4 frames.*--end"):
        read(shot, tmp_path)


IN_BLENDER = """
import bpy, json
from bpy_extras.object_utils import world_to_camera_view
bpy.ops.wm.read_factory_settings(use_empty=True)
bpy.context.scene.render.fps = 25
bpy.ops.import_scene.gltf(filepath="clip.glb")
scene, told = bpy.context.scene, {}
scene.render.resolution_x, scene.render.resolution_y = 640, 480
(mesh,) = (one for one in scene.objects if one.type == "MESH")
(camera,) = (one for one in scene.objects if one.type == "CAMERA")
for number in range(4):
    scene.frame_set(number)
    shape = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = [shape.matrix_world @ vertex.co for vertex in shape.data.vertices]
    seen = [world_to_camera_view(scene, camera, point) for point in points]
    told[number] = [[640 * p.x - 0.5, 480 * (1 - p.y) - 0.5] for p in seen]
layer = mesh.data.uv_layers[0].data
uv = {loop.vertex_index: list(layer[loop.index].uv) for loop in mesh.data.loops}
faces = [list(face.vertices) for face in mesh.data.polygons]
print("TOLD", json.dumps([told, uv, faces]))
"""


@pytest.mark.slow
def test_blender_plays_every_frame_in_its_place(shot, template, tmp_path, python_with_bpy):
    (data,) = TracksTarget.of("clip.glb").files(shot).values()
    (tmp_path / "clip.glb").write_bytes(data)
    done = subprocess.run(
        [python_with_bpy, "-c", IN_BLENDER], cwd=tmp_path, capture_output=True, text=True,
        timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))
    told, uv, faces = json.loads(line[5:])
    mesh = np.asarray(template.mesh_points)
    expected_uv = (mesh + 0.5) / (260, 320) * (1, -1) + (0, 1)
    # Blender stores a mesh of several materials in an order of its own: texture coordinates tell
    index = np.array([uv[str(place)] for place in range(len(told["0"]))])
    nearest = np.linalg.norm(index[:, None] - expected_uv, axis=-1).argmin(1)
    assert np.abs(index - expected_uv[nearest]).max() < 1e-5
    assert set(nearest) == set(range(len(mesh)))
    assert len(faces) == len(template.triangles)
    for number, points in enumerate(shot.faces[4].points):
        seen = np.array(told[str(number)])
        np.testing.assert_allclose(seen, points[nearest], atol=0.1)
