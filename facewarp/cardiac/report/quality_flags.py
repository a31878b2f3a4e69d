"""What to look at before a result is believed: each check with its value and its verdict."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.placement import PlacementDoubt
from facewarp.cardiac.motion.confidence import FAR_OFF, HeartConfidence
from facewarp.cardiac.motion.quality import VOLUMES_APART_PERCENT
from facewarp.cardiac.motion.several_looks import APART_PERCENT
from facewarp.cardiac.parts import WORDS, HeartPart
from facewarp.cardiac.quantification.indices import Indices, Ventricle

Verdict = Literal["ok", "look", "bad"]

#: Limits between fine, worth a look, and not to be trusted.
AGREEMENT_PERCENT: Final = (80.0, 70.0)
CERTAINTY_PERCENT: Final = (90.0, 80.0)
EXPECTED_DICE_PERCENT: Final = (85.0, 75.0)
EXPECTED_EF_ERROR: Final = (5.0, FAR_OFF)
#: Errors of all phases there and back, added up: more phases make a longer loop of equally good
#: fields, and no result chains them. Bad is what one phase does (decision 175).
LOOP_P95_MM: Final = 3.0
ROUND_TRIP_MM: Final = 1.8  # a pixel of the grid that fields are refined on
OPEN_CAVITY_PERCENT: Final = (10.0, 20.0)
FOLDS_PERCENT: Final = (0.1, 1.0)
#: From slice to slice: the networks learnt from 5 to 10 mm. At 15 mm Dice of the parts falls by 5
#: points, at 20 mm by 9, and the networks are as sure of themselves as ever (decision 114); the
#: expected Dice counts the distance by itself (decision 143).
SLICES_APART_MM: Final = (12.0, 18.0)
#: Beyond what a reader's labels show in nearly all of 85 patients of ACDC: 39 and 66 % (99th
#: percentile), 47 and 77 % at most.
WALL_CHANGE_PERCENT: Final = (40.0, 50.0)
STROKE_DIFFERENCE_PERCENT: Final = (65.0, 80.0)
#: All right ventricles that eject less than 20 % among those patients are beside a left one that
#: does not either, or are 1.4 times as large as it. There, where the model is sure of the right
#: ventricle, an EF of nothing (to the error of its measurement) is no sign of a mistake, and the
#: smaller stroke of the right one is judged by the larger ventricle's volume: readers' strokes
#: differ by 39 % of that (99th percentile), 42 % at most (decision 143).
WEAK_LV_EF_PERCENT: Final = 20.0
DILATED_RV: Final = 1.4
SURE_RV_PERCENT: Final = 93.0
NO_EJECTION_PERCENT: Final = -4.0
STROKE_SHARE_PERCENT: Final = (40.0, 50.0)
#: What hearts of adults can have, the very ill ones too.
PLAUSIBLE: Final[dict[str, tuple[float, float]]] = {
    "LV EDV, ml": (40, 500),
    "RV EDV, ml": (40, 500),
    "LV EF, %": (8, 85),
    "RV EF, %": (4, 88),
    "LV mass, g": (30, 400),
}
ABOUT_THE_FILE: Final = ("geometry",)
"""Checks of what the file says rather than of what was found."""


@dataclass(frozen=True)
class Flag:
    """One check of a result.

    Attributes:
        name: what was checked.
        verdict: ``"ok"``, ``"look"`` (worth a look) or ``"bad"``.
        value: what was found, with its unit.
        meaning: what that says, in a sentence.
    """

    name: str
    verdict: Verdict
    value: str
    meaning: str


def quality_flags(result: CineResult) -> tuple[Flag, ...]:
    """All checks of a cine's result, in the order in which a reader needs them."""
    quality = result.quality
    worst = int(np.argmin(quality.agreement))
    agreement = 100 * quality.agreement[worst]
    frame = result.cine.frames[worst]
    return (
        _coverage(result),
        _slices_apart(result),
        Flag(
            "contours",
            _below(quality.open_cavity_percent, OPEN_CAVITY_PERCENT),
            f"{quality.open_cavity_percent:.0f} % of the left ventricle open",
            "share of it, at end-diastole or end-systole, in slices where it is not one piece "
            "closed in by wall, as where another chamber is taken for it",
        ),
        Flag(
            "agreement",
            _above(agreement, AGREEMENT_PERCENT),
            f"{agreement:.0f} % in phase {frame}",
            "lowest Dice between the labels carried from ED and those seen in a phase alone",
        ),
        _two_volumes(result),
        *_confidence(result),
        *_looks(result),
        _loop_closure(result),
        Flag(
            "folds",
            _below(quality.wall_folds_percent, FOLDS_PERCENT),
            f"{quality.wall_folds_percent:.2f} %",
            "share of the wall and the parts' outlines, over all phases, where the field turns "
            "inside out",
        ),
        *_plausibility(result),
        _geometry(result),
    )


