"""Summarize hearts under made shifts: what is lost by kind and strength, and whether it is told."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import spearmanr

from facewarp.cardiac.motion.confidence import FAR_OFF, HeartCalibration
from facewarp.core.metrics import mean_over_present
from facewarp.training.evaluation.heart_shifts import NO_HEART, ShiftCase
from facewarp.training.synthetic.scan_shifts import CLEAN

NEAR: Final = 3.0  # points of EF: an error that no flag should call wrong
Pairs = list[tuple[float, float]]


@dataclass(frozen=True)
class ShiftSummary:
    """Means over the patients of one kind and strength; Dice in percent, errors in points.

    Attributes:
        kind, strength: of the shift.
        n: patients.
        n_found: in whom a heart was found; EF is of these.
        parts_dice: the labels reported.
        parts_fall: how much less that is than of the same patients as scanned; NaN without them.
        dice, fall: the same of registration.
        ef_error, ef_rise: size of the error of the left ventricle's EF, and how much more it is.
        rv_ef_error: of the right ventricle's.
        expected_dice, expected_ef_error: what the model said would come; NaN without a
            calibration.
        flagged_percent: patients with a check of the result that was not "ok".
    """

    kind: str
    strength: str
    n: int
    n_found: int
    parts_dice: float
    parts_fall: float
    dice: float
    fall: float
    ef_error: float
    ef_rise: float
    rv_ef_error: float
    expected_dice: float
    expected_ef_error: float
    flagged_percent: float


def summarise_shifts(
    cases: Sequence[ShiftCase], calibration: HeartCalibration | None
) -> list[ShiftSummary]:
    """Average cases by kind and strength, the clean ones first."""
    clean = {case.patient: case for case in cases if case.kind == CLEAN}
    groups: dict[tuple[str, str], list[ShiftCase]] = {}
    for case in sorted(cases, key=lambda one: one.kind != CLEAN):
        groups.setdefault((case.kind, case.strength), []).append(case)
    found = []
    for (kind, strength), own in groups.items():
        before = [clean[one.patient] for one in own if one.patient in clean]
        compared = before if len(before) == len(own) else []
        parts, dice, error = (_mean_of(own, name) for name in ("parts_dice", "dice", "ef_error"))
        told = [calibration(c.evidence) for c in own if calibration is not None and c.evidence]
        found.append(
            ShiftSummary(
                *(kind, strength, len(own), sum(NO_HEART not in one.flags for one in own)),
                *(parts, _mean_of(compared, "parts_dice") - parts),
                *(dice, _mean_of(compared, "dice") - dice),
                *(error, error - _mean_of(compared, "ef_error")),
                mean_over_present([abs(one.rv_ef - one.rv_ef_true) for one in own]),
                100 * mean_over_present([one.dice_mean for one in told]),
                mean_over_present([one.ef_error for one in told]),
                100 * float(np.mean([bool(one.flags) for one in own])),
            )
        )
    return found


def _mean_of(cases: Sequence[ShiftCase], name: str) -> float:
    values = [getattr(case, name) for case in cases]
    if name != "ef_error":
        values = [100 * mean_over_present(dice) for dice in values]
    return mean_over_present(values)


@dataclass(frozen=True)
class Warned:
    """Whether the model told of its errors, over cases.

    Attributes:
        n: cases.
        rank_correlation: Spearman's, of expected and true Dice of the labels reported.
        ef_rank_correlation: of the expected and the true error of EF.
        calibration_error: mean size of expected minus true Dice, points.
        n_far_off: cases whose EF is off by more than `FAR_OFF` points, or without a heart.
        far_off_flagged: of them with a check that was not "ok".
        n_near: cases whose EF is within `NEAR` points.
        near_flagged: of them with a check that was not "ok".
    """

    n: int
    rank_correlation: float
    ef_rank_correlation: float
    calibration_error: float
    n_far_off: int
    far_off_flagged: int
    n_near: int
    near_flagged: int

    @classmethod
    def of(cls, cases: Sequence[ShiftCase], calibration: HeartCalibration | None) -> "Warned":
        """Hold what was expected and flagged against what was measured."""
        pairs, ef_pairs = expected_and_true(cases, calibration)
        gaps = [abs(a - b) for a, b in pairs]
        far = [one for one in cases if one.ef_error > FAR_OFF or NO_HEART in one.flags]
        near = [one for one in cases if one.ef_error <= NEAR]
        return cls(
            len(cases),
            _rank_correlation(pairs),
            _rank_correlation(ef_pairs),
            100 * mean_over_present(gaps),
            *(len(far), sum(bool(one.flags) for one in far)),
            *(len(near), sum(bool(one.flags) for one in near)),
        )


def expected_and_true(
    cases: Iterable[ShiftCase], calibration: HeartCalibration | None
) -> tuple[Pairs, Pairs]:
    """Return pairs of expected and true mean Dice, and of expected and true errors of EF."""
    dice, errors = [], []
    for case in cases:
        if calibration is None or case.evidence is None:
            continue
        told = calibration(case.evidence)
        dice.append((told.dice_mean, mean_over_present(case.parts_dice)))
        if np.isfinite(case.ef_error):
            errors.append((told.ef_error, case.ef_error))
    return dice, errors


def _rank_correlation(pairs: Pairs) -> float:
    if len(pairs) < 3:
        return float("nan")
    one, other = np.array(pairs).T
    if not one.std() or not other.std():
        return float("nan")
    return float(spearmanr(one, other).statistic)
