"""Confidence of hearts: better evidence never lowers it, and weights carry its calibration."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.cardiac.motion.confidence import (
    Curve,
    HeartCalibration,
    HeartConfidence,
    confidence_warnings,
)
from facewarp.cardiac.motion.evidence import Evidence
from facewarp.errors import FacewarpError

GOOD = Evidence(
    expected=(0.95, 0.93, 0.97),
    second=(0.9, 0.85, 0.93),
    changed=(0.94, 0.92, 0.97),
    carried=(0.92, 0.9, 0.94),
    ef_second=1.0,
    ef_changed=0.5,
    ef_carried=1.0,
    base_area=0.8,
    apex_area=0.1,
    slices_apart_mm=10.0,
)
DICE = Curve((0.4, 0.1, 0.2, 0.2, 0.1), ((0.0, 0.0), (0.7, 0.5), (0.95, 0.94)))
EF = Curve((0.2, 0.3, 0.1, 0.5, 2.0), ((0.0, 1.0), (5.0, 4.0), (20.0, 15.0)))
CALIBRATION = HeartCalibration((DICE, DICE, DICE), EF, "drawn")


def test_worse_evidence_never_raises_confidence() -> None:
    before = CALIBRATION(GOOD)
    assert 0 < min(before.dice) <= max(before.dice) <= 1
    for name, part in product(("expected", "second", "changed", "carried"), range(3)):
        worse = list(getattr(GOOD, name))
        worse[part] -= 0.2
        after = CALIBRATION(replace(GOOD, **{name: tuple(worse)}))
        assert after.dice[part] < before.dice[part]
        assert after.ef_error >= before.ef_error
    for name in ("ef_second", "ef_changed", "ef_carried", "apex_area"):
        worse = replace(GOOD, **{name: getattr(GOOD, name) + 5})
        assert CALIBRATION(worse).ef_error > before.ef_error
        assert CALIBRATION(worse).dice == before.dice


def test_thick_slices_lower_the_expected_dice() -> None:
    usual, thin, thick, far = (
        CALIBRATION(replace(GOOD, slices_apart_mm=mm)) for mm in (10.0, 3.0, 15.0, 60.0)
    )
    assert usual.dice == thin.dice
    for part in range(3):
        assert far.dice[part] < thick.dice[part] < usual.dice[part]
    assert far.ef_error == usual.ef_error


def test_earlier_calibrations_say_what_they_said() -> None:
    blind = Curve((0.5, 0.1, 0.2, 0.2, 0.0), DICE.knots)
    text = HeartCalibration((blind, blind, blind), EF, "").to_text()
    earlier = HeartCalibration.from_text(text.replace("0.2, 0.2, 0.0]", "0.2, 0.2]"))
    assert earlier == HeartCalibration((blind, blind, blind), EF, "")
    assert earlier(GOOD) == earlier(replace(GOOD, slices_apart_mm=20.0))


def test_a_calibration_survives_the_weights_file() -> None:
    again = HeartCalibration.from_text(CALIBRATION.to_text())
    assert again == CALIBRATION

    slices = SimpleNamespace(metadata={"confidence": CALIBRATION.to_text()})
    assert HeartCalibration.of_slices(slices) == CALIBRATION  # type: ignore[arg-type]
    assert HeartCalibration.of_slices(None) is None
    assert HeartCalibration.of_slices(object()) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '{"dice": 3, "ef_error": 4}', CALIBRATION.to_text().replace("0.4", "-0.4")],
)
def test_what_is_no_calibration_is_refused(text) -> None:
    with pytest.raises(FacewarpError, match="no calibration"):
        HeartCalibration.from_text(text)


def test_curves_must_rise_and_weigh_nothing_negatively() -> None:
    for weights, knots in (
        ((1.0,), ((0.0, 1.0), (1.0, 0.5))),
        ((1.0,), ((1.0, 0.0), (0.0, 1.0))),
        ((-1.0,), ((0.0, 0.0), (1.0, 1.0))),
        ((float("nan"),), ((0.0, 0.0), (1.0, 1.0))),
        ((1.0,), ()),
    ):
        with pytest.raises(ValueError, match="no rising curve"):
            Curve(weights, knots)


def test_plain_values_name_parts_and_evidence() -> None:
    told = CALIBRATION(GOOD).to_dict(GOOD)
    assert told["expected_dice"]["mean"] == pytest.approx(np.mean(CALIBRATION(GOOD).dice))
    assert set(told["expected_dice"]) == {"mean", "rv", "myocardium", "lv"}
    assert told["evidence"]["ef_second"] == 1.0


def test_an_ejection_fraction_that_is_far_off_is_said() -> None:
    said = confidence_warnings(HeartConfidence((0.9, 0.9, 0.9), 12.3))
    assert "off by 12 points" in said[0]
    assert not confidence_warnings(HeartConfidence((0.5, 0.5, 0.5), 7.9))
    assert not confidence_warnings(None)
