"""Face memory: what was put last is there, of a bounded number of followed faces."""

import numpy as np

from facewarp.face.effects.style import Style, shipped_style
from facewarp.face.matching.face_memory import MOST_FACES, FaceMemory
from facewarp.face.matching.shots import Shots
from facewarp.face.matching.steady_scene import SteadyScenes


def test_the_faces_seen_last_are_remembered():
    memory: FaceMemory[str] = FaceMemory()
    for number in range(MOST_FACES):
        memory.put(number, f"face {number}")
    memory.put(0, "face 0 again")  # the oldest, seen anew
    memory.put(MOST_FACES, "one more")
    assert len(memory) == MOST_FACES
    assert memory.get(0) == "face 0 again"
    assert memory.get(1) is None
    assert memory.get(MOST_FACES) == "one more"
    memory.clear()
    assert len(memory) == 0
    assert memory.get(0) is None


def test_faces_that_are_not_followed_have_no_past():
    memory: FaceMemory[int] = FaceMemory()
    memory.put(-1, 1)
    assert memory.get(-1) is None


def test_nothing_that_holds_a_past_grows_without_a_bound(face_at, template):
    rng = np.random.default_rng(0)
    frame = rng.integers(60, 200, (120, 160, 3), dtype=np.uint8)
    shots, scenes, style = Shots(), SteadyScenes(), Style(shipped_style("bronze"), "color")
    for number in range(MOST_FACES + 4):
        face = face_at(center=(80, 60), side=60.0, id=number)
        shots.goes_on(frame, face)
        scenes(frame, face)
        style(frame, [face], template)
    again = face_at(center=(80, 60), side=60.0, id=MOST_FACES + 3)
    first = face_at(center=(80, 60), side=60.0, id=0)
    assert shots.goes_on(frame, again)
    assert not shots.goes_on(frame, first)
    held = [shots._last, scenes._past, style._colors, style._shots._last]
    assert [len(memory) for memory in held] == [MOST_FACES] * 4
