"""Look: what is shown of live frames, and changes to it while they run."""

import itertools
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields

import numpy as np
import PIL.Image
import pytest

from facewarp.core.model import load
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.effects.canonical import CANONICAL_SHAPE
from facewarp.face.effects.factory import make_effect
from facewarp.face.template.template import Template
from facewarp.face.tracking.options import TrackerOptions
from facewarp.face.tracking.tracker import FaceTracker
from facewarp.live import face_pipeline
from facewarp.live.catalog import EffectChoice
from facewarp.live.face_pipeline import FacePipeline
from facewarp.live.settings import LiveSettings
from facewarp.media.frames import Frame

SIZE = (320, 240)
TRACKING = {field.name for field in fields(TrackerOptions)}


@pytest.fixture(scope="module")
def model():
    return load("face")


@pytest.fixture
def make_look(model):
    looks = []

    def make(model=model, mirror=False, field_of_view=None, **options):
        """A pipeline whose options are those of tracking and of the effect, by their names."""
        tracking = {name: options.pop(name) for name in TRACKING & options.keys()}
        look = FacePipeline(
            TrackerOptions(**{"smooth": False, **tracking}),
            EffectChoice(**options),
            mirror=mirror,
            model=model,
            field_of_view=field_of_view,
        )
        looks.append(look)
        return look

    yield make
    for look in looks:
        look.close()


@pytest.fixture
def look(make_look):
    return make_look()


@pytest.mark.parametrize("wanted", [True, False])
def test_eyes_and_mouths_are_looked_at_closely_where_that_is_wanted(make_look, portrait, wanted):
    look = make_look(details=wanted)
    film = Film(portrait)
    (face,) = look(film.next()).faces
    assert (face.details is not None) == wanted
    look.change(smoothing=True)  # by another tracker
    (face,) = look(film.next()).faces
    assert (face.details is not None) == wanted


class Film:
    """Frames of the portrait, one thirtieth of a second apart."""

    def __init__(self, portrait):
        self.portrait, self.index = portrait, 0

    def next(self, at=(160, 120), degrees=0.0):
        image = self.portrait.frame(at, 0.9, degrees)
        image.flags.writeable = False
        self.index += 1
        return Frame(image, self.index / 30, self.index)

    def blank(self):
        self.index += 1
        image = np.full((SIZE[1], SIZE[0], 3), 108, np.uint8)
        return Frame(image, self.index / 30, self.index)


@pytest.fixture
def film(portrait):
    return Film(portrait)


def settled(look, film, tries=3000, **where):
    """What is seen once a face is: the search may run in a thread of its own."""
    for _ in range(tries):
        seen = look(film.next(**where))
        if any(face.state == "tracking" for face in seen.faces):
            return seen
        time.sleep(0.02)
    pytest.fail("no face is seen")


def texture(color=(230, 40, 160)):
    rgba = np.zeros((*CROP_SHAPE, 4), np.uint8)
    rgba[...] = (*color, 255)
    return rgba


# --- frames


def test_faces_are_followed_and_the_effect_is_drawn(look, film, model):
    seen = settled(look, film)
    (face,) = seen.faces
    assert (face.id, face.state) == (0, "tracking")
    frame = film.portrait.frame((160, 120), 0.9)
    expected = make_effect("labels", annotate=False)(frame, seen.faces, Template.load())
    np.testing.assert_array_equal(seen.image, expected)
    assert set(seen.seconds) == {"detect", "register", "render"}
    assert all(0 <= value < 60 for value in seen.seconds.values())
    assert seen.seconds["register"] > 0


def test_settings_are_those_asked_for(make_look):
    asked = {
        "effect": "texture", "texture": "tiger", "opacity": 0.5, "mirror": True,
        "template": "average", "style": "bronze", "style_mode": "color",
    }  # fmt: skip
    look = make_look(**asked, smooth=True)
    assert look.settings() == {**asked, "smoothing": True, "makeup": ""}
    assert make_look().settings() == {
        **LiveSettings(smoothing=False).__dict__, "texture": "mask", "opacity": 1.0,
    }  # fmt: skip


