"""Hearts under made shifts: rows, resuming, summaries, and whether errors were told."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from facewarp.cardiac.motion.confidence import Curve, HeartCalibration
from facewarp.cardiac.motion.evidence import Evidence
from facewarp.core.model import load
from facewarp.errors import FacewarpError
from facewarp.training.datasets.acdc import load_acdc_patient
from facewarp.training.evaluation import heart_shifts
from facewarp.training.evaluation.heart_protocols import PROTOCOLS
from facewarp.training.evaluation.heart_shift_summary import Warned, summarise_shifts
from facewarp.training.evaluation.heart_shifts import (
    NO_HEART,
    ShiftCase,
    evaluate_shifts,
    read_cases,
    shifted,
    write_cases,
)
from facewarp.training.synthetic.acdc_folders import write_drawn_patient
from facewarp.training.synthetic.scan_shifts import CLEAN

LEVEL = Curve((1.0, 0.0, 0.0, 0.0, 0.0), ((0.0, 0.0), (1.0, 1.0)))
CALIBRATION = HeartCalibration(
    (LEVEL, LEVEL, LEVEL), Curve((1.0, 0.0, 0.0, 0.0, 0.0), ((0.0, 0.0), (100.0, 100.0)))
)


def case(
    patient: str = "patient018",
    kind: str = CLEAN,
    dice: float = 0.9,
    error: float = 2.0,
    flags: tuple[str, ...] = (),
    told: float = 0.9,
) -> ShiftCase:
    """A case with this Dice, this error of EF, and evidence that tells of such a Dice."""
    three = (told, told, told)
    evidence = Evidence(three, three, three, three, error / 2, 0.0, 0.0, 1.0, 0.1)
    strength = "" if kind == CLEAN else "middle"
    return ShiftCase(
        *(patient, "DCM", kind, strength, "abc+def", (dice, dice, dice), (dice, dice, dice)),
        *(50.0, 50.0 + error, 45.0, 44.0, flags, evidence),
    )


def test_rows_of_earlier_versions_are_read(tmp_path: Path) -> None:
    one = case()
    row = {name: str(value) for name, value in one.row().items() if name != "slices_apart_mm"}
    assert ShiftCase.from_row(row) == one
    assert one.evidence is not None
    thick = replace(one, evidence=replace(one.evidence, slices_apart_mm=15.0))
    row = {name: str(value) for name, value in thick.row().items()}
    assert ShiftCase.from_row(row) == thick


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    lost = replace(case(kind="noise"), ef=float("nan"), evidence=None, flags=(NO_HEART,))
    cases = [case(), case(kind="blur", flags=("contours: bad", "folds: look")), lost]
    write_cases(tmp_path / "rows.csv", cases, "memwarp, seed 0")
    again = read_cases(tmp_path / "rows.csv")
    assert [c.key for c in again] == [c.key for c in cases]
    assert again[:2] == cases[:2]
    assert again[2].evidence is None
    assert np.isnan(again[2].ef)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FacewarpError, match="no table of hearts under shifts"):
        read_cases(tmp_path / "other.csv")


def test_rows_of_other_weights_or_settings_are_refused(tmp_path: Path) -> None:
    path, ours = tmp_path / "rows.csv", SimpleNamespace(sha256="abc", slices=None)
    write_cases(path, [replace(case(), model="abc")], "memwarp, seed 0")
    assert len(read_cases(path, ours, "memwarp, seed 0")) == 1  # type: ignore[arg-type]
    other = SimpleNamespace(sha256="abd", slices=None)
    for model, settings in ((ours, "memwarp, seed 1"), (other, "memwarp, seed 0")):
        with pytest.raises(FacewarpError, match="other weights or settings"):
            read_cases(path, model, settings)  # type: ignore[arg-type]


def test_summaries_compare_with_the_same_patients_as_scanned() -> None:
    cases = [case("a", dice=0.9), case("b", dice=0.8, error=4)]
    cases += [case("a", "noise", 0.8, 5), case("b", "noise", 0.7, -9, ("contours: bad",), 0.75)]
    clean, noise = summarise_shifts(cases, CALIBRATION)
    assert (clean.kind, clean.n, clean.parts_fall) == (CLEAN, 2, 0)
    assert (noise.parts_dice, noise.parts_fall) == pytest.approx((75, 10))
    assert (noise.ef_error, noise.ef_rise) == pytest.approx((7, 4))
    assert noise.flagged_percent == 50
    assert noise.expected_dice == pytest.approx(100 * (0.9 + 0.75) / 2)
    alone = summarise_shifts([case("c", "noise")], None)[0]
    assert np.isnan([alone.parts_fall, alone.expected_dice]).all()


def test_flags_count_where_ef_is_far_off_and_where_it_is_near() -> None:
    cases = [case(error=1), case(error=-2, flags=("folds: look",)), case(error=5)]
    cases += [case(error=9, flags=("contours: bad",)), case(error=-12)]
    cases.append(replace(case(), ef=float("nan"), flags=(NO_HEART,), evidence=None))
    warned = Warned.of(cases, CALIBRATION)
    assert (warned.n_far_off, warned.far_off_flagged) == (3, 2)
    assert (warned.n_near, warned.near_flagged) == (2, 1)


def test_confidence_that_ranks_as_the_truth_correlates() -> None:
    dice = np.linspace(0.5, 0.95, 8)
    right = Warned.of([case(dice=d, told=d) for d in dice], CALIBRATION)
    assert right.rank_correlation == pytest.approx(1)
    assert right.calibration_error == pytest.approx(0, abs=1e-9)
    wrong = Warned.of([case(dice=d, told=1 - d) for d in dice], CALIBRATION)
    assert wrong.rank_correlation == pytest.approx(-1)
    assert np.isnan(Warned.of([case()], None).rank_correlation)


def test_an_interrupted_run_keeps_its_cases_and_goes_on(tmp_path, monkeypatch) -> None:
    patient = load_acdc_patient(write_drawn_patient(tmp_path, 18))
    asked, kept = [], []

    def measure(model, patient, protocol, kind, strength="", seed=0, **_):
        if len(asked) == 2:
            raise KeyboardInterrupt
        asked.append(kind)
        return case(patient.name, kind)

    monkeypatch.setattr(heart_shifts, "measure_case", measure)
    monkeypatch.setattr(heart_shifts, "_orientation", lambda *_: None)
    settings = (
        load("heart"),
        [patient],
        PROTOCOLS["memwarp"],
        [("noise", "middle"), ("blur", "middle")],
    )
    with pytest.raises(KeyboardInterrupt):
        evaluate_shifts(*settings, keep=lambda c: kept.append(list(c)))
    assert [c.kind for c in kept[-1]] == [CLEAN, "noise"]
    asked.clear()
    steps = []
    found = evaluate_shifts(*settings, known=kept[-1], advance=lambda **_: steps.append(1))
    assert asked == ["blur"]
    assert [c.kind for c in found] == [CLEAN, "noise", "blur"]
    assert len(steps) == 3


def test_a_model_of_faces_is_refused() -> None:
    with pytest.raises(FacewarpError, match="no heart model: 'face'"):
        evaluate_shifts(load("face"), [], PROTOCOLS["memwarp"], [("noise", "middle")])


def test_a_shifted_patient_keeps_its_truth_and_gets_its_own_noise(tmp_path) -> None:
    one, other = (load_acdc_patient(write_drawn_patient(tmp_path, n)) for n in (18, 19))
    assert shifted(one, CLEAN) is one
    noisy = [shifted(p, "noise", "middle") for p in (one, other)]
    np.testing.assert_array_equal(noisy[0].labels[1].data, one.labels[1].data)
    added = [n.stacked() - p.stacked() for n, p in zip(noisy, (one, other), strict=True)]
    assert np.abs(np.corrcoef(added[0].ravel(), added[1].ravel())[0, 1]) < 0.2
    thick = shifted(one, "thick", "strong")
    assert {v.shape for v in (*thick.images, *thick.labels)} == {(3, 48, 48)}
    assert thick.images[0].spacing_mm[2] == pytest.approx(24)
