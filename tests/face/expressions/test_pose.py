"""Head pose: known rotations are found again, and points come back to the head's own axes."""

import numpy as np
import pytest

from facewarp.face.expressions.pose import Camera, HeadPose, PoseSolver, landmark_positions, to_head
from facewarp.face.parts import MIRROR_LANDMARKS
from facewarp.face.template.head_mesh import HeadMesh, from_average, to_average

SIZE = (1280, 720)


def rotation(pitch, yaw, roll):
    """Ry(yaw) Rx(pitch) Rz(roll), written out by axis."""

    def about(axis, degrees):
        i, j = [k for k in range(3) if k != axis]
        matrix, angle = np.eye(3), np.radians(degrees if axis != 1 else -degrees)
        matrix[i, i] = matrix[j, j] = np.cos(angle)
        matrix[i, j], matrix[j, i] = -np.sin(angle), np.sin(angle)
        return matrix

    return about(1, yaw) @ about(0, pitch) @ about(2, roll)


def seen(points_cm, turn, place_cm, focal):
    """Project points of the head by hand: x right, y down."""
    x, y, z = (points_cm @ turn.T + place_cm).T
    middle = np.array([(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2])
    return middle + focal * np.column_stack([x / -z, y / z])


@pytest.fixture(scope="module")
def solver(template):
    return PoseSolver(template)


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (20, 0, 0), (0, 25, 0), (0, 0, 15), (-12, -30, 8), (10, 35, -20)]
)
@pytest.mark.parametrize("view", [40.0, 60.0, 90.0])
def test_a_known_pose_is_found_again(solver, face_at, monkeypatch, angles, view):
    camera, turn, place = Camera(SIZE, view), rotation(*angles), np.array([6.0, -4.0, -70.0])
    focal = 640 / np.tan(np.radians(view / 2))
    head = solver._points_cm[15:]  # the cheeks, which the field carries
    cheeks = seen(head, turn, place, focal)
    monkeypatch.setattr("facewarp.face.expressions.pose.template_to_frame", lambda *_: cheeks)
    face = face_at(landmarks=seen(landmark_positions(), turn, place, focal))
    pose = solver.solve(face, camera)
    np.testing.assert_allclose(pose.angles_deg, angles, atol=0.01)
    np.testing.assert_allclose(pose.translation_cm, place, atol=0.02)
    assert pose.error_px < 0.01
    back = to_head(face.landmarks, landmark_positions(), pose, camera)
    np.testing.assert_allclose(back, landmark_positions(), atol=0.02)


def test_a_template_seen_as_it_is_faces_the_camera(solver, face_at):
    pitch, yaw, roll = solver.solve(face_at(), Camera((640, 480))).angles_deg
    assert abs(yaw) < 2
    assert abs(roll) < 2
    assert abs(pitch) < 25
    rolled = solver.solve(face_at(roll=np.radians(10)), Camera((640, 480)))
    # turned clockwise in the image: the subject's left, at the image's right, goes down
    assert rolled.angles_deg[2] == pytest.approx(roll - 10, abs=1.5)


def test_points_without_sense_have_no_pose(solver, face_at):
    assert solver.solve(face_at(landmarks=np.full((68, 2), np.nan)), Camera((640, 480))) is None


def test_the_mean_head_is_symmetric_and_upright():
    head = landmark_positions()
    np.testing.assert_allclose(head, head[MIRROR_LANDMARKS] * (-1, 1, 1), atol=1e-9)
    assert head[36, 0] < 0 < head[45, 0]  # the image's left eye is the subject's right
    assert head[27, 1] > head[8, 1]  # the chin is below
    assert head[30, 2] == head[:, 2].max()  # the tip of the nose is in front
    assert 8 < head[45, 0] - head[36, 0] < 10  # cm


def test_angles_of_a_pose_are_those_it_was_made_of():
    pose = HeadPose(rotation(7, -20, 11), np.zeros(3), 0.0)
    np.testing.assert_allclose(pose.angles_deg, (7, -20, 11), atol=1e-9)


def test_the_mesh_is_closed_in_texture_and_oriented():
    mesh = HeadMesh.load()
    assert mesh.points.shape == (468, 2)
    assert mesh.triangles.shape == (898, 3)
    assert mesh.uv.min() >= 0
    assert mesh.uv.max() <= 1
    a, b, c = (mesh.xyz[mesh.triangles[:, k]] for k in range(3))
    outward = np.cross(b - a, c - a)[:, 2]
    assert (outward > 0).mean() > 0.9  # counter-clockwise for whoever looks at the face


def test_interpolation_reproduces_vertices_and_linear_values():
    mesh = HeadMesh.load()
    inner = [1, 33, 61, 152, 263, 291]
    np.testing.assert_allclose(mesh.at(mesh.points[inner], mesh.points), mesh.points[inner])
    middles = mesh.points[mesh.triangles[::97]].mean(axis=1)
    np.testing.assert_allclose(mesh.at(middles, mesh.points), middles, atol=1e-9)


def test_another_template_is_mapped_to_and_fro(template):
    from dataclasses import replace

    y, x = np.mgrid[:320, :260].astype(np.float32)
    wave = np.stack([3 * np.sin(y / 40), 2 * np.cos(x / 50)]).astype(np.float32)
    other = replace(template, texture_field=wave)
    points = template.landmarks
    np.testing.assert_allclose(to_average(other, from_average(other, points)), points, atol=0.01)
    np.testing.assert_allclose(from_average(template, points), points)
