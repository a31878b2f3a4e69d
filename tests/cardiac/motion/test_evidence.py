"""Evidence of errors: answers that agree, and answers that don't."""

import numpy as np
import pytest
import torch

from facewarp.cardiac.motion.evidence import _apart, _dice, _expected
from facewarp.cardiac.parts import HeartPart


def shares(sure: float) -> np.ndarray:
    """Probabilities of three blocks of parts, each this sure, ``(4, 2, 6, 12)``."""
    ids = np.repeat(np.arange(4), 3)
    parts = np.full((4, 2, 6, 12), (1 - sure) / 3, np.float32)
    for column, part in enumerate(ids):
        parts[part, :, :, column] = sure
    return parts


def test_the_expected_dice_is_what_right_probabilities_bring() -> None:
    """Labels drawn by the probabilities overlap with the most probable ones as expected."""
    sure = 0.8
    parts = np.tile(shares(sure), (1, 10, 6, 1))
    drawn = (torch.rand(parts.shape[1:], generator=torch.Generator().manual_seed(1))).numpy()
    truth = (parts.cumsum(axis=0) < drawn).sum(axis=0)
    found = _dice(truth.astype(np.uint8), parts.argmax(axis=0).astype(np.uint8))
    assert _expected(parts) == pytest.approx(found, abs=0.03)
    assert _expected(shares(1.0)) == pytest.approx((1, 1, 1))
    assert max(_expected(shares(0.6))) < min(_expected(shares(0.9)))


def test_a_part_in_one_answer_alone_agrees_to_nothing() -> None:
    ids = shares(1.0).argmax(axis=0).astype(np.uint8)
    without = np.where(ids == HeartPart.RV, 0, ids).astype(np.uint8)
    assert _dice(ids, ids) == (1, 1, 1)
    assert _dice(ids, without) == (0, 1, 1)
    assert _dice(without, without)[0] == 0


def test_ejection_fractions_apart() -> None:
    assert _apart(np.array([100.0, 40.0]), 55.0) == pytest.approx(5)
    assert _apart(np.array([0.0, 0.0]), 55.0) == 100
    assert _apart(np.array([100.0, 40.0]), None) == 100