def test_choices_are_there(look):
    choices = look.choices()
    assert choices["effect"][0] == "labels"
    assert {"mask", "tiger"} <= set(choices["texture"])
    assert choices["template"] == ["average"]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"effect": "glitter"}, "glitter"),
        ({"texture": "velvet.png"}, "velvet"),
        ({"effect": "texture", "texture": "velvet"}, "velvet"),
        ({"template": "nobody"}, "nobody"),
        ({"opacity": 1.5}, "opacity"),
    ],
)
def test_what_is_not_there_is_told_at_once(make_look, options, word):
    if options == {"texture": "velvet.png"}:
        make_look(**options)  # nothing wears it yet
        options = {**options, "effect": "texture"}
    with pytest.raises(FacewarpError, match=word):
        make_look(**options)


# --- changes


@pytest.mark.parametrize("effect", ["mesh", "texture", "field"])
def test_an_effect_changes_with_the_next_frame(look, film, effect):
    before = settled(look, film)
    look.change(effect=effect)
    after = look(film.next())
    assert after.faces[0].id == before.faces[0].id
    assert np.abs(after.image.astype(int) - before.image).mean() > 0.5
    assert look.settings()["effect"] == effect


def test_the_canonical_view_has_a_size_of_its_own(look, film):
    settled(look, film)
    look.change(effect="canonical", opacity=0.3)  # which it has no use for
    assert look(film.next()).image.shape == (*CANONICAL_SHAPE, 3)
    look.change(effect="labels")
    assert look(film.next()).image.shape == (SIZE[1], SIZE[0], 3)


@pytest.mark.parametrize(
    "change",
    [
        {"effect": "glitter"},
        {"texture": "velvet"},
        {"texture": "/etc/passwd"},
        {"template": "nobody"},
        {"template": "snapshot"},
        {"opacity": 1.1},
        {"opacity": float("nan")},
        {"opacity": "1"},
        {"opacity": True},
        {"smoothing": 1},
        {"mirror": None},
        {"sparkle": True},
        {"effect": ["labels"]},
        {"effect": "mesh", "opacity": -1},
    ],
)
def test_an_impossible_change_changes_nothing(look, film, change):
    settled(look, film)
    before = look.settings()
    with pytest.raises(FacewarpError):
        look.change(**change)
    assert look.settings() == before
    assert look(film.next()).faces[0].state == "tracking"


def test_a_texture_that_cannot_be_read_changes_nothing(make_look, tmp_path):
    path = tmp_path / "velvet.png"
    PIL.Image.fromarray(texture()).save(path)
    look = make_look(texture=str(path))
    path.write_bytes(b"no picture")
    before = look.settings()
    with pytest.raises(FacewarpError, match=r"velvet\.png"):
        look.change(effect="texture")
    assert look.settings() == before


def test_smoothing_changes_without_losing_the_face_or_its_place(make_look, film):
    changed, unchanged = make_look(), make_look()
    settled(changed, film)
    settled(unchanged, film)
    for _ in range(10):  # both look again and again at a face that rests
        before, _ = (seen(film.next()) for seen in (changed, unchanged))
    changed.change(smoothing=True)
    after, same = (seen(film.next()).faces for seen in (changed, unchanged))
    assert [face.id for face in after] == [face.id for face in before.faces]
    assert after[0].state == "tracking"
    np.testing.assert_allclose(after[0].landmarks, same[0].landmarks, atol=0.05)  # px


def test_frames_go_on_while_a_change_is_prepared(look, film, monkeypatch):
    settled(look, film)
    begun, go_on = threading.Event(), threading.Event()

    def slow(*args, **options):
        begun.set()
        assert go_on.wait(30)
        return make_effect(*args, **options)

    monkeypatch.setattr("facewarp.live.catalog.make_effect", slow)
    changing = threading.Thread(target=look.change, kwargs={"effect": "mesh"})
    changing.start()
    assert begun.wait(30)
    for _ in range(3):
        assert look(film.next()).faces[0].state == "tracking"
    assert look.settings()["effect"] == "labels"
    go_on.set()
    changing.join(30)
    assert look.settings()["effect"] == "mesh"


