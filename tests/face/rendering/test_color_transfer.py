"""Tones that are bent and not cut off, and colors on the way to others."""

import numpy as np
import pytest

from facewarp.face.rendering.color_transfer import PartColors, group_color_map, tone_curve, toned


def bent(lightness, a=0.0, b=30.0):
    picture = np.stack(np.broadcast_arrays(lightness, a, b), -1).astype(np.float32)
    return toned(picture[None], np.ones(picture[None].shape[:2], np.float32))[0]


def test_the_curve_rises_without_a_break_and_stays_within_black_and_white():
    lightness = np.arange(-40, 125, 0.5)
    out = tone_curve(lightness)[0]
    steps = np.diff(out)
    assert (steps > 0).all()
    assert np.abs(np.diff(steps)).max() < 0.02
    assert out.min() > 0
    assert out.max() < 100
    np.testing.assert_allclose(bent(lightness)[:, 0], out, atol=0.4)


def test_no_share_leaves_the_picture():
    picture = np.random.default_rng(0).uniform(-20, 120, (5, 7, 3)).astype(np.float32)
    np.testing.assert_allclose(toned(picture, np.zeros((5, 7), np.float32)), picture)


def test_middle_tones_stay_as_they_are():
    middle = np.linspace(35, 62, 20)
    np.testing.assert_allclose(bent(middle)[:, 0], middle, atol=0.05)
    np.testing.assert_allclose(bent(middle)[:, 2], 30, atol=0.1)


def test_highlights_that_get_darker_get_more_colorful():
    out = bent(np.array([60.0, 90.0, 120.0]))
    assert out[0, 2] == pytest.approx(30)
    assert out[0, 2] < out[1, 2] < out[2, 2] < 60


def colors(value, seen=(True, True, True, True)):
    return PartColors(
        np.full((4, 3), value, np.float32), np.full((4, 3), 5.0, np.float32), np.array(seen)
    )


def test_colors_move_a_share_of_the_way():
    half = colors(10.0).toward(colors(20.0), 0.3)
    np.testing.assert_allclose(half.mean, 13)


def test_a_part_that_is_hidden_keeps_its_colors_and_a_new_one_has_its_own():
    hidden = colors(10.0).toward(colors(99.0, (True, False, True, True)), 0.3)
    np.testing.assert_allclose(hidden.mean[1], 10)
    assert hidden.is_seen.all()
    new = colors(99.0, (True, False, True, True)).toward(colors(20.0), 0.3)
    np.testing.assert_allclose(new.mean[1], 20)


def test_shades_of_skin_that_are_hardly_seen_do_not_turn_colorful():
    """A face in even light has less color variation than a painting: it is given little of it."""
    even, vivid = (
        PartColors(
            np.full((4, 3), 50, np.float32), np.full((4, 3), spread, np.float32), np.ones(4, bool)
        )
        for spread in (1.0, 12.0)
    )
    shares = np.full((4, 6, 5), 0.25, np.float32)
    gain, _ = group_color_map(even, vivid, shares, most_vivid=1.0)
    assert gain[..., 1:].max() <= 1
    assert group_color_map(even, vivid, shares)[0][..., 1:].min() > 1.5
    gain, _ = group_color_map(vivid, even, shares)
    assert gain.max() < 0.6
