"""Tracks read back by parsers written from the formats, and by Blender itself where it is."""

import json
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from facewarp.errors import FacewarpError
from facewarp.face.track_export.after_effects import after_effects_text
from facewarp.face.track_export.blender import blender_script
from facewarp.face.track_export.formats import TracksTarget
from facewarp.face.track_export.nuke import nuke_script
from facewarp.face.track_export.shot import LANDMARK_NAMES, Shot, plane_corners

NUMBERS = {3: (1001, 1002, 1003, 1006), 5: (1003, 1004, 1005, 1006)}


def place_of(face, number):
    return (200 + 100 * (face == 5) + 4 * (number - 1001), 240 - 2 * (number - 1001))


@pytest.fixture
def shot(template, face_at):
    made = Shot(Path("shot.mov"), (640, 480), Fraction(24000, 1001), template)
    for number in range(1001, 1007):
        there = [
            face_at(place_of(face, number), id=face)
            for face, numbers in NUMBERS.items()
            if number in numbers
        ]
        made.add(number, [*there, face_at(id=9, state="lost")])
    return made


def landmarks_of(template, face_at, face, number):
    return face_at(place_of(face, number)).landmarks


def braces(text):
    """Nested lists of a Tcl list: words, and lists in braces."""
    words = iter(re.findall(r'"[^"]*"|[{}]|[^\s{}]+', text))

    def read():
        found = []
        for word in words:
            if word == "{":
                found.append(read())
            elif word == "}":
                return found
            else:
                found.append(word.strip('"'))
        return found

    return read()


def keys(curve):
    """{frame: value} of a curve."""
    assert curve[0] == "curve"
    found, frame = {}, None
    for word in curve[1:]:
        if word == "K":
            continue
        if word.startswith("x"):
            frame = int(word[1:])
        else:
            found[frame], frame = float(word), frame + 1
    return found


def nodes(script):
    """Knobs of each node, by its name."""
    lines = [line for line in script.splitlines() if not line.startswith("#")]
    tree = braces("\n".join(lines))
    made = {}
    for kind, body in zip(tree[::2], tree[1::2], strict=True):
        knobs = dict(zip(body[::2], body[1::2], strict=True))
        made[knobs["name"]] = (kind, knobs)
    return made


def test_nuke_tracks_are_where_the_faces_are(shot, template, face_at):
    made = nodes(nuke_script(shot))
    assert {name: kind for name, (kind, _) in made.items()} == {
        "face3_landmarks": "Tracker4", "face3_plane": "CornerPin2D",
        "face5_landmarks": "Tracker4", "face5_plane": "CornerPin2D",
    }  # fmt: skip
    for face, numbers in NUMBERS.items():
        (_, columns, count), names, rows = made[f"face{face}_landmarks"][1]["tracks"]
        assert (int(columns), int(count)) == (31, 68) == (len(names), len(rows))
        assert all(len(row) == 31 for row in rows)
        for place in (0, 30, 67):
            row = rows[place]
            assert row[1] == f"face{face} {LANDMARK_NAMES[place]}"
            x, y = keys(row[2]), keys(row[3])
            assert tuple(x) == numbers == tuple(y)
            for number in numbers:
                at = landmarks_of(template, face_at, face, number)[place]
                assert x[number] == pytest.approx(at[0] + 0.5, abs=1e-3)
                assert y[number] == pytest.approx(480 - at[1] - 0.5, abs=1e-3)
            there = keys(row[0])
            for number in range(1001, 1007):
                held = there[max(key for key in there if key <= number)]
                assert held == (number in numbers)


def test_nuke_pins_the_corners_of_the_face_s_plane(shot, template, face_at):
    knobs = nodes(nuke_script(shot))["face3_plane"][1]
    mesh = template.mesh_points
    lower_left = np.array([mesh[:, 0].min(), mesh[:, 1].max()])
    for number in NUMBERS[3]:
        x, y = face_at(place_of(3, number)).crop.to_frame(lower_left)
        across, up = map(keys, knobs["to1"])
        assert across[number] == pytest.approx(x + 0.5, abs=0.02)
        assert up[number] == pytest.approx(480 - y - 0.5, abs=0.02)
    first = [float(value) for value in knobs["from1"]]
    assert first == [keys(curve)[1001] for curve in knobs["to1"]]


def test_a_known_homography_is_found(template):
    mesh = template.mesh_points
    matrix = np.array([[1.2, 0.1, 30], [-0.05, 0.9, 12], [2e-4, -1e-4, 1]])
    points = cv2.perspectiveTransform(mesh[None], matrix)[0]
    low, high = mesh.min(0), mesh.max(0)
    box = np.array([low, (high[0], low[1]), (low[0], high[1]), high])
    told = cv2.perspectiveTransform(box[None], matrix)[0]
    assert plane_corners(mesh, points) == pytest.approx(told, abs=0.01)