@pytest.mark.slow
def test_changes_from_many_threads_are_all_made(look, film):
    settled(look, film)

    def change(number):
        for step in range(6):
            look.change(opacity=(number + step) % 10 / 10, mirror=bool(step % 2))
            look.change(effect=["labels", "mesh", "texture", "canonical"][(number + step) % 4])
            look.change(smoothing=bool((number + step) % 2))

    with ThreadPoolExecutor(3) as pool:
        jobs = [pool.submit(change, number) for number in range(3)]
        while not all(job.done() for job in jobs):
            seen = look(film.next())
            assert seen.faces[0].id == 0
            assert seen.faces[0].state == "tracking"
    for job in jobs:
        job.result()
    assert look(film.next()).faces


# --- in a mirror


@pytest.mark.parametrize("effect", ["labels", "canonical"])
def test_the_mirror_is_the_previews_alone(make_look, film, effect):
    plain, mirrored = make_look(effect=effect), make_look(effect=effect, mirror=True)
    one, other = settled(plain, film, at=(120, 110)), settled(mirrored, film, at=(120, 110))
    assert (one.mirror, other.mirror) == (False, True)
    assert np.abs(one.image.astype(int) - other.image).mean() < 1.5  # what is recorded and sent
    np.testing.assert_allclose(one.faces[0].landmarks, other.faces[0].landmarks, atol=0.1)
    mirrored.change(mirror=False)
    assert not mirrored(film.next(at=(120, 110))).mirror


# --- styles and make-up


def test_styles_change_at_any_time_and_say_so(make_look, film, portrait):
    look = make_look()
    settled(look, film)
    assert look.note is None
    pictures = {}
    for name, mode in (("bronze", "color"), ("bronze", "full"), ("drawing", "full")):
        look.change(effect="style", style=name, style_mode=mode)
        pictures[name, mode] = look(film.next()).image
        assert f"({mode}) of {name}" in look.note
    values = list(pictures.values())
    assert all(np.abs(a.astype(int) - b).max() > 20 for a, b in itertools.pairwise(values))
    line = look.upload_style(255 - portrait.frame((160, 120), 0.9))
    assert "style taken" in line
    assert look.settings()["style"] == look.choices()["style"][-1] == "own"
    with pytest.raises(FacewarpError, match="no face"):
        look.upload_style(np.full((90, 90, 3), 90, np.uint8))
    look.change(effect="labels")
    assert look.note is None


def test_parts_of_make_up_have_colors_until_another_look_is_worn(make_look, film):
    look = make_look(effect="texture", texture="makeup")
    before = settled(look, film).image
    look.change(makeup="lips=#0000ff:1")
    after = look(film.next()).image
    assert (after[..., 2].astype(int) - before[..., 2]).max() > 40
    for change in ("lips=blurple", "toes=red", "lips=red+../x"):
        with pytest.raises(FacewarpError):
            look.change(makeup=change)
    assert look.settings()["makeup"] == "lips=#0000ff:1"
    look.change(texture="evening")
    assert look.settings()["makeup"] == ""
    look.change(texture="tiger")
    with pytest.raises(FacewarpError, match="no make-up"):
        look.change(makeup="lips=#0000ff:1")


# --- expressions


def test_expressions_are_counted_from_a_neutral_when_asked_for(make_look, film):
    with make_look(field_of_view=60.0) as look:
        made = settled(look, film)
        (one,) = made.expressions
        assert not one.calibrated
        assert "neutral" in look.snapshot_neutral()
        (one,) = look(film.next()).expressions
        assert one.calibrated
        assert one["jawOpen"] < 0.15
        look.change(mirror=True)  # of the preview alone
        (other,) = look(film.next()).expressions
        assert other.calibrated
        assert other.pose.angles_deg[1] == pytest.approx(one.pose.angles_deg[1], abs=4)
        look.forget()
        with pytest.raises(FacewarpError, match="no face is seen"):
            look.snapshot_neutral()


