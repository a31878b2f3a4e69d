"""Confidence in a heart's parts and ejection fraction: the Dice and the error to be expected.

The evidence of a model's own errors (`evidence`) says more than it should or less: what it is worth
is fitted on patients with labels, for each part network by itself, and lies in its weights file.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final, Self

import numpy as np

from facewarp.cardiac.motion.evidence import Evidence, Triple
from facewarp.cardiac.motion.slice_parts import SliceModel
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

KEY: Final = "confidence"
"""What the calibration is called among the things that a weights file says of itself."""
NAMES: Final = ("rv", "myocardium", "lv")
DICE_EVIDENCE: Final = ("expected", "second", "changed", "carried", "thin")
FAR_OFF: Final = 8.0
"""Points of EF: an error that is to be told."""
EF_EVIDENCE: Final = ("ef_second", "ef_changed", "ef_carried", "lv_missing", "apex_area")
_USUAL_MM: Final = 10.0
"""From slice to slice: the networks learnt from no more, and tell nothing of it."""
_FAR_MM: Final = 30.0  # slices so far apart count nothing as evidence that they are near


@dataclass(frozen=True)
class HeartConfidence:
    """What is to be expected of the parts and the ejection fraction reported.

    Attributes:
        dice: expected Dice, 0..1, of right ventricle, myocardium and left ventricle with a
            reader's, mean of end-diastole and end-systole.
        ef_error: expected size of the error of the left ventricle's ejection fraction, points.
    """

    dice: Triple
    ef_error: float

    @property
    def dice_mean(self) -> float:
        """Expected Dice, mean over the parts."""
        return float(np.mean(self.dice))

    def to_dict(self, evidence: Evidence | None = None) -> dict[str, Any]:
        """Return plain values: Dice and, where given, the evidence it is from."""
        parts = dict(zip(NAMES, self.dice, strict=True))
        told: dict[str, Any] = {"expected_dice": {"mean": self.dice_mean, **parts}}
        told["expected_ef_error"] = self.ef_error
        return told if evidence is None else {**told, "evidence": asdict(evidence)}


@dataclass(frozen=True)
class Curve:
    """A rising line through points, with a score as the weighted sum of evidence.

    Attributes:
        weights: of each kind of evidence, none negative: more of it never lowers the value.
        knots: (score, value), both rising; the ends go on level.
    """

    weights: tuple[float, ...]
    knots: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        numbers = [*self.weights, *(value for knot in self.knots for value in knot)]
        rising = all(a < b and y <= z for (a, y), (b, z) in pairwise(self.knots))
        if not self.knots or not rising or not np.isfinite(numbers).all() or min(self.weights) < 0:
            raise ValueError(f"no rising curve: {self.weights}, {self.knots}")

    def __call__(self, evidence: Sequence[float]) -> float:
        """Return the value at the weighted sum of evidence."""
        at, value = np.array(self.knots).T
        return float(np.interp(np.dot(self.weights, evidence), at, value))


@dataclass(frozen=True)
class HeartCalibration:
    """Curves from evidence to the expected Dice of each part and the expected error of EF.

    Attributes:
        dice: of right ventricle, myocardium and left ventricle.
        ef_error: of the left ventricle's ejection fraction.
        fitted_on: which patients and shifts, in words.
    """

    dice: tuple[Curve, Curve, Curve]
    ef_error: Curve
    fitted_on: str = ""

    def __call__(self, evidence: Evidence) -> HeartConfidence:
        """Return what is to be expected, given the evidence."""
        rv, wall, lv = (
            curve(dice_evidence(evidence, part)) for part, curve in enumerate(self.dice)
        )
        return HeartConfidence((rv, wall, lv), self.ef_error(ef_evidence(evidence)))

    @classmethod
    def of_slices(cls, slices: SliceModel | None) -> Self | None:
        """Return the calibration in the weights of a part network of slices; None without.

        Raises:
            FacewarpError: what they hold is no calibration.
        """
        metadata: Mapping[str, str] = getattr(slices, "metadata", {})
        text = metadata.get(KEY)
        return None if text is None else cls.from_text(text, getattr(slices, "path", None))

    @classmethod
    def from_text(cls, text: str, path: Any = None) -> Self:
        """Parse what `to_text` wrote.

        Raises:
            FacewarpError: it is no calibration.
        """
        try:
            told = json.loads(text)
            dice = [_curve(told["dice"][name], DICE_EVIDENCE) for name in NAMES]
            found = [*dice, _curve(told["ef_error"], EF_EVIDENCE)]
            rv, wall, lv, ef = found
            return cls((rv, wall, lv), ef, str(told.get("fitted_on", "")))
        except (ValueError, TypeError, KeyError) as error:
            what = f"what the weights say of their confidence is no calibration: {text[:60]}"
            raise FacewarpError(what, path, "Take the weights as they were shipped.") from error

    def to_text(self) -> str:
        """Serialize for the metadata of a weights file."""
        dice = {name: _plain(curve) for name, curve in zip(NAMES, self.dice, strict=True)}
        told = {"dice": dice, "ef_error": _plain(self.ef_error), "fitted_on": self.fitted_on}
        return json.dumps(told)


def confidence_warnings(told: HeartConfidence | None) -> list[str]:
    """Return what is to be said of an ejection fraction that is expected to be far off."""
    if told is None or told.ef_error <= FAR_OFF:
        return []
    return [
        f"the ejection fraction may be off by {told.ef_error:.0f} points: the networks contradict "
        "each other; look at the contours"
    ]


def dice_evidence(evidence: Evidence, part: int) -> list[float]:
    """Return `DICE_EVIDENCE` of one part, 0 to 2, more is better: Dice, and how thin slices are."""
    beyond = (evidence.slices_apart_mm - _USUAL_MM) / (_FAR_MM - _USUAL_MM)
    thin = 1 - min(max(beyond, 0.0), 1.0)
    return [*(getattr(evidence, name)[part] for name in DICE_EVIDENCE[:-1]), thin]


def ef_evidence(evidence: Evidence) -> list[float]:
    """Return `EF_EVIDENCE`, more is worse: points, percent, and a share for the apex."""
    missing = 100 * (1 - evidence.expected[2])
    return [
        *(evidence.ef_second, evidence.ef_changed, evidence.ef_carried),
        *(missing, evidence.apex_area),
    ]


def _curve(told: Mapping[str, Any], evidence: tuple[str, ...]) -> Curve:
    """Return a curve as files hold it; earlier ones knew nothing of how thin slices are.

    Raises:
        ValueError, TypeError, KeyError: it is none, or of other evidence.
    """
    weights = tuple(map(float, told["weights"]))
    if evidence is DICE_EVIDENCE and len(weights) == len(evidence) - 1:
        weights = (*weights, 0.0)
    if len(weights) != len(evidence):
        raise ValueError("other evidence")
    return Curve(weights, tuple((float(x), float(y)) for x, y in told["knots"]))


def _plain(curve: Curve) -> dict[str, FloatArray | list[Any]]:
    return {
        "weights": [round(weight, 4) for weight in curve.weights],
        "knots": [[round(x, 4), round(y, 4)] for x, y in curve.knots],
    }
