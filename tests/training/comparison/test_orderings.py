"""Claims about methods, decided pair by pair."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from facewarp.training.comparison.orderings import orderings
from facewarp.training.comparison.result_table import ResultTable

CLAIM = ("guided over unguided", "a", "b")


@dataclass(frozen=True)
class Score:
    dice_mean: float


@dataclass(frozen=True)
class Method:
    name: str
    scores: list[Score]


def method(name: str, dice: "np.ndarray | list[float]") -> Method:
    return Method(name, [Score(float(d)) for d in dice])


def test_differences_are_taken_pair_by_pair() -> None:
    random = np.random.default_rng(0)
    hard = random.uniform(0.2, 0.9, 40)  # pairs differ far more than methods do
    ahead, behind = hard + 0.02 + random.normal(0, 0.01, 40), hard
    found = orderings([method("a", ahead), method("b", behind)], [CLAIM])[0]
    assert found.difference == pytest.approx(100 * (ahead - behind).mean())
    assert found.error == pytest.approx(100 * stats.sem(ahead - behind))
    assert found.verdict == "holds"
    turned = orderings([method("a", behind), method("b", ahead)], [CLAIM])[0]
    assert (turned.difference, turned.verdict) == (-found.difference, "does not hold")
    assert "guided over unguided (a, b): +2." in found.sentence()


def test_what_noise_may_have_done_is_not_decided() -> None:
    found = orderings([method("a", [0.5, 0.7]), method("b", [0.6, 0.55])], [CLAIM])[0]
    assert found.verdict == "not decided"


def test_claims_need_both_methods_and_pairs_with_numbers() -> None:
    assert orderings([method("a", [0.5])], [CLAIM]) == []
    nan = [0.5, math.nan, 0.6, 0.9]
    found = orderings([method("a", nan), method("b", [0.4, 0.9, 0.5, 0.8])], [CLAIM])[0]
    assert found.difference == pytest.approx(10)
    alone = orderings([method("a", [0.5]), method("b", [0.4])], [CLAIM])[0]
    assert alone.verdict == "not decided"


def test_tables_and_pages_tell_them() -> None:
    told = ["a over b: +1.0 ± 0.1 points"]
    table = ResultTable("t", ["method"], [["a"]], "of pairs.", [], told)
    assert "- a over b: +1.0 ± 0.1 points" in table.markdown().splitlines()
    assert "<li>a over b: +1.0 ± 0.1 points</li>" in table.page([], {})
    assert "ahead" not in ResultTable("t", ["m"], [["a"]], "of pairs.", []).page([], {})
