"""Scores of mattes, and what chance may do to them."""

import numpy as np
import pytest

from facewarp.training.occlusion.composite import Composite
from facewarp.training.occlusion.matte_scores import scores_of

SIDE = 40


def composite(found: float, kind: str) -> Composite:
    """The left half of a face is covered; the picture's level says what a matte finds of it."""
    whole = np.full((SIDE, SIDE), 255, np.uint8)
    covered = whole.copy()
    covered[:, SIDE // 2 :] = 0
    image = np.full((SIDE, SIDE, 3), round(255 * found), np.uint8)
    return Composite(image, 255 - covered, whole, covered, whole, (kind,))


def matte(images: np.ndarray) -> np.ndarray:
    """Find the share of the covered half that the picture's level tells, from the left."""
    face = np.ones(images.shape[:3], np.float32)
    for one, image in zip(face, images, strict=True):
        one[:, : round(image[0, 0, 0] / 255 * SIDE / 2)] = 0
    return face


def test_the_range_of_a_score_tells_how_far_its_composites_agree():
    alike = [composite(0.5, "hand") for _ in range(6)]
    apart = [composite(found, "locks") for found in (1, 1, 1, 0, 0, 0)]
    scores = scores_of(matte, alike + apart)
    assert scores.iou_by_kind == pytest.approx({"hand": 50, "locks": 50}, abs=6)
    low, high = scores.chance_by_kind["hand"]
    assert low == pytest.approx(high) == pytest.approx(scores.iou_by_kind["hand"])
    low, high = scores.chance_by_kind["locks"]
    assert low < 25
    assert high > 75


def test_more_composites_leave_less_to_chance():
    few, many = ([composite(i % 2, "locks") for i in range(count)] for count in (6, 60))
    spans = [np.ptp(scores_of(matte, some).chance_by_kind["locks"]) for some in (few, many)]
    assert spans[1] < 0.5 * spans[0]
