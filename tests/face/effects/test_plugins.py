"""Effects of one's own, and several faces with different ones."""

import doctest

import numpy as np
import pytest

import facewarp
from facewarp.errors import FacewarpError
from facewarp.face.effects import plugins
from facewarp.face.effects.plugins import USER_EFFECTS, Turns, load_effects


@pytest.fixture(autouse=True)
def _nothing_is_left():
    before = dict(USER_EFFECTS)
    yield
    USER_EFFECTS.clear()
    USER_EFFECTS.update(before)


@pytest.fixture
def dot():
    @facewarp.effect
    def dot(picture, face, template):
        x, y = face.landmarks[30].astype(int)
        picture[y, x] = (1, 2, 3)

    return dot


def test_the_example_of_the_module_works(frame, face_at, template):
    (example,) = [e for e in doctest.DocTestFinder().find(plugins) if e.name == plugins.__name__]
    assert doctest.DocTestRunner().run(example, clear_globs=False).failed == 0
    face = face_at()
    x, y = face.landmarks[30].astype(int)
    out = facewarp.make_effect("clown", annotate=False)(frame, [face], template)
    assert tuple(out[y, x]) == (230, 20, 30)


def test_a_function_becomes_an_effect(dot, frame, face_at, template):
    face = face_at()
    before = frame.copy()
    out = facewarp.make_effect("dot", annotate=False)(frame, [face], template)
    x, y = face.landmarks[30].astype(int)
    assert tuple(out[y, x]) == (1, 2, 3)
    assert (out != frame).any(-1).sum() == 1
    np.testing.assert_array_equal(frame, before)
    lost = face_at(state="lost")
    np.testing.assert_array_equal(
        facewarp.make_effect("dot", annotate=False)(frame, [lost], template), frame
    )


def test_it_may_return_a_picture_have_another_name_and_an_opacity(frame, face_at, template):
    @facewarp.effect(name="dark")
    def anything(picture, face, template):
        return np.zeros_like(picture)

    out = facewarp.make_effect("dark", opacity=0.5, annotate=False)(frame, [face_at()], template)
    assert np.abs(out - frame / 2).max() <= 1


@pytest.mark.parametrize("bad", [np.zeros((2, 2, 3), np.uint8), "text", np.zeros((480, 640, 3))])
def test_what_is_no_picture_is_refused(bad, frame, face_at, template):
    facewarp.effect(name="bad")(lambda picture, face, template: bad)
    with pytest.raises(FacewarpError, match="'bad' returned"):
        facewarp.make_effect("bad")(frame, [face_at()], template)


def test_an_effect_that_fails_says_where(frame, face_at, template):
    @facewarp.effect
    def failing(picture, face, template):
        raise KeyError("nose")

    with pytest.raises(FacewarpError, match=r"'failing' failed: KeyError.*test_plugins\.py:\d"):
        facewarp.make_effect("failing")(frame, [face_at()], template)


def test_names_of_facewarp_are_taken(dot):
    with pytest.raises(FacewarpError, match="'mesh' already"):
        facewarp.effect(name="mesh")(dot)
    with pytest.raises(FacewarpError, match="takes no texture"):
        facewarp.make_effect("dot", texture="tiger")
    with pytest.raises(FacewarpError, match="Did you mean dot"):
        facewarp.make_effect("dots")


def test_files_of_effects(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import facewarp\n\n@facewarp.effect\ndef mine(picture, face, template):\n    pass\n"
    )
    assert load_effects(path) == ["mine"]
    assert load_effects(path) == ["mine"]  # again: the later one replaces it
    (tmp_path / "empty.py").write_text("x = 1\n")
    with pytest.raises(FacewarpError, match="adds no effect"):
        load_effects(tmp_path / "empty.py")
    (tmp_path / "broken.py").write_text("import facewarp\nfacewarp.nothing\n")
    with pytest.raises(FacewarpError, match=r"fails: AttributeError.*:\d"):
        load_effects(tmp_path / "broken.py")
    (tmp_path / "wrong.py").write_text("def (:\n")
    with pytest.raises(FacewarpError, match="fails: SyntaxError"):
        load_effects(tmp_path / "wrong.py")
    with pytest.raises(FacewarpError, match="no such Python file"):
        load_effects(tmp_path / "none.py")


def test_faces_get_their_effects_by_turns(dot, frame, face_at, template):
    mesh = facewarp.make_effect("mesh", annotate=False)
    turns = Turns([facewarp.make_effect("dot", annotate=False), mesh])
    left, right = face_at(center=(170, 240), id=4), face_at(center=(480, 240), id=1)
    out = turns(frame, [left, right], template)
    changed = (out != frame).any(-1)
    assert changed[:, :320].sum() == 1
    assert changed[:, 320:].sum() > 500
    assert turns.note is None
    with pytest.raises(FacewarpError, match="canonical"):
        Turns([mesh, facewarp.make_effect("canonical")])(frame, [left, right], template)
    with pytest.raises(FacewarpError):
        Turns([])