def flags_of_the_result(flags: tuple[Flag, ...]) -> tuple[Flag, ...]:
    """Return the checks of what was found that are not "ok": those of the file are left out."""
    return tuple(f for f in flags if f.verdict != "ok" and f.name not in ABOUT_THE_FILE)


def worst_verdict(flags: tuple[Flag, ...]) -> Verdict:
    """Return the gravest of all verdicts."""
    order: tuple[Verdict, ...] = ("ok", "look", "bad")
    return order[max(order.index(flag.verdict) for flag in flags)]


def _two_volumes(result: CineResult) -> Flag:
    """Return in which phase and part carried and seen labels differ most in volume."""
    apart = np.abs(np.array(result.quality.volume_apart_percent))
    phase, part = divmod(int(apart.argmax()), apart.shape[1])
    most = float(apart[phase, part])
    return Flag(
        "volume of a phase",
        _below(most, VOLUMES_APART_PERCENT),
        f"{most:.0f} % apart, {WORDS[part + 1]} in phase {result.cine.frames[phase]}",
        "volumes of the labels carried from ED and of those seen in a phase alone, in the phase "
        "and part where they differ most, percent of the part's volume at ED",
    )


def _looks(result: CineResult) -> tuple[Flag, ...]:
    """Return by how much mirrored slices are seen differently; nothing without a second look."""
    apart = result.looks_apart_percent
    if apart is None:
        return ()
    most = np.abs(apart).max(axis=0)
    part = 1 + int(most[1:].argmax())
    return (
        Flag(
            "second look",
            _below(float(most[part]), APART_PERCENT),
            f"{most[part]:.0f} % apart, {WORDS[part]}",
            "volumes seen at ED and ES in mirrored slices and in the slices as they are, percent "
            "of the part's volume at ED; where they differ much the model does not know such a "
            "heart, and the mean of four looks at every phase is reported",
        ),
    )


def _confidence(result: CineResult) -> tuple[Flag, ...]:
    """Return what the model expects of itself; how sure it is where that was never calibrated."""
    told = result.confidence
    if told is None:
        certainty = 100 * min(result.quality.certainty)
        meaning = "mean probability of the parts the model sees, in the phase where it is lowest"
        verdict = _above(certainty, CERTAINTY_PERCENT)
        return (Flag("confidence", verdict, f"{certainty:.0f} %", meaning),)
    dice, error = 100 * told.dice_mean, told.ef_error
    return (
        Flag(
            "confidence",
            _above(dice, EXPECTED_DICE_PERCENT),
            f"Dice of {dice:.0f} % expected",
            "overlap with what a reader would draw, as patients with labels showed it for such "
            "answers of the networks",
        ),
        Flag(
            "ejection fraction",
            _below(error, EXPECTED_EF_ERROR),
            f"{error:.1f} points of error expected",
            "of the left ventricle, likewise: the networks' answers differ by so much",
        ),
    )


def _loop_closure(result: CineResult) -> Flag:
    quality, once = result.quality, result.quality.wall_round_trip_mm
    meaning = (
        "how far points of the wall are from their start, led there and back by the fields of all "
        "phases in turn, and by those of the worst phase: chain no fields"
    )
    verdict: Verdict = "bad" if once > ROUND_TRIP_MM else "ok"
    if not result.cine.closes:
        value = f"not judged: the phases are no whole cycle; {once:.1f} mm in one phase"
        return Flag("loop closure", verdict, value, meaning)
    if verdict == "ok" and quality.wall_loop_p95_mm > LOOP_P95_MM:
        verdict = "look"
    value = f"95 % within {quality.wall_loop_p95_mm:.1f} mm, {once:.1f} mm in one phase"
    return Flag("loop closure", verdict, value, meaning)


def _coverage(result: CineResult) -> Flag:
    meaning = "whether the stack shows the left ventricle from base to apex"
    if result.strain is None:
        return Flag("coverage", "bad", "no closed wall", meaning)
    wall = result.strain.wall
    if wall.apex_missing:
        return Flag("coverage", "bad", "apex missing", meaning)
    value = f"{len(wall.slices)} slices show the wall"
    if wall.base_cut:
        value += ", the first one is the stack's end"
    return Flag("coverage", "ok" if len(wall.slices) >= 3 else "look", value, meaning)


