"""Outlines of parts in the formats of shapes, read back by Node.js and by parsers of their own."""

import json
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewarp.face.parts import FacePart
from facewarp.face.track_export.formats import TracksTarget
from facewarp.face.track_export.outlines import handles, outlines_of
from facewarp.face.track_export.shot import Shot

NODE = shutil.which("node")
NUMBERS = (1001, 1002, 1005)


@pytest.fixture
def shot(template, face_at):
    made = Shot(Path('a "clip" ü.mov'), (640, 480), Fraction(24000, 1001), template)
    for number in range(1001, 1007):
        there = [face_at(center=(300 + number - 1001, 240), id=4)] if number in NUMBERS else []
        made.add(number, there)
    return made


def written(shot, name):
    ((_, text),) = TracksTarget.of(name).files(shot).items()
    return text


def curve(points, out):
    """Points along a closed Bezier spline: 16 a segment."""
    at = np.linspace(0, 1, 16, endpoint=False)[:, None]
    after, back = np.roll(points, -1, 0), np.roll(points - out, -1, 0)
    return np.concatenate(
        [
            (1 - at) ** 3 * p + 3 * (1 - at) ** 2 * at * q + 3 * (1 - at) * at**2 * r + at**3 * s
            for p, q, r, s in zip(points, points + out, back, after, strict=True)
        ]
    )


def test_outlines_enclose_the_parts_of_the_template(template):
    outlines = outlines_of(template)
    assert [one.name for one in outlines] == [
        "face", "brow_left", "brow_right", "eye_left", "eye_right", "nose", "mouth",
    ]  # fmt: skip
    for outline in outlines[1:]:
        part = FacePart[outline.name.upper()]
        around = curve(outline.points, handles(outline.points))
        drawn = np.zeros(template.labels.shape, np.uint8)
        cv2.fillPoly(drawn, [np.rint(around * 16).astype(np.int32)], 1, shift=4)
        wanted = template.labels == part
        both = (drawn > 0) & wanted
        assert 2 * both.sum() / (drawn.sum() + wanted.sum()) > 0.9, outline.name


def shapes(text):
    """Of each shape its fields and keys; the layout is checked line by line."""
    lines = iter(text.splitlines())
    assert next(lines) == "shake_shape_data 4.0"
    found = {}
    for _ in range(int(next(lines).removeprefix("num_shapes "))):
        name = next(lines).removeprefix("shape_name ")
        head = dict(next(lines).split(" ") for _ in range(7))
        keys = {}
        for _ in range(int(head["num_key_times"])):
            told = dict(next(lines).split(" ") for _ in range(7))
            assert list(told)[1:] == ["center_x", "center_y", *(f"color_{c}" for c in "rgba")]
            word, *values = next(lines).split(" ")
            assert word == "vertex_data"
            numbers = np.array(values, float).reshape(int(head["num_vertices"]), 12)
            keys[int(told["key_time"])] = numbers
        found[name] = head, keys
    assert not list(lines)
    return found


def test_shake_shapes_lie_on_the_parts(shot, template):
    found = shapes(written(shot, "shot.ssf"))
    assert set(found) == {f"face4_{one.name}" for one in outlines_of(template)}
    for place, outline in enumerate(shot.outlines):
        head, keys = found[f"face4_{outline.name}"]
        assert (head["closed"], head["visible"]) == ("1", "1")
        assert tuple(keys) == NUMBERS
        for number, points in zip(NUMBERS, shot.faces[4].outlines, strict=True):
            told = keys[number]
            upright = np.stack([told[:, 0] - 0.5, 480 - told[:, 1] - 0.5], -1)
            assert upright == pytest.approx(points[place], abs=1e-3)
            assert told[:, 6:] == pytest.approx(told[:, :6])
            into, out = told[:, 2:4] - told[:, :2], told[:, 4:6] - told[:, :2]
            assert into == pytest.approx(-out, abs=2e-3)
            assert (np.hypot(*out.T) > 0.1).any()
    moved = found["face4_nose"][1][1002][:, :2] - found["face4_nose"][1][1001][:, :2]
    assert moved.mean(0) == pytest.approx([1, 0], abs=0.01)


