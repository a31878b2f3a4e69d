"""The light's color is found by skin and surroundings, and not where there is none."""

import numpy as np
import pytest

from facewarp.face.matching.light_color import (
    LINEAR,
    LUMA,
    chroma,
    kept_saturation,
    light_gains,
)

SKINS = [(226, 184, 166), (205, 150, 126), (150, 100, 78), (92, 60, 46)]
WALL = (150, 138, 130)


def seen(color, light):
    """Linear values of a color in neutral light as they are in another light."""
    return LINEAR[list(color)] * light


def gains(skin, light):
    light = np.array(light, float)
    return light_gains(chroma(seen(skin, light)), chroma(seen(WALL, light)), 1.0)


@pytest.mark.parametrize("skin", SKINS)
def test_neutral_light_leaves_paint_nearly_as_it_is(skin):
    np.testing.assert_allclose(gains(skin, (1, 1, 1)), 1, atol=0.07)


@pytest.mark.parametrize("skin", SKINS)
def test_a_warm_light_is_put_on_paint_and_a_blue_one_too(skin):
    warm, blue = gains(skin, (1.5, 1, 0.5)), gains(skin, (0.6, 1, 1.5))
    assert warm[0] / warm[2] > gains(skin, (1, 1, 1))[0] + 0.1
    assert blue[2] / blue[0] > 1.05
    assert warm[0] / warm[2] < (1.5 / 0.5) ** (1 / 2.2)  # restrained: less than all of it


def test_a_light_changes_the_color_and_not_the_brightness_of_gray():
    for light in [(2, 1, 0.3), (0.4, 1, 2), (1, 1.4, 1), (1, 0.6, 1)]:
        assert gains(SKINS[1], light) @ LUMA == pytest.approx(1)


def test_a_colored_wall_is_no_colored_light():
    cyan = LINEAR[[20, 150, 170]]
    found = light_gains(chroma(LINEAR[list(SKINS[1])]), chroma(cyan), 1.0)
    np.testing.assert_allclose(found, 1, atol=0.12)


def thumbnail(saturation):
    rng = np.random.default_rng(0)
    colors = np.array([(205, 150, 126), (60, 70, 120), (150, 140, 130), (90, 120, 60)], float)
    picture = colors[rng.integers(4, size=(24, 32))]
    gray = picture @ LUMA
    return np.rint(saturation * picture + (1 - saturation) * gray[..., None]).astype(np.uint8)


def test_a_frame_graded_to_gray_leaves_paint_little_color():
    kept = [kept_saturation(thumbnail(s)) for s in (0.1, 0.3, 0.6, 1.0)]
    assert kept == sorted(kept)
    assert kept[0] < 0.4
    assert kept[-1] == 1


def test_a_tinted_gray_frame_is_gray():
    sepia = np.rint(thumbnail(0.0) * np.array([1.0, 0.85, 0.6])).astype(np.uint8)
    assert kept_saturation(sepia) < 0.3


def test_a_dark_frame_says_nothing():
    assert kept_saturation(np.zeros((20, 30, 3), np.uint8)) == 1