def test_after_effects_text_has_its_form_and_places(shot, template, face_at):
    text = after_effects_text(shot, shot.faces[5])
    lines = text.split("\r\n")
    assert lines[0] == "Adobe After Effects 8.0 Keyframe Data"
    assert lines[-2] == "End of Keyframe Data"
    assert "\tUnits Per Second\t23.976" in lines
    blocks = {}
    for line in lines:
        if line.startswith("Effects\t"):
            name = line
        elif re.match(r"\t\d", line):
            frame, x, y = line.split()
            blocks.setdefault(name, {})[int(frame)] = (float(x), float(y))
    assert len(blocks) == 4 + 68
    nose = blocks["Effects\tADBE Point Control #31\tADBE Point Control-0001"]
    assert tuple(nose) == (2, 3, 4, 5)
    at = landmarks_of(template, face_at, 5, 1004)[30]
    assert nose[3] == pytest.approx(at + 0.5, abs=1e-3)
    corner = blocks["Effects\tADBE Corner Pin #1\tADBE Corner Pin-0004"][5]
    mesh = template.mesh_points
    told = face_at(place_of(5, 1006)).crop.to_frame(mesh.max(0))
    assert corner == pytest.approx(told + 0.5, abs=0.02)


def test_each_face_has_its_own_text_for_after_effects(shot):
    files = TracksTarget.of("out/a.txt").files(shot)
    assert list(map(str, files)) == [str(Path("out/a.txt")), str(Path("out/a.face5.txt"))]


@pytest.mark.parametrize(
    ("text", "form", "path"),
    [
        ("a.nk", "nuke", "a.nk"),
        ("b/A.PY", "blender", "b/A.PY"),
        ("nuke:a.txt", "nuke", "a.txt"),
        ("after-effects:a", "after-effects", "a"),
        ("./take:a.nk", "nuke", "./take:a.nk"),
        ("C:a.nk", "nuke", "C:a.nk"),
    ],
)
def test_a_format_is_told_by_suffix_or_name(text, form, path):
    assert TracksTarget.of(text) == TracksTarget(form, Path(path))


@pytest.mark.parametrize(
    "text", ["a.mocha", "a", "mocha:a.txt.bak", "nonsense:a.jsx", "Nuke:/tmp/a.nk"]
)
def test_a_format_that_is_not_written_is_said(text):
    with pytest.raises(FacewarpError, match=r"nuke \(\.nk\)"):
        TracksTarget.of(text)


def test_the_blender_script_is_python(shot):
    text = blender_script(shot)
    compile(text, "shot.py", "exec")
    assert "WIDTH, HEIGHT, PIXEL_ASPECT = 640, 480, 1.0" in text
    assert "FPS, FPS_BASE = 24, 1.001" in text


CHECK = """
import runpy, bpy, json
bpy.ops.wm.read_factory_settings(use_empty=True)
runpy.run_path("shot.py")
scene, told = bpy.context.scene, {}
for number in range(1001, 1007):
    scene.frame_set(number)
    graph = bpy.context.evaluated_depsgraph_get()
    for made in scene.objects:
        if made.type == "MESH" and not made.hide_render:
            shape = made.evaluated_get(graph).data
            told[f"{made.name} {number}"] = [list(v.co) for v in shape.vertices]
mesh = bpy.data.objects["face3"].data
uv = {loop.vertex_index: list(mesh.uv_layers[0].data[loop.index].uv) for loop in mesh.loops}
clip = bpy.data.movieclips[0]
marks = {t.name: [[m.frame, *m.co] for m in t.markers if not m.mute] for t in clip.tracking.tracks}
range_ = [scene.frame_start, scene.frame_end, scene.render.fps, scene.render.fps_base]
print("TOLD", json.dumps([told, uv, marks, range_, scene.camera.data.ortho_scale]))
"""


@pytest.mark.slow
def test_blender_makes_the_mesh_and_the_tracks(
    shot, template, face_at, write_clip, tmp_path, python_with_bpy
):
    grey = np.full((480, 640, 3), 90, np.uint8)
    shot.source = write_clip(tmp_path / "shot.mov", [grey] * 6)
    (tmp_path / "shot.py").write_text(blender_script(shot), "utf-8")
    done = subprocess.run(
        [python_with_bpy, "-c", CHECK], cwd=tmp_path, capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    line = next(line for line in done.stdout.splitlines() if line.startswith("TOLD "))
    told, uv, marks, range_, scale = json.loads(line[5:])
    assert set(told) == {f"face{f} {n}" for f, numbers in NUMBERS.items() for n in numbers}
    for face, numbers in NUMBERS.items():
        for number in numbers:
            shape = np.array(told[f"face{face} {number}"])
            at = landmarks_of(template, face_at, face, number)
            x = shape[:68, 0] * 640 + 320 - 0.5
            y = 240 - shape[:68, 1] * 640 - 0.5
            assert np.stack([x, y], -1) == pytest.approx(at, abs=0.01)
    mesh = template.mesh_points
    assert uv["30"] == pytest.approx(
        [(mesh[30, 0] + 0.5) / 260, 1 - (mesh[30, 1] + 0.5) / 320], abs=1e-5
    )
    nose = {int(frame): (x, y) for frame, x, y in marks[f"face3 {LANDMARK_NAMES[30]}"]}
    assert tuple(nose) == (1, 2, 3, 6)
    at = landmarks_of(template, face_at, 3, 1006)[30]
    assert nose[6] == pytest.approx([(at[0] + 0.5) / 640, 1 - (at[1] + 0.5) / 480], abs=1e-5)
    assert range_ == [1001, 1006, 24, pytest.approx(1.001)]
    assert scale == 1.0