def _slices_apart(result: CineResult) -> Flag:
    volume = result.cine.volume
    apart = volume.spacing_mm[volume.stack_axis]
    return Flag(
        "slice spacing",
        _below(apart, SLICES_APART_MM),
        f"{apart:.1f} mm",
        "from slice to slice; labels and volumes suffer where it is far more than the 5 to 10 mm "
        "that the model learnt from",
    )


def _plausibility(result: CineResult) -> tuple[Flag, ...]:
    lv, rv = result.indices.lv, result.indices.rv
    weak = right_is_weak(result.indices, result.confidence)
    values = {
        "LV EDV, ml": lv.edv_ml,
        "RV EDV, ml": rv.edv_ml,
        "LV EF, %": lv.ef_percent,
        "RV EF, %": rv.ef_percent,
        "LV mass, g": result.indices.lv_mass_g,
    }
    limits = dict(PLAUSIBLE)
    if weak:
        limits["RV EF, %"] = NO_EJECTION_PERCENT, limits["RV EF, %"][1]
    odd = [
        f"{name.replace(',', f' {value:.0f}')}"
        for name, value in values.items()
        if value is not None and not limits[name][0] <= value <= limits[name][1]
    ]
    if lv.sv_ml <= 0:
        odd.append("the left ventricle is not smaller at ES")
    wall = result.volumes_ml[:, HeartPart.MYOCARDIUM]
    change = 100 * abs(wall[result.es] / wall[result.ed] - 1) if wall[result.ed] else 100.0
    return (
        Flag(
            "plausible values",
            "bad" if odd else "ok",
            "; ".join(odd) or "all",
            "volumes, EF and mass against what adults' hearts can have",
        ),
        Flag(
            "volume of the wall",
            _below(change, WALL_CHANGE_PERCENT),
            f"{change:.0f} % apart",
            "between ED and ES; muscle keeps its volume but for the blood in it",
        ),
        _strokes(lv, rv, weak),
    )


def right_is_weak(indices: Indices, confidence: HeartConfidence | None) -> bool:
    """Whether next to no ejection of the right ventricle is the heart's rather than a mistake.

    Args:
        indices: as measured.
        confidence: what the model expects of itself; without it nothing is taken for sure.
    """
    lv, rv = indices.lv, indices.rv
    if confidence is None or 100 * confidence.dice[0] < SURE_RV_PERCENT or rv.sv_ml > lv.sv_ml:
        return False
    weak = lv.ef_percent is not None and lv.ef_percent < WEAK_LV_EF_PERCENT
    return weak or rv.edv_ml > DILATED_RV * lv.edv_ml


def _strokes(lv: Ventricle, rv: Ventricle, weak: bool) -> Flag:
    """Compare the ventricles' strokes; by their volumes where the right one is weak."""
    apart = abs(lv.sv_ml - rv.sv_ml)
    share = 100 * apart / max(lv.sv_ml, rv.sv_ml, 1e-9)
    verdict, value = _below(share, STROKE_DIFFERENCE_PERCENT), f"{share:.0f} % apart"
    if weak:
        of_volume = 100 * apart / max(lv.edv_ml, rv.edv_ml, 1e-9)
        verdict = _below(of_volume, STROKE_SHARE_PERCENT)
        value += f", {of_volume:.0f} % of the larger ventricle: the right one is weak"
    return Flag(
        "stroke volumes",
        verdict,
        value,
        "left against right; they differ with leaking valves and shunts, with a right ventricle "
        "that ejects late or hardly, and with errors",
    )


def _geometry(result: CineResult) -> Flag:
    texts = dict.fromkeys((*result.cine.volume.warnings, *result.warnings))
    said = [text for text in texts if isinstance(text, PlacementDoubt)]
    value = "; ".join(said) or "consistent"
    meaning = "whether the file contradicts itself about spacing and orientation"
    return Flag("geometry", "look" if said else "ok", value, meaning)


def _above(value: float, limits: tuple[float, float]) -> Verdict:
    return "ok" if value >= limits[0] else "look" if value >= limits[1] else "bad"


def _below(value: float, limits: tuple[float, float]) -> Verdict:
    return "ok" if value <= limits[0] else "look" if value <= limits[1] else "bad"
