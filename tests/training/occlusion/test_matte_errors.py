"""Where mattes are wrong."""

import numpy as np
import pytest

from facewarp.training.occlusion.composite import Composite
from facewarp.training.occlusion.matte_errors import errors_of

SIDE = 40
INNER = slice(2, -2)  # what is judged: without the face's outline


def composite(covered: np.ndarray, told: np.ndarray, kind: str = "hand") -> Composite:
    """Something of a given alpha before a face, in a picture that says what a matte tells of it."""
    whole = np.full((SIDE, SIDE), 255, np.uint8)
    framed = np.zeros_like(whole)
    framed[INNER, INNER] = 255
    image = np.repeat(told.astype(np.uint8)[..., None], 3, axis=-1)
    return Composite(image, 255 - covered, whole, covered, whole, (kind,))


def matte(images: np.ndarray) -> np.ndarray:
    return 1 - images[..., 0] / np.float32(255)


def columns(*places: slice | int) -> np.ndarray:
    """Alpha of 255 in some columns."""
    alpha = np.zeros((SIDE, SIDE), np.uint8)
    for place in places:
        alpha[:, place] = 255
    return alpha


def test_an_edge_that_is_a_px_off_is_at_the_edge_and_missed():
    one = composite(columns(slice(10, 20)), columns(slice(10, 19)))
    found = errors_of(matte, [one])
    assert (found.missed, found.at_edge, found.far) == (100, 100, 0)
    assert found.iou_but_edges == 100
    assert found.between == 0


def test_a_false_alarm_away_from_everything_is_far():
    hidden = columns(slice(8, 14))
    one = composite(hidden, hidden | columns(slice(26, 30)))
    found = errors_of(matte, [one])
    assert (found.missed, found.at_edge, found.far) == (0, 0, 100)
    assert found.iou_but_edges == pytest.approx(100 * 6 / 10)


def test_px_that_are_half_hidden_count_as_between():
    half = columns(slice(10, 20))
    half[:, 20] = 140
    one = composite(half, columns(slice(10, 20), 25))
    assert errors_of(matte, [one]).between == 50


def test_the_truth_in_cells_loses_lines_and_keeps_what_fills_cells():
    block, line = columns(slice(8, 24)), columns(21)
    wide, thin = (errors_of(matte, [composite(one, one)]).iou_of_truth for one in (block, line))
    assert wide["in cells of 4 px"] == wide["in cells of 2 px"] == 100
    assert wide["moved by 1 px"] == pytest.approx(100 * 15 / 17)
    assert thin["in cells of 4 px"] == thin["moved by 1 px"] == 0


def test_errors_are_told_by_kind_and_by_the_worst_composites():
    right = [composite(columns(5), columns(5), "cable") for _ in range(18)]
    hand = composite(columns(slice(10, 16)), columns(), "hand")
    cup = composite(columns(slice(10, 12)), columns(), "cup")
    free = composite(columns(), columns(slice(4, 30)), "free")
    found = errors_of(matte, [*right, hand, cup, free])
    assert found.by_kind == pytest.approx({"cable": 0, "cup": 25, "hand": 75})
    assert found.worst_tenth == 100  # two of twenty


def test_a_matte_without_errors_is_no_division_by_zero():
    one = composite(columns(7), columns(7))
    assert errors_of(matte, [one]).worst_tenth == 0
