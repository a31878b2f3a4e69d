"""Paint on pictures of more than 8 bits."""

import numpy as np
import pytest

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.face.rendering.deep_painting import laid_over, painted
from facewarp.media.frames import DeepImage, Frame


def layer(alpha, color=(200, 40, 90), box=(2, 1, 6, 5)):
    shape = box[3] - box[1], box[2] - box[0]
    return EffectLayer(box, np.full((*shape, 3), color, np.uint8), np.full(shape, alpha, np.uint8))


@pytest.fixture
def codes(rng):
    return rng.integers(0, 65_536, (8, 10, 3), dtype=np.uint16)


def test_values_outside_of_the_effect_stay_to_the_last_bit(codes):
    made = laid_over(DeepImage(codes), layer(255))
    outside = np.ones(codes.shape[:2], bool)
    outside[1:5, 2:6] = False
    assert (made.codes[outside] == codes[outside]).all()
    assert (made.codes[1:5, 2:6] == np.array([200, 40, 90]) * 257).all()


def test_half_an_effect_keeps_half_of_all_bits(codes):
    made = laid_over(DeepImage(codes), layer(128))
    share = 128 / 255
    told = codes[1:5, 2:6] * (1 - share) + np.array([200, 40, 90]) * 257 * share
    assert made.codes[1:5, 2:6] == pytest.approx(told, abs=2)


def test_light_above_white_is_covered_by_paint_and_kept_beside_it():
    light = np.full((8, 10, 3), 6.0, np.float32)
    made = laid_over(DeepImage(light, "linear"), layer(255, (255, 255, 255)))
    assert made.codes[1:5, 2:6] == pytest.approx(1, abs=1e-4)
    assert made.codes[0, 0].tolist() == [6, 6, 6]
    none = laid_over(DeepImage(light, "linear"), layer(0))
    assert (none.codes == light).all()


def test_the_deep_picture_looks_like_the_drawn_one(rng):
    shown = rng.integers(0, 256, (8, 10, 3), dtype=np.uint8)
    deep = DeepImage(shown.astype(np.uint16) * 257)
    one = layer(90)
    drawn = shown.astype(np.float32)
    drawn[1:5, 2:6] = one.over(drawn[1:5, 2:6], 255)
    frame = Frame(shown, 0.0, 0, deep=deep)
    made = painted(frame, np.rint(drawn).astype(np.uint8), one)
    assert made.deep is not None
    assert np.abs(made.deep.shown().astype(int) - made.image).max() <= 1


def test_an_effect_that_replaces_the_frame_has_8_bits(codes):
    frame = Frame(np.zeros((8, 10, 3), np.uint8), 0.0, 0, deep=DeepImage(codes))
    assert painted(frame, np.zeros((20, 20, 3), np.uint8), None).deep is None
