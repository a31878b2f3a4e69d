"""How paint takes the light and the color of a frame."""

from itertools import pairwise

import numpy as np
import pytest

from facewarp.face.matching.scene import Scene
from facewarp.face.rendering.shading import Light

ORANGE = (240, 130, 20)


def painted(skin, blend="paint"):
    """Opaque orange as it comes out on a region of one color."""
    region = np.full((40, 30, 3), skin, np.uint8)
    light = Light.of(region, np.full((12, 9), 255, np.float32), 128.0, blend)
    color = np.full((40, 30, 3), ORANGE, np.uint8)
    out = light.on(color, np.full_like(color, 255), region, slice(0, 40))
    return out.reshape(-1, 3).mean(0)


def colorfulness(rgb):
    return (rgb.max() - rgb.min()) / rgb.max()


@pytest.mark.parametrize("blend", ["paint", "tint", "mask"])
def test_paint_is_nearly_gray_in_a_gray_frame(blend):
    gray, skin = painted((140, 140, 140), blend), painted((200, 150, 125), blend)
    assert colorfulness(gray) < 0.3 * colorfulness(skin)
    assert colorfulness(skin) == pytest.approx(colorfulness(np.array(ORANGE)), abs=0.03)


@pytest.mark.parametrize("skin", [(226, 190, 178), (110, 72, 52), (60, 40, 30)])
def test_skin_of_any_tone_leaves_paint_its_color(skin):
    assert colorfulness(painted(skin)) == pytest.approx(colorfulness(np.array(ORANGE)), abs=0.05)


def test_less_color_in_the_frame_is_never_more_in_the_paint():
    grays = [painted((150, 150 - k, 150 - k)) for k in range(0, 40, 5)]
    rising = [colorfulness(rgb) for rgb in grays]
    assert all(a <= b + 0.01 for a, b in pairwise(rising))


@pytest.mark.parametrize("scene", [None, Scene(np.array([1.0, 0.9, 0.8]))])
def test_a_face_of_which_nothing_counts_leaves_paint_its_color(scene):
    region = np.full((40, 30, 3), (200, 150, 125), np.uint8)
    nothing = np.zeros((12, 9), np.float32)
    light = Light.of(region, nothing, 128.0, "paint", scene)
    assert light.saturation == 1
    color = np.full((40, 30, 3), ORANGE, np.uint8)
    lit = light.on(color, np.full_like(color, 255), region, slice(0, 40)).reshape(-1, 3).mean(0)
    expected = np.array(ORANGE) * (1 if scene is None else scene.light)
    np.testing.assert_allclose(lit / lit.max(), expected / expected.max(), atol=0.03)


NEUTRAL = Scene(np.ones(3))


def tinted(skin, color, alpha):
    """Make-up of some color as it comes out on skin of one color, in neutral light."""
    region = np.full((40, 30, 3), skin, np.uint8)
    light = Light.of(region, np.full((12, 9), 255, np.float32), 128.0, "tint", NEUTRAL)
    thin = np.full_like(region, round(255 * alpha))
    paint = np.rint(np.full((40, 30, 3), color) * alpha).astype(np.uint8)
    lit = light.on(paint, thin, region, slice(0, 40)).reshape(-1, 3).mean(0)
    return lit + (1 - alpha) * np.array(skin)


BLUSH = (214, 104, 98)
DARK = [(92, 60, 46), (70, 44, 34), (120, 84, 66)]


@pytest.mark.parametrize("skin", [(226, 190, 178), (160, 110, 88), *DARK])
def test_opaque_makeup_in_neutral_light_has_the_color_asked_for(skin):
    np.testing.assert_allclose(tinted(skin, (220, 20, 60), 1.0), (220, 20, 60), atol=3)


@pytest.mark.parametrize("skin", DARK)
def test_blush_is_no_chalk_on_dark_skin(skin):
    luma = np.array([0.299, 0.587, 0.114])
    out = tinted(skin, BLUSH, 0.4)
    assert out @ luma <= np.array(skin) @ luma + 2
    assert out[0] - out[1] > skin[0] - skin[1] + 8  # and it is seen


def test_blush_on_light_skin_is_a_mixture():
    skin = np.array((226, 190, 178))
    np.testing.assert_allclose(tinted(skin, BLUSH, 0.4), 0.6 * skin + 0.4 * np.array(BLUSH), atol=3)


def lipstick(skin, lips, eyes, room=150.0):
    """Crimson on lips in the middle of a face's skin, as it comes out."""
    region = np.full((60, 60, 3), skin, np.uint8)
    region[25:35, 15:45] = lips
    is_lip = np.zeros((60, 60), np.float32)
    is_lip[25:35, 15:45] = 255
    luma = float(np.dot(skin, (0.299, 0.587, 0.114)))
    scene = Scene(np.ones(3), skin=luma, eyes=eyes)
    light = Light.of(region, is_lip, room, "tint", scene, 255 - is_lip)
    thick = np.full_like(region, 242)
    paint = np.rint(np.full((60, 60, 3), (220, 20, 60)) * 0.95).astype(np.uint8)
    return light.on(paint, thick, region, slice(0, 60))[28:32, 20:40].reshape(-1, 3).mean(0)


def test_lips_are_as_bright_on_dark_skin_as_on_light_skin_in_the_same_light():
    light = lipstick((205, 150, 126), (170, 100, 95), eyes=170.0)
    dark = lipstick((105, 72, 56), (80, 50, 46), eyes=165.0)
    np.testing.assert_allclose(dark, light, rtol=0.12)
    assert light[0] > 180


def test_lips_do_not_glow_on_a_face_in_the_shade_of_a_bright_room():
    in_light = lipstick((205, 150, 126), (170, 100, 95), eyes=170.0)
    in_shade = lipstick((105, 76, 64), (87, 50, 48), eyes=85.0)
    assert in_shade[0] < 0.8 * in_light[0]
    unseen = lipstick((105, 76, 64), (87, 50, 48), eyes=float("nan"))
    assert in_shade[0] < 0.85 * unseen[0]  # the room is what is left to go by
