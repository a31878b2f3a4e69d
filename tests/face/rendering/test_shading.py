"""How paint takes the light and the color of a frame."""

from itertools import pairwise

import numpy as np
import pytest

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
