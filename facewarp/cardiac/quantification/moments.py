"""Which phases are end-diastole and end-systole, and who says so."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.label_reader import GivenLabels
from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import find_ed, find_es
from facewarp.errors import FacewarpError

FloatArray = NDArray[np.float64]

BY_USER: Final = "given"
BY_INFO: Final = "Info.cfg"
BY_LABELS: Final = "labels"
BY_CURVE: Final = "volume curve"
_REFUSED: Final = 0.05  # relative change of the ejection fraction that a doubt may make


@dataclass(frozen=True)
class Moments:
    """End-diastole and end-systole.

    Attributes:
        ed: index of end-diastole.
        ed_by: who says so: ``"given"``, ``"Info.cfg"``, ``"labels"`` or ``"volume curve"``.
        es: index of end-systole; None where the curve is to tell it.
        es_by: likewise.
        warnings: what the user should know, one sentence each.
    """

    ed: int
    ed_by: str
    es: int | None
    es_by: str
    warnings: list[str] = field(default_factory=list)


def phase_index(cine: Cine, frame: int | None, moment: str) -> int | None:
    """Where a frame number that the user gave is among the phases.

    Raises:
        FacewarpError: there is no such frame.
    """
    if frame is None:
        return None
    if frame not in cine.frames:
        known = f"{cine.frames[0]} to {cine.frames[-1]}" if cine.is_whole else str(cine.frames)
        what = f"{moment} is said to be frame {frame}, but there are frames {known}"
        raise FacewarpError(what, cine.path, "Frames are counted from 1.")
    return cine.frames.index(frame)


def find_moments(
    cine: Cine,
    ed: int | None,
    es: int | None,
    labels: GivenLabels | None,
    lv_seen: FloatArray,
    agreement: Callable[[], FloatArray],
) -> Moments:
    """Tell end-diastole and end-systole by what is trusted most.

    First what the user says, then ``Info.cfg``, then the phases in which a reader's labels are
    filled or the frame in their file's name, then the volume curve. Labels of one volume that do
    not tell their phase are laid where they fit best.

    Args:
        cine: the cine.
        ed: index of end-diastole that the user gave.
        es: index of end-systole that the user gave.
        labels: a reader's labels.
        lv_seen: ``(T,)`` size of the left ventricle as the model sees it, in any unit.
        agreement: ``(T,)`` Dice of the labels with what the model sees in each phase, when asked.

    Raises:
        FacewarpError: two sources contradict each other by what would change the result.
    """
    info = (None, None) if cine.info is None else (cine.info.ed, cine.info.es)
    ed_info, es_info = (None if n is None else cine.frames.index(n) for n in info)
    ed_told, es_told, said = _told_by_labels(cine, labels)
    curve = find_ed(lv_seen, cine.is_whole)
    if ed is not None:
        at_ed, ed_by = ed, BY_USER
        said += _against(cine, labels, ed, ed_told)
    elif ed_info is not None:
        at_ed, ed_by = ed_info, BY_INFO
        _refuse_other_phase(cine, labels, ed_info, ed_told)
    elif ed_told is not None:
        at_ed, ed_by = ed_told, BY_LABELS
    elif labels is not None and not labels.filled:
        at_ed, ed_by, doubt = _best_fitting(cine, labels, lv_seen, agreement(), curve)
        said += doubt
    else:
        at_ed, ed_by = curve, BY_CURVE
    for index, by in ((es, BY_USER), (es_info, BY_INFO), (es_told, BY_LABELS)):
        if index is not None and index != at_ed:
            return Moments(at_ed, ed_by, index, by, said)
    return Moments(at_ed, ed_by, None, BY_CURVE, said)


def _told_by_labels(
    cine: Cine, labels: GivenLabels | None
) -> tuple[int | None, int | None, list[str]]:
    """Indices of ED and ES by a reader's labels, and what is to be said."""
    if labels is None:
        return None, None, []
    if labels.filled:
        sizes = (labels.data == HeartPart.LV).sum(axis=(1, 2, 3))[list(labels.filled)]
        ed = labels.filled[int(sizes.argmax())]
        es = labels.filled[int(sizes.argmin())]
        return ed, es if es != ed else None, []
    if labels.frame is None:
        return None, None, []
    if labels.frame not in cine.frames:
        told = f"the labels' name says frame {labels.frame}, which the cine does not have"
        return None, None, [told]
    return cine.frames.index(labels.frame), None, []


def _against(cine: Cine, labels: GivenLabels | None, ed: int, told: int | None) -> list[str]:
    """What is to be said where the labels are of another phase than the user says."""
    if labels is None or labels.filled:
        return []  # one that is not filled is refused when it is asked for
    if told is not None and told != ed:
        name, frame = cine.frames[told], cine.frames[ed]
        return [f"the labels' name says frame {name}, --ed frame {frame}: --ed is followed"]
    if labels.moment == "ES":
        return ["the labels' name says end-systole: --ed is followed"]
    return []


def _refuse_other_phase(cine: Cine, labels: GivenLabels | None, ed: int, told: int | None) -> None:
    """Labels of another phase than ``Info.cfg``'s end-diastole are not laid on it."""
    if labels is None or told is None or told == ed or ed in labels.filled:
        return
    what = f"ED is frame {cine.frames[ed]} by Info.cfg, the labels are of {cine.frames[told]}"
    raise FacewarpError(what, labels.path, f"Give --ed {cine.frames[told]}, or labels of ED.")


def _best_fitting(
    cine: Cine, labels: GivenLabels, lv_seen: FloatArray, dice: FloatArray, curve: int
) -> tuple[int, str, list[str]]:
    """The phase of labels that do not tell it: where they fit best, if that changes little."""
    if labels.moment == "ES":
        what = "the labels' name says end-systole, and labels are carried from end-diastole"
        fix = "Give labels of end-diastole, or the frame they are of by --ed."
        raise FacewarpError(what, labels.path, fix)
    fits = int(dice.argmax())
    if fits == curve:
        return curve, BY_CURVE, []
    smallest = lv_seen[find_es(lv_seen, cine.is_whole)]
    by_fit, by_curve = (1 - smallest / max(float(lv_seen[one]), 1e-9) for one in (fits, curve))
    fit, largest = cine.frames[fits], cine.frames[curve]
    told = (
        f"the labels fit frame {fit} best (Dice {100 * dice[fits]:.1f} %), the left ventricle is "
        f"largest in frame {largest} (Dice {100 * dice[curve]:.1f} %)"
    )
    if abs(by_fit - by_curve) > _REFUSED * max(by_fit, by_curve):
        what = f"{told}: EF would be about {100 * by_fit:.1f} or {100 * by_curve:.1f} %"
        raise FacewarpError(what, labels.path, f"Say which it is: --ed {fit} or --ed {largest}.")
    return fits, BY_LABELS, [f"{told}: they are laid on frame {fit}; --ed says otherwise"]
