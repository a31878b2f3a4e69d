"""Calibrate the confidence of hearts, and measure the calibration: a reliability diagram.

``facewarp eval acdc --data acdc --patients 16,36 --shift all --out fit.csv`` measures patients as
scanned and under shifts; ``python -m facewarp.training.release.ship confidence heart-slices --cases
fit.csv`` fits what the evidence in those rows is worth, and stores it in the weights;
``python -m facewarp.training.release.heart_confidence test.csv [--plot FILE.png] [--json]`` holds
what is expected in the rows of other patients against the truth.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, nnls

from facewarp.cardiac.motion.confidence import (
    DICE_EVIDENCE,
    Curve,
    HeartCalibration,
    dice_evidence,
    ef_evidence,
)
from facewarp.cardiac.motion.evidence import Evidence
from facewarp.core.model import load
from facewarp.errors import FacewarpError
from facewarp.system.machine import machine
from facewarp.training.evaluation.heart_shift_summary import (
    Pairs,
    Warned,
    expected_and_true,
    summarise_shifts,
)
from facewarp.training.evaluation.heart_shifts import ShiftCase, read_cases
from facewarp.training.synthetic.scan_shifts import CLEAN

DICE_EDGES: Final = (0.0, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 1.0)
"""Expected Dice between which cases are counted together."""
EF_EDGES: Final = (0.0, 1.5, 2.0, 3.0, 5.0, 8.0, 100.0)
"""Expected errors of EF, points, likewise."""
_FEWEST: Final = 30  # cases for a fit
_GROUP: Final = 10  # cases whose mean is a knot

Floats = NDArray[np.float64]


def fit_calibration(cases: Sequence[ShiftCase], fitted_on: str) -> HeartCalibration:
    """Fit the curves from evidence to Dice and EF error.

    Weights by non-negative least squares on what is missing (1 - Dice) and on the error's size, so
    that better evidence never lowers the expectation; then isotonic regression of the truth on the
    weighted sum.

    Args:
        cases: patients as scanned and under shifts; not those that the calibration is measured on.
        fitted_on: which they are, in words.

    Raises:
        FacewarpError: too few cases with evidence.
    """
    known = [case for case in cases if case.evidence is not None and np.isfinite(case.ef_error)]
    if len(known) < _FEWEST:
        what = f"{len(known)} cases with evidence are too few to fit what it is worth"
        raise FacewarpError(what, fix=f"Give {_FEWEST} or more, some of them under shifts.")
    evidence = [case.evidence for case in known if case.evidence is not None]
    dice = []
    for part in range(3):
        found = np.array([dice_evidence(one, part) for one in evidence])
        true = np.array([case.parts_dice[part] for case in known])
        given = np.isfinite(true)
        dice.append(_dice_curve(found[given], true[given]))
    return HeartCalibration((dice[0], dice[1], dice[2]), _ef_curve(evidence, known), fitted_on)


def _dice_curve(found: Floats, true: Floats) -> Curve:
    weights = nnls(1 - found, 1 - true)[0]
    total = weights.sum()
    weights = np.full(len(DICE_EVIDENCE), 1 / len(DICE_EVIDENCE)) if total <= 0 else weights / total
    at, value = _rising(found @ weights, true)
    knots = [(0.0, 0.0), *zip(at, np.clip(value, 0, 1), strict=True)]
    return Curve(tuple(weights.tolist()), tuple(knots))


def _ef_curve(evidence: Sequence[Evidence], cases: Sequence[ShiftCase]) -> Curve:
    found = np.array([ef_evidence(one) for one in evidence])
    true = np.array([case.ef_error for case in cases])
    with_floor = np.column_stack([found, np.ones(len(found))])
    weights = nnls(with_floor, true)[0][:-1]
    at, value = _rising(found @ weights, true)
    slope = max((value[-1] - value[0]) / max(at[-1] - at[0], 1e-6), 0.0)
    beyond = at[-1] + 20.0  # evidence worse than any that was fitted on
    end = (beyond, max(value[-1], min(value[-1] + 20.0 * slope, 100.0)))
    return Curve(tuple(weights.tolist()), (*zip(at, value, strict=True), end))


def _rising(score: Floats, true: Floats) -> tuple[list[float], list[float]]:
    """Return rising knots: means of groups of cases that are next to each other in score."""
    order = np.argsort(score, kind="stable")
    groups = np.array_split(order, max(len(order) // _GROUP, 2))
    at = np.array([score[group].mean() for group in groups])
    value = isotonic_regression(
        [true[group].mean() for group in groups], weights=[len(group) for group in groups]
    ).x
    at, value = np.round(at, 4), np.round(value, 4)
    kept = [0]  # scores must rise, and a level stretch needs its ends alone
    for index in range(1, len(at)):
        if at[index] - at[kept[-1]] > 1e-3:
            kept.append(index)
    return at[kept].tolist(), value[kept].tolist()


@dataclass(frozen=True)
class ReliabilityBin:
    """Cases whose expectation lies between two edges.

    Attributes:
        low, high: the edges.
        n: cases.
        expected, true: means.
    """

    low: float
    high: float
    n: int
    expected: float
    true: float


def bins_of(pairs: Pairs, edges: Sequence[float]) -> list[ReliabilityBin]:
    """Count pairs of expected and true values between edges, without empty bins."""
    found = []
    for low, high in pairwise(edges):
        own = [p for p in pairs if low <= p[0] < high or (p[0] == high == edges[-1])]
        if own:
            expected, true = np.mean(own, axis=0).tolist()
            found.append(ReliabilityBin(low, high, len(own), expected, true))
    return found


def plot_reliability(
    cases: Sequence[ShiftCase], calibration: HeartCalibration, path: Path, title: str
) -> None:
    """Plot true against expected Dice and EF error, a point a case, as PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, both = plt.subplots(1, 2, figsize=(9.6, 4.4), layout="constrained")
    clean = [case for case in cases if case.kind == CLEAN]
    moved = [case for case in cases if case.kind != CLEAN]
    groups = (("under shifts", moved, "#e08214"), ("as scanned", clean, "#1f78b4"))
    for name, own, color in groups:
        for axes, pairs, scale in zip(
            both, expected_and_true(own, calibration), (100, 1), strict=True
        ):
            if pairs:
                x, y = scale * np.array(pairs).T
                axes.scatter(x, y, s=14, color=color, label=f"{name} ({len(pairs)})", alpha=0.8)
    everything = expected_and_true(cases, calibration)
    for axes, pairs, scale in zip(both, everything, (100, 1), strict=True):
        if pairs:
            low, high = float(scale * np.min(pairs)), float(scale * np.max(pairs))
            axes.plot([low, high], [low, high], color="0.7", lw=1, ls="--", label="as expected")
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    both[0].set(xlabel="expected Dice, %", ylabel="Dice with the reader's labels, %")
    both[1].set(xlabel="expected error of EF, points", ylabel="error of EF, points")
    figure.suptitle(title, fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def reliability_table(cases: Sequence[ShiftCase], calibration: HeartCalibration) -> str:
    """Return tables of expected and true Dice and EF error, as Markdown."""
    dice, errors = expected_and_true(cases, calibration)
    lines = ["| expected Dice, % | cases | mean | true |", "|---|---|---|---|"]
    lines += [
        f"| {100 * b.low:.1f} to {100 * b.high:.1f} | {b.n} | {100 * b.expected:.1f} "
        f"| {100 * b.true:.1f} |"
        for b in bins_of(dice, DICE_EDGES)
    ]
    lines += ["", "| expected error of EF, points | cases | mean | true |", "|---|---|---|---|"]
    lines += [
        f"| {b.low:.1f} to {b.high:.1f} | {b.n} | {b.expected:.1f} | {b.true:.1f} |"
        for b in bins_of(errors, EF_EDGES)
    ]
    return "\n".join(lines)


def shift_table(cases: Sequence[ShiftCase], calibration: HeartCalibration) -> str:
    """Return a table of what shifts cost and whether it was told, as Markdown."""
    lines = [
        "| shift | n | own parts | fall | registered | fall | EF error | RV EF | expected Dice "
        "| expected EF error | flagged |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in summarise_shifts(cases, calibration):
        numbers = (
            *(one.parts_dice, one.parts_fall, one.dice, one.fall, one.ef_error, one.rv_ef_error),
            *(one.expected_dice, one.expected_ef_error),
        )
        cells = ["-" if value != value else f"{round(value, 1) + 0.0:.1f}" for value in numbers]
        name, told = f"{one.kind} {one.strength}".strip(), f"{one.flagged_percent:.0f} %"
        lines.append(f"| {' | '.join([name, str(one.n), *cells, told])} |")
    return "\n".join(lines)


def main(words: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("cases", nargs="+", type=Path, help="rows of eval --shift --out")
    parser.add_argument("--model", default="heart")
    parser.add_argument("--plot", type=Path, help="draw it, as PNG")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(words)
    try:
        cases = [case for path in given.cases for case in read_cases(path)]
        model = load(given.model)
        calibration = HeartCalibration.of_slices(model.slices)
        if calibration is None:
            what = "these weights carry no calibration of their confidence"
            raise FacewarpError(what, given.model, "Fit one: ship confidence heart-slices.")
        count = len({case.patient for case in cases})
        title = f"{len(cases)} cases of {count} patients; weights {cases[0].model}"
        if given.plot is not None:
            plot_reliability(cases, calibration, given.plot, title)
    except FacewarpError as error:
        parser.exit(1, f"error: {error}\n")
    warned = Warned.of(cases, calibration)
    if given.json:
        dice, errors = expected_and_true(cases, calibration)
        bins = {
            "dice": [asdict(one) for one in bins_of(dice, DICE_EDGES)],
            "ef_error": [asdict(one) for one in bins_of(errors, EF_EDGES)],
        }
        text = json.dumps({**bins, "warned": asdict(warned), "machine": machine()})
    else:
        worth = f"mean |expected - true Dice| {warned.calibration_error:.1f} points, rank "
        worth += (
            f"correlation {warned.rank_correlation:.2f}; of EF {warned.ef_rank_correlation:.2f}"
        )
        flags = f"EF far off: {warned.far_off_flagged} of {warned.n_far_off} flagged; near: "
        flags += f"{warned.near_flagged} of {warned.n_near}"
        tables = (shift_table(cases, calibration), reliability_table(cases, calibration))
        text = "\n\n".join((f"{title}\n{worth}\n{flags}", *tables))
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
