"""A mended inverse is that of the field as it is now, and untouched elsewhere."""

import numpy as np
import pytest

from facewarp.face.crop_fields import compose_fields, inverted
from facewarp.face.details.inversion import mended_inverse

SHAPE = (160, 130)
PX = 2  # crop px of a cell
WINDOW = (slice(70, 120), slice(30, 95))


@pytest.fixture
def before():
    """A smooth map of the crop, and its inverse."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(np.float32)
    field = np.stack(
        [6 + 3 * np.sin(y / 19) + 0.04 * (x - 65), -4 + 3 * np.cos(x / 23) - 0.03 * (y - 80)]
    ).astype(np.float32)
    return field, inverted(field)


def moves(px):
    """Moves down, most at the window's middle and none at its border."""
    rows, columns = (
        np.sin(np.pi * np.linspace(0, 1, span.stop - span.start)) ** 2 for span in WINDOW
    )
    moved = np.zeros(SHAPE, np.float32)
    moved[WINDOW] = px * np.outer(rows, columns)
    return moved


def off(field, inverse):
    """How far both are from being inverse, (h, w) px."""
    return PX * np.abs(compose_fields(field / PX, inverse / PX)).max(0)


@pytest.mark.parametrize("px", [-14.0, 3.0, 20.0])
@pytest.mark.parametrize("turn", [0.0, 0.3])
def test_what_moved_is_inverted_again(before, px, turn):
    field, inverse = before
    direction = np.array([-np.sin(turn), np.cos(turn)], np.float32)
    moved = moves(px)
    field = field + direction[:, None, None] * moved
    inside = (slice(8, -8), slice(8, -8))  # the crop shows it
    assert off(field, inverse)[inside].max() > 0.7 * abs(px)
    mended = mended_inverse(inverse, field, moved, [WINDOW])
    assert off(field, mended)[inside].max() < 0.1
    far = np.ones(SHAPE, bool)
    far[60:130, 20:105] = False
    np.testing.assert_array_equal(mended[:, far], inverse[:, far])


def test_a_window_at_the_border_stays_within_the_grid(before):
    field, inverse = before
    window = (slice(110, 160), slice(70, 130))
    moved = np.zeros(SHAPE, np.float32)
    moved[window] = moves(5.0)[WINDOW][:, :60]
    field = field + np.array([0, 1], np.float32)[:, None, None] * moved
    mended = mended_inverse(inverse, field, moved, [window])
    assert np.isfinite(mended).all()
    assert off(field, mended)[100:145, 70:115].max() < 0.1


def test_nothing_moves_where_nothing_moved(before):
    field, inverse = before
    windows = [WINDOW, (slice(5, 20), slice(9, 30))]
    mended = mended_inverse(inverse, field, np.zeros(SHAPE, np.float32), windows)
    assert abs(mended - inverse).max() < 0.02


@pytest.mark.parametrize("px", [24.0, 36.0])
def test_a_wide_gap_that_opens_in_a_few_rows_is_inverted(before, px):
    """As lips part: what lies above stays, what lies below moves down, within 8 px."""
    field, inverse = before
    rows = np.arange(SHAPE[0], dtype=np.float32)
    opened = np.interp(rows, [70, 92, 96, 119], [0, 0, px, 0]).astype(np.float32)
    columns = np.sin(np.pi * np.linspace(0, 1, WINDOW[1].stop - WINDOW[1].start)) ** 0.5
    moved = np.zeros(SHAPE, np.float32)
    moved[:, WINDOW[1]] = np.outer(opened, columns)
    field = field + np.array([-0.3, 0.95], np.float32)[:, None, None] * moved
    mended = mended_inverse(inverse, field, moved, [WINDOW])
    inside = (slice(60, 125), slice(40, 85))
    assert np.percentile(off(field, mended)[inside], 99) < 0.3