STAND_IN = """
class Shape {}
class CompItem {}
const KeyframeInterpolationType = { HOLD: 6614 }, MaskMode = { NONE: 6812 };
const told = { masks: [], alerts: [], undo: [] };
const alert = (text) => told.alerts.push(text);
function property() {
  const keys = new Map();
  return {
    keys,
    setValuesAtTimes(times, values) { times.forEach((time, i) => keys.set(time, values[i])); },
    setValueAtTime(time, value) { keys.set(time, value); },
    nearestKeyIndex: (time) => [...keys.keys()].indexOf(time) + 1,
    setInterpolationTypeAtKey(key, into, out) { if (into !== 6614 || out !== 6614) throw into; },
  };
}
const layer = { width: 640, height: 480, startTime: 2, property: (name) => ({
  addProperty(kind) {
    const parts = { "ADBE Mask Shape": property(), "ADBE Mask Opacity": property() };
    const mask = { group: name, kind, property: (part) => parts[part], parts };
    told.masks.push(mask);
    return mask;
  } }) };
const comp = Object.assign(new CompItem(), { selectedLayers: [layer] });
const app = { project: { activeItem: comp }, beginUndoGroup: (n) => told.undo.push(n),
              endUndoGroup: () => told.undo.push("end") };
"""
TELL = """
console.log(JSON.stringify(told, (key, value) => value instanceof Map ? [...value] : value));
"""


def run_in_node(script, tmp_path, before=""):
    path = tmp_path / "masks.js"
    path.write_text(STAND_IN + before + script + TELL, "utf-8")
    done = subprocess.run([NODE, path], capture_output=True, text=True, timeout=250, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
def test_after_effects_gets_a_mask_for_each_part(shot, tmp_path):
    script = written(shot, "shot.jsx")
    assert script.isascii()  # ExtendScript reads files in the system's own encoding
    told = run_in_node(script, tmp_path)
    assert (told["alerts"], told["undo"]) == ([], ["facewarp masks", "end"])
    assert [mask["name"] for mask in told["masks"]] == [f"face4 {o.name}" for o in shot.outlines]
    rate = 24000 / 1001
    for place, mask in enumerate(told["masks"]):
        assert (mask["group"], mask["kind"]) == ("ADBE Mask Parade", "ADBE Mask Atom")
        keys = mask["parts"]["ADBE Mask Shape"]["keys"]
        assert [time for time, _ in keys] == pytest.approx([2 + n / rate for n in (0, 1, 4)])
        for (_, shape), points in zip(keys, shot.faces[4].outlines, strict=True):
            assert shape["closed"]
            assert np.array(shape["vertices"]) - 0.5 == pytest.approx(points[place], abs=0.01)
            out = np.array(shape["outTangents"])
            assert out == pytest.approx(handles(points[place]), abs=0.01)
            assert np.array(shape["inTangents"]) == pytest.approx(-out)
        opacity = mask["parts"]["ADBE Mask Opacity"]["keys"]
        assert [value for _, value in opacity] == [100, 0, 100, 0]
        assert [time for time, _ in opacity] == pytest.approx([2 + n / rate for n in (0, 2, 4, 5)])


@pytest.mark.skipif(NODE is None, reason="needs Node.js")
@pytest.mark.parametrize(
    ("before", "told"),
    [("comp.selectedLayers = [];", "Select the layer"), ("layer.width = 320;", "320x480")],
)
def test_after_effects_is_told_what_to_select(shot, tmp_path, before, told):
    found = run_in_node(written(shot, "shot.jsx"), tmp_path, before)
    assert told in found["alerts"][0]
    assert not found["masks"]
