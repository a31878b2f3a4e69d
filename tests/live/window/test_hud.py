"""The overlay: legible on anything, in its boxes only, the same size on every picture."""

from itertools import pairwise

import numpy as np
import pytest

from facewarp.drawing import text as lettering
from facewarp.drawing.compositing import blend
from facewarp.drawing.palette import DIM, INK, PAPER
from facewarp.drawing.text import em_of, panel, writable
from facewarp.live.timing import LiveStats, Timing
from facewarp.live.window.help_card import fitting_em, help_card
from facewarp.live.window.hotkeys import Hotkeys
from facewarp.live.window.hud import Hud, Item, bar, clock

SIZES = [(1280, 720), (640, 480), (320, 240), (1920, 1080), (3840, 2160), (720, 1280)]


def picture(size=(1280, 720), value=128):
    return np.full((size[1], size[0], 3), value, np.uint8)


def record(state="tracking", confidence=0.97, number=0):
    return {"face": number, "state": state, "confidence": confidence}


@pytest.fixture
def stats():
    """Thirty frames a second, 34 ms old, three dropped."""
    stats = LiveStats()
    for index in range(60):
        at = index / 30
        dropped = 1 if index in (5, 9, 20) else 0
        stats.add(Timing(index, at, at, at, 0.0, 0.01, 0.0, at + 0.03, at + 0.034, dropped))
    return stats


def changed(before, after):
    return (before != after).any(2)


def box_of(mask):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def luminance(rgb):
    """Relative luminance of sRGB, as in WCAG 2."""
    linear = np.asarray(rgb) / 255
    linear = np.where(linear <= 0.04045, linear / 12.92, ((linear + 0.055) / 1.055) ** 2.4)
    return linear @ (0.2126, 0.7152, 0.0722)


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


# --- where


@pytest.mark.parametrize("size", SIZES)
def test_only_small_boxes_at_the_edges_are_touched(stats, size):
    stats.recording = "live.mp4"
    before, after = picture(size), picture(size)
    Hud().draw(after, [record()], stats, 0.0)
    mask = changed(before, after)
    assert 0 < mask.mean() < 0.1
    height = after.shape[0]
    assert not mask[height // 4 :].any()


@pytest.mark.parametrize("size", SIZES)
def test_the_overlay_scales_with_the_picture(stats, size):
    image = picture(size)
    Hud().draw(image, [record()], stats, 0.0)
    _, top, _, bottom = box_of(changed(picture(size), image))
    em = max(12, min(size) / 34)  # the smallest letters that can be read
    assert bottom - top == pytest.approx(1.75 * em, rel=0.08)


@pytest.mark.parametrize("size", [(16, 12), (80, 20), (1, 1), (40, 400)])
def test_pictures_of_any_size_are_written_on(stats, size):
    stats.recording, stats.notice = "live.mp4", "camera lost"
    image, hud = picture(size), Hud()
    hud.say("Screenshot " + 30 * "long/" + ".png", 0.0)
    hud.draw(image, [record()], stats, 0.0)
    assert image.shape == (size[1], size[0], 3)


def test_hidden_it_leaves_the_picture_alone(stats):
    image, hud = picture(), Hud()
    hud.shown = False
    hud.draw(image, [record()], stats, 0.0)
    np.testing.assert_array_equal(image, picture())


# --- what


def test_speed_state_and_what_was_dropped_are_written(stats):
    image = picture()
    Hud().draw(image, [record("uncertain", 0.58)], stats, 0.0)
    expected = picture()
    em = em_of(expected.shape)
    amber = (245, 183, 49)
    items = (
        Item("uncertain 58%", dot=amber),
        Item("30.0 fps"),
        Item("34 ms"),
        Item("3 dropped", amber),
    )
    blend(expected, bar(items, em), round(0.7 * em), round(0.7 * em))
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    "records",
    [
        [],
        [record("lost", 0.0)],
        [record(), record("lost", 0.0, 1)],
        [record(number=number) for number in range(9)],
    ],
)
def test_every_number_of_faces_is_told_apart(stats, records):
    images = []
    for shown in ([record()], records):
        image = picture()
        Hud().draw(image, shown, stats, 0.0)
        images.append(image)
    assert (images[0] != images[1]).any()


def test_numbers_rest_but_states_do_not(stats):
    hud, first, later, lost = Hud(), picture(), picture(), picture()
    hud.draw(first, [record()], stats, 0.0)
    for index in range(60, 90):
        stats.add(Timing(index, 0, 0, 0, 0, 0, 0, 0, index / 5, 4))
    hud.draw(later, [record()], stats, 0.2)
    np.testing.assert_array_equal(first, later)
    hud.draw(lost, [], stats, 0.21)
    assert (lost != later).any()
    hud.draw(picture(), [record()], stats, 0.3)
    hud.draw(after := picture(), [record()], stats, 0.31)
    assert (after != later).any()


def test_a_recording_shows_its_length_and_blinks(stats):
    hud, empty = Hud(), picture()
    hud.shown = False
    stats.recording = "live.mp4"
    shots = []
    for now in (100.0, 100.8, 101.0, 165.0):
        hud.draw(image := picture(), [], stats, now)
        shots.append(image)
    x0, y0, x1, y1 = box_of(changed(shots[0], empty))
    assert x0 > 1000
    assert y1 < 80
    assert all((one != other).any() for one, other in pairwise(shots))
    stats.recording = None
    hud.draw(image := picture(), [], stats, 166.0)
    np.testing.assert_array_equal(image, empty)
    assert (x1, y0) == (1280 - round(0.7 * 21), round(0.7 * 21))


