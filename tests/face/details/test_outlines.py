"""Outlines from the shares of columns: boundaries, what is shut, and what is not to be trusted."""

from itertools import pairwise

import numpy as np
import pytest

from facewarp.face.details.outlines import COLUMNS, outlines
from facewarp.face.details.patches import CLASSES, EYE_RIM_PX
from facewarp.face.face import Details

CELLS = 32
FRAME = np.array([[1.0, 0, 0], [0, 1, 0]])
OTHER, UPPER, INNER, LOWER, EYE, HIDDEN = range(len(CLASSES))


def covered(top, bottom, rows=CELLS):
    """Shares of cells between two heights, patch px."""
    edges = 2.0 * np.arange(rows)[:, None] - 0.5
    return (np.minimum(bottom, edges + 2) - np.maximum(top, edges)).clip(0, 2) / 2


def mouth(opening=10.0, left=12, right=52):
    """A mouth's shares: lips of 6 px above and below an opening about row 30."""
    inside = (left < COLUMNS) & (right > COLUMNS)
    heights = np.array([24, 30, 30 + opening, 36 + opening])
    shares = np.zeros((len(CLASSES), CELLS, CELLS))
    for part, (a, b) in zip((UPPER, INNER, LOWER), pairwise(heights), strict=True):
        shares[part] = covered(a, b) * inside
    shares[OTHER] = 1 - shares.sum(0)
    return shares, heights


def eyes(height):
    """Both eyes' shares, `height` px open, with their rim."""
    shares = np.zeros((len(CLASSES), CELLS, CELLS))
    inside = (COLUMNS > 12) & (COLUMNS < 52)
    for rows in (slice(0, 16), slice(16, 32)):
        half = height / 2 + EYE_RIM_PX
        shares[EYE, rows] = covered(16 - half, 16 + half, 16) * inside
    shares[OTHER] = 1 - shares[EYE]
    return shares


def seen(lips, lids):
    return outlines(Details(np.stack([lips, lids]).astype(np.float32), (FRAME, FRAME, FRAME)))


@pytest.mark.parametrize("opening", [0.0, 0.7, 10.0])
def test_heights_are_found_to_a_part_of_a_pixel(opening):
    lips, heights = mouth(opening)
    found, _, _ = seen(lips, eyes(8.0))
    middle = slice(8, 24)
    np.testing.assert_allclose(found.points[:, middle, 1].mean(1), heights, atol=0.02)
    np.testing.assert_allclose(found.points[0, :, 0], COLUMNS)
    assert found.weights[middle].min() == 1
    assert found.weights[:4].max() == 0  # beside the mouth


@pytest.mark.parametrize("height", [0.0, 3.0, 9.0])
def test_an_eye_that_is_shut_has_no_height_but_a_place(height):
    for eye in seen(mouth()[0], eyes(height))[1:]:
        apart = eye.points[1, 10:22, 1] - eye.points[0, 10:22, 1]
        np.testing.assert_allclose(apart, height, atol=0.05)
        np.testing.assert_allclose(eye.points[:, 10:22, 1].mean(), 16, atol=0.2)
        assert eye.weights[10:22].min() > 0.9


def test_what_is_hidden_blurred_or_missing_is_not_trusted():
    lips, _ = mouth()
    behind = lips * 0.2
    behind[HIDDEN] = 0.8 * lips[[UPPER, INNER, LOWER]].sum(0)
    behind[OTHER] = 1 - behind[1:].sum(0)
    guessed = lips * 0.25
    guessed[OTHER] = 1 - guessed[1:].sum(0)
    nothing = np.zeros_like(lips)
    nothing[OTHER] = 1
    for shares in (behind, guessed, nothing):
        assert seen(shares, eyes(8.0))[0].weights.max() < 0.05
