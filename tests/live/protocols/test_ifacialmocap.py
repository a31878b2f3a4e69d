"""iFacialMocap's text, read the way its receivers split it."""

import pytest

from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.live.protocols.ifacialmocap import ifacialmocap_text


def read(data):
    """Values and rotations, split as VMagicMirror splits them: at = first, then at | - # and ,."""
    shapes, _, turns = data.decode("ascii").partition("=")
    assert "=" not in turns
    values = {}
    for item in filter(None, shapes.split("|")):
        name, percent = item.split("-")
        assert percent.isdecimal()
        values[name] = int(percent)
    rotations = {}
    for item in filter(None, turns.split("|")):
        name, numbers = item.split("#")
        rotations[name] = [float(number) for number in numbers.split(",")]
    return values, rotations


def test_all_values_are_whole_percents_under_their_short_names(expression):
    values, _ = read(ifacialmocap_text(expression))
    assert len(values) == 52
    assert {"mouthSmile_L", "mouthSmile_R", "jawLeft", "mouthRight", "browInnerUp"} <= set(values)
    assert values["mouthSmile_L"] == round(100 * expression["mouthSmileLeft"])
    assert values["eyeBlink_R"] == round(100 * expression["eyeBlinkRight"])
    assert all(0 <= percent <= 100 for percent in values.values())
    assert not {name for name in values if name.endswith(("Left", "Right"))} - {
        "jawLeft", "jawRight", "mouthLeft", "mouthRight",
    }  # fmt: skip
    assert len(EXPRESSIONS) == len(values)


def test_head_and_eyes_are_degrees_in_arkits_axes(make_expression):
    expression = make_expression(pitch=10, yaw=20, roll=-5, gaze=((1.0, 6.0), (2.0, 7.0)))
    _, turns = read(ifacialmocap_text(expression))
    assert turns["head"][:3] == pytest.approx([10, 20, -5], abs=1e-4)
    assert turns["head"][3:] == pytest.approx([0.02, 0.01, -0.6], abs=1e-6)  # metres
    assert turns["leftEye"] == pytest.approx([1, 6, 0])
    assert turns["rightEye"] == pytest.approx([2, 7, 0])
