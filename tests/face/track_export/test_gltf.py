"""Animated glTF of a clip: seen through its camera the mesh lies on the face."""

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