def test_without_anything_to_send_them_to_there_are_no_expressions(look, film):
    assert settled(look, film).expressions == ()
    with pytest.raises(FacewarpError, match=r"no expressions.*vmc://"):
        look.snapshot_neutral()


# --- one's own face


def test_a_snapshot_becomes_the_template_and_landmarks_stay(look, film):
    before = settled(look, film)
    said = look.snapshot_template()
    assert "template" in said
    assert look.settings()["template"] == "snapshot"
    assert look.choices()["template"] == ["average", "snapshot"]
    after = look(film.next())
    (face,) = after.faces
    assert (face.id, face.state) == (before.faces[0].id, "tracking")
    assert face.confidence > 0.85
    side = np.ptp(face.landmarks, axis=0).max()
    distance = np.linalg.norm(face.landmarks - before.faces[0].landmarks, axis=1)
    assert distance.mean() < 0.03 * side
    look.change(template="average")
    back = look(film.next())
    np.testing.assert_allclose(back.faces[0].landmarks, before.faces[0].landmarks, atol=2)
    look.change(template="snapshot")  # is still there
    assert look(film.next()).faces[0].state == "tracking"


@pytest.mark.slow
def test_snapshots_of_snapshots_do_not_drift(look, film):
    """Each is registered with the first template, not with the one before it."""
    before = settled(look, film)
    for _ in range(4):
        look.snapshot_template()
        after = look(film.next())
    side = np.ptp(after.faces[0].landmarks, axis=0).max()
    distance = np.linalg.norm(after.faces[0].landmarks - before.faces[0].landmarks, axis=1)
    assert distance.mean() < 0.03 * side


def test_a_texture_fits_one_s_own_template_too(look, film):
    settled(look, film)
    look.change(effect="texture", texture="tiger")
    average = look(film.next()).image
    look.snapshot_template()
    own = look(film.next()).image
    look.change(effect="labels", opacity=0.0)
    bare = look(film.next()).image
    change, drawn = (np.abs(average.astype(int) - other).mean() for other in (own, bare))
    assert change < 0.35 * drawn


def test_without_a_face_there_is_no_snapshot(look, film):
    with pytest.raises(FacewarpError, match="no face is seen"):
        look.snapshot_template()
    settled(look, film)
    look(film.blank())
    look.snapshot_template()  # it has only just gone
    film.index += 200
    look(film.blank())
    with pytest.raises(FacewarpError, match="no face is seen"):
        look.snapshot_template()
    assert look.settings()["template"] == "snapshot"


def test_a_picture_of_a_face_becomes_the_template(look, film, portrait):
    before = settled(look, film)
    picture = np.full((600, 800, 3), 90, np.uint8)
    portrait.draw(picture, (420, 300), 2.0, degrees=-10)
    look.upload_template(picture)
    assert look.settings()["template"] == "picture"
    (face,) = look(film.next()).faces
    assert face.state == "tracking"
    side = np.ptp(face.landmarks, axis=0).max()
    distance = np.linalg.norm(face.landmarks - before.faces[0].landmarks, axis=1)
    assert distance.mean() < 0.04 * side
    with pytest.raises(FacewarpError, match="no face is found"):
        look.upload_template(np.full((200, 200, 3), 90, np.uint8))
    assert look.settings()["template"] == "picture"


def test_a_texture_of_one_s_own_is_worn(look, film):
    settled(look, film)
    assert "own" not in look.choices()["texture"]
    look.change(effect="texture", texture="makeup", makeup="lips=crimson:0.5")
    look.upload_texture(texture())
    assert look.settings()["effect"] == "texture"
    assert look.settings()["texture"] == look.choices()["texture"][-1] == "own"
    assert look.settings()["makeup"] == ""  # it was of the look before
    look.change(opacity=1.0)
    seen = look(film.next())
    x, y = seen.faces[0].landmarks[30].round().astype(int)
    red, green, blue = seen.image[y, x].astype(int)
    assert red > green + 40
    assert blue > green + 20
    with pytest.raises(FacewarpError, match="aspect"):
        look.upload_texture(np.zeros((100, 300, 4), np.uint8))
    look.change(texture="mask")
    look.change(texture="own")


