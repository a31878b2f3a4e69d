"""OpenSeeFace's packet, read as its receivers read it: field after field, little endian."""

import struct

import numpy as np
import pytest

from facewarp.face.expressions.pose import landmark_positions
from facewarp.live.protocols.openseeface import POINTS, openseeface_packet


class Packet:
    """Reads a packet the way OpenSee.cs does."""

    def __init__(self, data: bytes) -> None:
        assert len(data) == 1785
        at = 0

        def take(kind: str, count: int = 1):
            nonlocal at
            found = struct.unpack_from(f"<{count}{kind}", data, at)
            at += struct.calcsize(f"<{count}{kind}")
            return np.array(found) if count > 1 else found[0]

        self.time, self.id = take("d"), take("i")
        self.size = take("f", 2)
        self.right_open, self.left_open = take("f"), take("f")
        self.fitted, self.error = take("B"), take("f")
        self.quaternion, self.euler, self.translation = take("f", 4), take("f", 3), take("f", 3)
        self.confidence = take("f", 68)
        self.points = take("f", 136).reshape(-1, 2)
        self.solid = take("f", 210).reshape(-1, 3)
        self.features = take("f", 14)
        assert at == len(data) == 1785  # as OpenSeeFace's readers count


def turn_of(quaternion):
    """The rotation matrix of OpenSeeFace's quaternion, which is a conjugate."""
    x, y, z, w = quaternion
    x, y, z = -x, -y, -z
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def test_every_field_is_where_receivers_read_it(expression):
    packet = Packet(openseeface_packet(expression, 1234.5))
    assert (packet.time, packet.id, packet.fitted) == (1234.5, expression.face, 1)
    assert packet.size.tolist() == list(expression.size)
    assert packet.right_open == pytest.approx(1 - expression["eyeBlinkRight"], abs=1e-6)
    assert packet.left_open == pytest.approx(1 - expression["eyeBlinkLeft"], abs=1e-6)
    np.testing.assert_allclose(packet.points[:66], expression.landmarks[list(POINTS)], atol=1e-3)
    assert packet.features[12] == pytest.approx(expression["jawOpen"], abs=1e-6)
    assert np.abs(packet.features).max() <= 1
    assert packet.confidence.min() == packet.confidence.max() == 1


def test_a_head_that_faces_the_camera_is_at_rest_in_unity(make_expression):
    packet = Packet(openseeface_packet(make_expression(), 0))
    x, y, z = packet.euler
    # as OpenSee.cs turns it: z - 90, -(x + 180), all modulo 360
    turned = np.mod([-(x + 180), y, z - 90], 360)
    np.testing.assert_allclose(np.minimum(turned, 360 - turned), 0, atol=0.01)


@pytest.mark.parametrize(
    ("angles", "axis"), [({"pitch": 20}, 0), ({"yaw": 20}, 1), ({"roll": 20}, 2)]
)
def test_each_angle_turns_one_of_theirs_by_as_much(make_expression, angles, axis):
    packet = Packet(openseeface_packet(make_expression(**angles), 0))
    turned = packet.euler - (180, 0, 90)
    turned = (turned + 180) % 360 - 180
    assert abs(turned[axis]) == pytest.approx(20, abs=0.01)
    np.testing.assert_allclose(np.delete(turned, axis), 0, atol=0.01)


@pytest.mark.parametrize("angles", [{"pitch": 15}, {"yaw": -25}, {"roll": 10}])
def test_the_pose_puts_the_head_where_its_landmarks_are(make_expression, angles):
    """By rows and columns, behind the camera as OpenSeeFace's own fit has it."""
    expression = make_expression(**angles)
    packet = Packet(openseeface_packet(expression, 0))
    rotation = turn_of(packet.quaternion)
    tip = landmark_positions()[30]
    head = (landmark_positions()[list(POINTS)] - tip) * (-1, 1, 1) / 14.1
    down, across, _ = (head @ rotation.T).T
    assert packet.translation[2] < 0
    focal, depth = 0.5 * 1280 / np.tan(np.radians(30)), packet.translation[2]
    seen = np.column_stack([across, down]) / depth * focal
    told = packet.points[:66] - expression.landmarks[30]
    assert np.linalg.norm(seen - told, axis=1).max() < 0.25 * np.abs(told).max()  # perspective
    np.testing.assert_allclose(packet.solid[:66] * (1, -1, -1), head, atol=2e-3)
    at = packet.translation[[1, 0]] / depth * focal + (639.5, 359.5)
    np.testing.assert_allclose(at, expression.landmarks[30], atol=0.5)


def test_eyes_that_look_to_the_subjects_left_do_so(make_expression):
    ahead = Packet(openseeface_packet(make_expression(), 0))
    aside = Packet(openseeface_packet(make_expression(gaze=((0.0, 25.0), (0.0, 25.0))), 0))
    for pupil in (66, 67):
        assert aside.points[pupil, 0] > ahead.points[pupil, 0] + 1  # to the image's right
        assert abs(aside.points[pupil, 1] - ahead.points[pupil, 1]) < 1
    direction = (aside.solid[66] - aside.solid[68]) * (1, -1, -1)
    assert direction[0] < 0 < direction[2]  # x of its head is the image's left; z is outwards


def test_an_odd_rotation_keeps_its_quaternion(make_expression):
    for yaw in (-170, -90, 90, 170):
        expression = make_expression(yaw=yaw)
        packet = Packet(openseeface_packet(expression, 0))
        assert np.linalg.norm(packet.quaternion) == pytest.approx(1, abs=1e-6)
        turn, told = turn_of(packet.quaternion), np.radians(packet.euler)
        c, s = np.cos(told), np.sin(told)
        about_x = np.array([[1, 0, 0], [0, c[0], s[0]], [0, -s[0], c[0]]])
        about_y = np.array([[c[1], 0, -s[1]], [0, 1, 0], [s[1], 0, c[1]]])
        about_z = np.array([[c[2], s[2], 0], [-s[2], c[2], 0], [0, 0, 1]])
        np.testing.assert_allclose((about_x @ about_y @ about_z).T, turn, atol=1e-3)
