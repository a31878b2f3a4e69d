"""VMC bundles, read by python-osc."""

import numpy as np
import pytest
from pythonosc import osc_bundle, osc_packet

from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.live.protocols.vmc import vmc_bundle


def read(data):
    """(address, arguments) of every message of a bundle that is to be acted on at once."""
    bundle = osc_bundle.OscBundle(data)
    assert bundle.timestamp == 0  # python-osc's name for "immediately"
    messages = osc_packet.OscPacket(data).messages
    return [(one.message.address, list(one.message.params)) for one in messages]


def test_a_frame_has_all_a_marionette_needs(expression):
    told = read(vmc_bundle(expression, 12.5))
    assert told[0] == ("/VMC/Ext/OK", [1, 0, 0, 1])
    assert told[1] == ("/VMC/Ext/T", [12.5])
    bones = {args[0]: args[1:] for address, args in told if address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Head", "LeftEye", "RightEye"}
    for bone in bones.values():
        assert np.linalg.norm(bone[3:]) == pytest.approx(1, abs=1e-6)
    values = dict(args for address, args in told if address == "/VMC/Ext/Blend/Val")
    assert tuple(values) == EXPRESSIONS
    assert values["jawOpen"] == pytest.approx(expression["jawOpen"], abs=1e-6)
    assert told[-1] == ("/VMC/Ext/Blend/Apply", [])
    assert [address for address, _ in told].count("/VMC/Ext/Blend/Apply") == 1


def test_a_head_turned_to_its_left_turns_left_in_unity(make_expression):
    left = make_expression(yaw=30, gaze=((0.0, 20.0), (0.0, 20.0)))
    bones = {a[0]: a[4:] for address, a in read(vmc_bundle(left, 0)) if "Bone" in address}
    for name, degrees in (("Head", 30), ("LeftEye", 20), ("RightEye", 20)):
        x, y, z, w = bones[name]
        forward = 2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)
        # Unity: x is the avatar's right, so its left is negative
        assert forward[0] == pytest.approx(-np.sin(np.radians(degrees)), abs=1e-5)
        assert forward[1] == pytest.approx(0, abs=1e-5)


def test_a_head_that_nods_looks_down_and_one_that_leans_leans(make_expression):
    def unity(**angles):
        told = read(vmc_bundle(make_expression(**angles), 0))
        return next(a[4:] for address, a in told if "Bone" in address and a[0] == "Head")

    x, y, z, w = unity(pitch=20)
    assert 2 * (y * z - w * x) == pytest.approx(-np.sin(np.radians(20)), abs=1e-5)
    x, y, z, w = unity(roll=20)  # its left side raised: up leans to its right, +x in Unity
    assert 2 * (x * y - w * z) == pytest.approx(np.sin(np.radians(20)), abs=1e-5)


@pytest.mark.parametrize(("naming", "some"), [
    ("pascal", {"JawOpen", "EyeBlinkLeft"}), ("vrm", {"A", "Blink_L", "Joy"}),
])  # fmt: skip
def test_values_may_have_other_names(expression, naming, some):
    told = read(vmc_bundle(expression, 0, naming))
    values = dict(args for address, args in told if address.endswith("Val"))
    assert some <= set(values)
    assert all(0 <= value <= 1 for value in values.values())
    if naming == "vrm":
        assert values["Blink_L"] == pytest.approx(expression["eyeBlinkLeft"], abs=1e-6)


def test_a_frame_without_a_face_moves_nothing():
    assert read(vmc_bundle(None, 3.0)) == [("/VMC/Ext/OK", [1, 0, 0, 0]), ("/VMC/Ext/T", [3.0])]
