"""Outlines from the shares of columns: boundaries, what is shut, and what is not to be trusted."""

import numpy as np
import pytest
from fixtures.detail_shares import EYE, HIDDEN, INNER, LOWER, OTHER, UPPER, eyes, mouth

from facewarp.face.details.outlines import (
    COLUMNS,
    boundaries,
    boundaries_of,
    eye_heights,
    outlines,
)
from facewarp.face.face import Details

FRAME = np.array([[1.0, 0, 0], [0, 1, 0]])


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


@pytest.mark.parametrize("height", [0.0, 0.6, 9.0])
def test_how_far_eyes_are_open_is_told_even_when_they_are_shut(height):
    frame = np.array([[0.5, 0, 0], [0, 0.5, 0]])
    shares = np.stack([mouth()[0], eyes(height)]).astype(np.float32)
    found = eye_heights(Details(shares, (FRAME, frame, frame)))
    np.testing.assert_allclose(found, 0.5 * height, atol=0.05)
    hardly_seen = shares.copy()
    hardly_seen[1, EYE] *= 0.2  # of shut eyes little is left
    assert eye_heights(Details(hardly_seen, (FRAME, frame, frame))).max() <= 0.5 * height + 0.05


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


def test_boundaries_of_many_faces_are_those_of_each(rng):
    made = [np.stack([mouth(gap)[0], eyes(gap)]) for gap in (0.5, 4.0, 9.0)]
    noise = rng.dirichlet(np.ones(6), (2, 32, 32)).transpose(0, 3, 1, 2)
    shares = np.stack([*made, noise]).astype(np.float32)
    down, weights = boundaries_of(shares)
    assert (down.shape, weights.shape) == ((4, 8, 32), (4, 3, 32))
    for one, *found in zip(shares, down, weights, strict=True):
        alone = boundaries(Details(one, (FRAME, FRAME, FRAME)))
        for ours, theirs in zip(found, alone, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=1e-4)
        kept = Details(one, (FRAME, FRAME, FRAME), (found[0], found[1]))
        assert boundaries(kept)[0] is found[0]