def test_a_notice_is_in_the_middle_and_a_message_goes_by_itself(stats):
    hud, empty = Hud(), picture()
    hud.shown = False
    stats.notice = "camera lost, waiting"
    hud.draw(image := picture(), [], stats, 0.0)
    x0, y0, x1, y1 = box_of(changed(image, empty))
    assert abs((x0 + x1) / 2 - 640) < 3
    assert abs((y0 + y1) / 2 - 360) < 3
    stats.notice = None
    hud.say("Screenshot shot.png", 10.0)
    hud.draw(image := picture(), [], stats, 10.1)
    x0, y0, x1, y1 = box_of(changed(image, empty))
    assert abs((x0 + x1) / 2 - 640) < 3
    assert y0 > 600
    hud.draw(image := picture(), [], stats, 14.0)
    np.testing.assert_array_equal(image, empty)


def test_a_long_message_is_cut_to_the_picture(stats):
    hud = Hud()
    hud.shown = False
    hud.say("wrote /home/somebody/a/very/long/path/" + 40 * "x" + "/shot.png", 0.0)
    hud.draw(image := picture((640, 480)), [], stats, 0.0)
    x0, _, x1, _ = box_of(changed(image, picture((640, 480))))
    assert x0 > 0
    assert x1 < 640


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (7.9, "0:07"), (61, "1:01"), (3600, "1:00:00"), (7325, "2:02:05")],
)
def test_clock(seconds, text):
    assert clock(seconds) == text


# --- legible


@pytest.mark.parametrize("value", [0, 255, (255, 255, 0), (200, 30, 30)])
def test_letters_stand_out_on_any_background(value):
    image = picture(value=value)
    blend(image, panel(400, 40, 20), 0, 0)
    paper = image[20, 200].astype(float)
    assert contrast(INK, paper) >= 7
    assert contrast(DIM, paper) >= 4.5
    assert contrast(INK, PAPER) > 15


def test_letters_stand_out_on_noise(stats, rng):
    image = rng.integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    em = em_of(image.shape)
    blend(image, bar((Item("          "),), em), 100, 100)
    middle = image[104 : 100 + round(1.75 * em) - 4, 130:150].reshape(-1, 3).astype(float)
    assert min(contrast(INK, pixel) for pixel in middle) >= 6.5


def test_a_number_keeps_its_width():
    widths = {bar((Item(text),), 20).shape for text in ("11.1 fps", "30.0 fps", "48.7 fps")}
    assert len(widths) == 1


def test_what_the_font_has_no_letter_for_is_a_question_mark():
    ascii_text = "".join(map(chr, range(32, 127)))
    assert writable(ascii_text) == ascii_text
    assert writable("снимок – ٣.png") == "?????? ? ?.png"
    assert bar((Item("снимок"),), 20).shape == bar((Item("??????"),), 20).shape


def test_nothing_of_our_own_lacks_a_letter(monkeypatch):
    written = []
    monkeypatch.setattr(lettering, "_has_letter", lambda letter: written.append(letter) or True)
    hud, stats = Hud(), LiveStats()  # without numbers yet
    stats.recording, stats.notice = "live.mp4", "camera lost"
    hud.say("a" * 200, 0.0)
    hud.draw(picture((631, 473)), [record()], stats, 0.0)
    keys = Hotkeys(Controls(), Nothing())
    help_card(keys.sections(), "facewarp", 17)
    keys.close()
    monkeypatch.undo()
    text = "".join(set(written))
    assert len(text) > 20
    assert writable(text) == text


def test_an_overlay_is_blended_as_premultiplied():
    image = picture((8, 8), 200)
    overlay = np.zeros((2, 3, 4), np.uint8)
    overlay[...] = (50, 0, 20, 127)
    blend(image, overlay, 4, 5)
    np.testing.assert_allclose(image[5, 4], 200 * 128 / 255 + np.array([50, 0, 20]), atol=1)
    assert changed(image, picture((8, 8), 200)).sum() == 6


# --- the card of keys


class Nothing:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None


class Controls(Nothing):
    def settings(self):
        return {
            "effect": "mesh", "texture": "tiger", "opacity": 0.7, "smoothing": True,
            "mirror": False, "template": "average", "style": "bronze", "style_mode": "full",
        }  # fmt: skip

    def choices(self):
        effects = ["labels", "mesh", "texture", "canonical", "field"]
        return {"effect": effects, "texture": ["tiger"], "template": ["average"]}


@pytest.mark.parametrize("size", SIZES)
def test_the_card_fits_onto_the_picture(size):
    keys = Hotkeys(Controls(), Nothing())
    columns = keys.sections()
    keys.close()
    em = fitting_em(columns, picture(size).shape, em_of(picture(size).shape))
    card = help_card(columns, "facewarp", em)
    assert card.shape[0] <= size[1]
    assert card.shape[1] <= size[0]
    assert max(card.shape[0] / size[1], card.shape[1] / size[0]) > 0.5


def test_the_card_tells_every_key_and_what_is_set():
    keys = Hotkeys(Controls(), Nothing())
    rows = [row for column in keys.sections() for section in column for row in section.rows]
    keys.close()
    told = {key for row in rows for key in row.keys}
    assert told == {*"12345zxvd-+smtbnrpifq", "space"}
    assert [row.does for row in rows if row.is_set and not row.value] == ["mesh"]
    values = {row.does: row.value for row in rows if row.value}
    assert values["opacity"] == "70%"
    assert values["texture"] == "tiger"
    assert (values["smoothing"], values["mirror this view"]) == ("on", "off")
