"""Calibration of hearts: fitted curves find what the evidence is worth."""

import json
from dataclasses import replace

import numpy as np
import pytest

from facewarp.cardiac.motion.confidence import KEY, HeartCalibration
from facewarp.cardiac.motion.evidence import Evidence
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.weights import load_weights, save_weights
from facewarp.errors import FacewarpError
from facewarp.training.config.presets import PRESETS
from facewarp.training.evaluation.heart_shift_summary import Warned
from facewarp.training.evaluation.heart_shifts import ShiftCase, write_cases
from facewarp.training.release import heart_confidence, ship
from facewarp.training.release.heart_confidence import (
    bins_of,
    fit_calibration,
    plot_reliability,
    reliability_table,
)


def cases(count: int, seed: int) -> list[ShiftCase]:
    """Patients whose second answer tells how good they are; the other evidence is noise."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        missing = float(rng.uniform(0.02, 0.4))
        second = 1 - 1.5 * missing + rng.normal(0, 0.01)
        noise = rng.uniform(0.85, 0.95, 3).tolist()
        error = 30 * missing + abs(rng.normal(0, 0.5))
        dice = (1 - missing, 1 - 1.2 * missing, 1 - 0.8 * missing)
        evidence = Evidence(
            *((value, value, value) for value in (noise[0], second, noise[1], noise[2])),
            *(error * rng.uniform(0.6, 0.9), float(rng.uniform(0, 1)), 0.0, 1.0, 0.2),
        )
        found.append(
            ShiftCase(
                *(f"patient{number + 1:03d}", "DCM", "noise", "strong", "a+b", dice, dice),
                *(50.0, 50.0 + error, 40.0, 41.0, (), evidence),
            )
        )
    return found


@pytest.fixture(scope="module")
def calibration() -> HeartCalibration:
    return fit_calibration(cases(160, 1), "drawn cases")


def test_expectations_of_other_cases_are_right_and_in_order(calibration) -> None:
    warned = Warned.of(cases(80, 2), calibration)
    assert warned.calibration_error < 2.5
    assert warned.rank_correlation > 0.95
    assert warned.ef_rank_correlation > 0.8


def test_evidence_that_tells_nothing_weighs_next_to_nothing(calibration) -> None:
    for curve in calibration.dice:
        assert int(np.argmax(curve.weights)) == 1
        assert min(curve.weights) >= 0
    assert int(np.argmax(calibration.ef_error.weights[:3])) == 0


def test_what_thick_slices_cost_is_learnt_from_such_cases() -> None:
    def at(mm: float, cost: float, count: int, seed: int) -> list[ShiftCase]:
        found = []
        for one in cases(count, seed):
            assert one.evidence is not None
            thick = replace(one.evidence, slices_apart_mm=mm)
            dice = (one.parts_dice[0] - cost, one.parts_dice[1] - cost, one.parts_dice[2] - cost)
            found.append(replace(one, parts_dice=dice, evidence=thick))
        return found

    calibration = fit_calibration([*at(10, 0.0, 90, 7), *at(20, 0.15, 90, 8)], "")
    known = [*at(10, 0.0, 40, 9), *at(20, 0.15, 40, 10)]
    off = [calibration(one.evidence).dice_mean - np.mean(one.parts_dice) for one in known]  # type: ignore[arg-type]
    assert abs(np.mean(off[:40])) < 0.02
    assert abs(np.mean(off[40:])) < 0.02


def test_a_calibration_needs_cases_with_evidence() -> None:
    blind = [replace(case, evidence=None) for case in cases(60, 3)]
    with pytest.raises(FacewarpError, match="too few"):
        fit_calibration([*blind, *cases(10, 4)], "")


def test_bins_hold_every_pair_once() -> None:
    pairs = [(0.1, 0.2), (0.5, 0.4), (1.0, 0.9), (0.99, 1.0)]
    bins = bins_of(pairs, (0.0, 0.5, 0.9, 1.0))
    assert [b.n for b in bins] == [1, 1, 2]
    assert bins[-1].true == pytest.approx(0.95)


def test_table_and_plot_of_reliability(calibration, tmp_path) -> None:
    some = cases(40, 5)
    assert reliability_table(some, calibration).count("\n|") >= 6
    plot_reliability(some, calibration, tmp_path / "new" / "plot.png", "drawn")
    assert (tmp_path / "new" / "plot.png").stat().st_size > 10_000


def test_the_command_prints_tables_or_json(tmp_path, calibration, monkeypatch, capsys) -> None:
    write_cases(tmp_path / "rows.csv", cases(40, 6), "memwarp, seed 0")
    monkeypatch.setattr(heart_confidence.HeartCalibration, "of_slices", lambda _: calibration)
    heart_confidence.main([str(tmp_path / "rows.csv"), "--json"])
    told = json.loads(capsys.readouterr().out)
    assert sum(one["n"] for one in told["dice"]) == told["warned"]["n"] == 40
    heart_confidence.main([str(tmp_path / "rows.csv")])
    printed = capsys.readouterr().out
    assert "| expected Dice, % |" in printed
    assert printed.count("| noise strong | 40 |") == 1
    with pytest.raises(SystemExit):
        heart_confidence.main([str(tmp_path / "none.csv")])


def test_the_expected_error_of_ef_can_be_kept(tmp_path, calibration) -> None:
    config = PRESETS["acdc-slices"].model
    features = replace(config.features, channels=(8, 8), strides=(2,), decoder=(8,))
    shape = (16, 16)
    config = replace(
        config, grid_shape=shape, input_shape=shape, field_shape=shape, features=features
    )
    place = tmp_path / "heart" / "slices.safetensors"
    place.parent.mkdir()
    blank = GuidedRegistration(config)
    save_weights(blank, place, {"preset": "acdc-slices"})
    write_cases(tmp_path / "rows.csv", cases(60, 11), "")
    words = ["--folder", str(tmp_path), "confidence", "heart-slices", "--cases"]
    with pytest.raises(SystemExit):  # nothing to keep
        ship.main([*words, str(tmp_path / "rows.csv"), "--keep-ef"])
    save_weights(blank, place, {KEY: calibration.to_text()})
    before = HeartCalibration.from_text(calibration.to_text())
    ship.main([*words, str(tmp_path / "rows.csv"), "--keep-ef"])
    after = HeartCalibration.from_text(load_weights(place)[1][KEY])
    assert after.ef_error == before.ef_error
    assert after.dice != before.dice
    assert "60 cases" in after.fitted_on
    assert "the error of EF on drawn cases" in after.fitted_on