def test_a_template_of_one_s_own_can_be_what_it_begins_with(make_look, film, tmp_path):
    path = tmp_path / "me.npz"
    Template.load().save(path)
    look = make_look(template=str(path))
    assert look.settings()["template"] == str(path)
    assert look.choices()["template"] == [str(path), "average"]
    settled(look, film)
    look.change(template="average")
    look.change(template=str(path))


def test_it_says_what_the_tracker_says(make_look, film, model):
    """Without smoothing the faces are those of a tracker alone."""
    look, tracker = make_look(), FaceTracker(model=model)
    with tracker:
        settled(look, film)
        for step in range(4):
            frame = film.next(at=(150 + 2 * step, 120))
            (mine,) = look(frame).faces
            (theirs,) = tracker(frame.image, frame.time)
        np.testing.assert_allclose(mine.landmarks, theirs.landmarks, atol=1.5)


def test_a_search_that_is_under_way_holds_no_frame_up(look, film, monkeypatch):
    """Closing the tracker that a change has replaced waits for its search to end."""
    settled(look, film)
    release = threading.Event()
    end = FaceTracker.close
    monkeypatch.setattr(FaceTracker, "close", lambda tracker: release.wait(60) and end(tracker))
    look.change(smoothing=True)
    assert look(film.next()).faces[0].state == "tracking"
    release.set()


def test_closing_frees_what_was_opened(model, film, monkeypatch):
    open_ones = []
    begin, end = FaceTracker.__init__, FaceTracker.close

    def opened(self, *args, **options):
        begin(self, *args, **options)
        open_ones.append(self)

    def closed(self):
        end(self)
        if self in open_ones:
            open_ones.remove(self)

    monkeypatch.setattr(FaceTracker, "__init__", opened)
    monkeypatch.setattr(FaceTracker, "close", closed)
    with FacePipeline(TrackerOptions(smooth=False), model=model) as look:
        settled(look, film)
        for smoothing in (True, False, True):
            look.change(smoothing=smoothing)  # two of these are never used
        look(film.next())
        look.change(smoothing=False)
    assert open_ones == []
    look.close()


def test_after_warming_up_no_frame_prepares_anything(make_look, film, monkeypatch):
    pytest.importorskip("openvino")
    look = make_look(model=None, engine="openvino", effect="mesh")
    look.warm_up(SIZE)
    engine = look._config.tracker.model.engine
    prepared = set(engine._requests)
    assert {batch for _, batch in prepared} == {1}
    settled(look, film)
    assert set(engine._requests) == prepared
    began, prepare = [], engine._prepare
    monkeypatch.setattr(
        engine, "_prepare", lambda *key: (began.append(threading.current_thread()), prepare(*key))
    )
    engine.parts(np.zeros((2, 1, *look._config.tracker.model.config.grid_shape), np.float32))
    look.close()
    assert len(began) == 1
    assert began[0] is not threading.current_thread()
    assert ("parts", 2) in engine._requests


def test_warming_up_follows_nobody(look, film):
    look.warm_up(SIZE)
    assert not look(film.blank()).faces
    assert settled(look, film).faces[0].id == 0


def test_a_face_that_has_left_cannot_become_the_template(look, film, monkeypatch):
    settled(look, film)
    now = time.perf_counter()
    monkeypatch.setattr(face_pipeline, "perf_counter", lambda: now + 6.0)
    with pytest.raises(FacewarpError, match="no face is seen"):
        look.snapshot_template()


def test_the_end_of_a_visit_forgets_the_face_at_once(look, film):
    settled(look, film)
    look.forget()
    with pytest.raises(FacewarpError, match="no face is seen"):
        look.snapshot_template()
