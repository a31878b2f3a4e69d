"""An effect's layer, laid over its frame, is the drawn picture."""

import numpy as np
import pytest

from facewarp.drawing.effect_layer import EffectLayer, cover
from facewarp.face.effects.base import drawn_with_coverage
from facewarp.face.effects.factory import make_effect
from facewarp.face.effects.plugins import Turns, UserEffect


def over(layer, frame):
    x0, y0, x1, y1 = layer.box
    out = frame.astype(np.float32)
    out[y0:y1, x0:x1] = layer.over(out[y0:y1, x0:x1], 255)
    return out


def layer_of(effect, frame, faces, template):
    coverage = np.zeros(frame.shape[:2], np.uint8)
    drawn = drawn_with_coverage(effect, frame, faces, template, coverage)
    return drawn, coverage, EffectLayer.between(frame, drawn, coverage)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "labels"},
        {"name": "labels", "annotate": True},
        {"name": "mesh", "opacity": 0.5},
        {"name": "texture", "texture": "tiger"},
        {"name": "texture", "texture": "butterfly", "blend": "glow"},
        {"name": "field", "opacity": 0.7},
        {"name": "style"},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)
def test_laid_over_its_frame_it_is_the_drawn_picture(options, frame, face_at, template):
    effect = make_effect(**({"annotate": False} | options))
    seen = np.zeros((8, 80, 65), np.float32)
    seen[1] = 1
    drawn, _, layer = layer_of(effect, frame, [face_at(probabilities=seen)], template)
    assert (drawn != frame).any()
    assert np.abs(over(layer, frame) - drawn).max() <= 1.0
    clean = effect(frame, [face_at(probabilities=seen)], template)
    assert (clean == drawn).all()  # wanting to know changes nothing


def test_paint_is_opaque_where_its_texture_is(frame, face_at, template):
    opaque = np.full((320, 260, 4), (10, 200, 30, 255), np.uint8)
    opaque[:40, :, 3] = 0
    effect = make_effect("texture", texture=opaque, blend="glow", annotate=False)
    _, coverage, layer = layer_of(effect, frame, [face_at()], template)
    assert coverage[240, 320] == 255
    x0, y0, _, _ = layer.box
    assert layer.color[240 - y0, 320 - x0].tolist() == [10, 200, 30]


def test_an_effect_of_the_users_own_is_opaque_where_it_drew(frame, face_at, template):
    def dot(picture, face, template):
        picture[100:110, 100:110] = 7

    _, coverage, _ = layer_of(UserEffect("dot", dot, annotate=False), frame, [face_at()], template)
    assert coverage[105, 105] == 255
    assert coverage.sum() == 255 * 100


def test_effects_by_turns_tell_of_each_face(frame, face_at, template):
    both = Turns([make_effect("labels", annotate=False), make_effect("mesh", annotate=False)])
    faces = [face_at((200, 240), id=0), face_at((450, 240), id=1)]
    drawn, coverage, layer = layer_of(both, frame, faces, template)
    assert coverage[:, :320].any()
    assert coverage[:, 330:].any()
    assert np.abs(over(layer, frame) - drawn).max() <= 1.0


def test_nothing_drawn_is_an_empty_layer(frame):
    layer = EffectLayer.between(frame, frame, np.zeros(frame.shape[:2], np.uint8))
    assert layer.is_empty
    color, alpha = layer.spread((640, 480))
    assert not color.any()
    assert not alpha.any()


def test_colors_go_on_beyond_the_edge_where_alpha_is_0():
    frame = np.zeros((60, 60, 3), np.uint8)
    drawn = frame.copy()
    drawn[20:40, 20:40] = (200, 100, 50)
    coverage = np.where(drawn.any(-1), 255, 0).astype(np.uint8)
    color, alpha = EffectLayer.between(frame, drawn, coverage).spread((60, 60))
    assert (alpha == coverage).all()
    assert color[30, 41].tolist() == [200, 100, 50]
    assert not color[0, 0].any()


def test_coverage_adds_up_as_paint_does():
    below = np.array([[0, 128, 255]], np.uint8)
    cover(below, np.array([[100, 128, 40]], np.uint8))
    assert below[0].tolist() == pytest.approx([100, 192, 255], abs=1)
