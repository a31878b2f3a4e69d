"""Which phases are end-diastole and end-systole, and who says so."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from facewarp.cardiac.io.label_reader import GivenLabels
from facewarp.cardiac.io.patient import Cine
from facewarp.cardiac.io.timing import GRAVE
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.quantification.indices import count_beats, find_ed, find_es
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

BY_USER: Final = "given"
BY_INFO: Final = "Info.cfg"
BY_LABELS: Final = "labels"
BY_CURVE: Final = "volume curve"
_REFUSED: Final = 0.05  # relative change of the ejection fraction that a doubt may make
_LEAST_OF_EF: Final = 0.5  # share of the ejection fraction that labels of end-diastole leave
_LATEST_ES: Final = 0.6  # share of the heartbeat until end-systole; more in 1 of ACDC's 100
_PHASES_TO_TELL: Final = 8  # fewer say too roughly when end-systole is


@dataclass(frozen=True)
class Moments:
    """End-diastole and end-systole, as far as they are told.

    Attributes:
        ed: index of end-diastole; None where the curve is to tell it.
        ed_by: who says so: ``"given"``, ``"Info.cfg"``, ``"labels"`` or ``"volume curve"``.
        es: index of end-systole; None likewise.
        es_by: likewise.
        warnings: what the user should know, one sentence each.
    """

    ed: int | None
    ed_by: str
    es: int | None
    es_by: str
    warnings: tuple[str, ...] = ()


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


def told_moments(
    cine: Cine, ed: int | None, es: int | None, labels: GivenLabels | None = None
) -> Moments:
    """Tell end-diastole and end-systole by what is trusted more than the volume curve.

    First what the user says, then ``Info.cfg``, then the phases in which a reader's labels are
    filled or the frame in their file's name.

    Args:
        cine: the cine.
        ed: index of end-diastole that the user gave.
        es: index of end-systole that the user gave.
        labels: a reader's labels.

    Raises:
        FacewarpError: the labels are of another phase than ``Info.cfg`` says, or both moments are
            one frame.
    """
    info = (None, None) if cine.info is None else (cine.info.ed, cine.info.es)
    ed_info, es_info = (None if n is None else cine.frames.index(n) for n in info)
    ed_told, es_told, said = _told_by_labels(cine, labels)
    if ed is not None:
        at_ed, ed_by = ed, BY_USER
        said += _against(cine, labels, ed, ed_told)
    elif ed_info is not None:
        at_ed, ed_by = ed_info, BY_INFO
        _refuse_other_phase(cine, labels, ed_info, ed_told)
    elif ed_told is not None:
        at_ed, ed_by = ed_told, BY_LABELS
    else:
        return Moments(None, BY_CURVE, es, BY_CURVE if es is None else BY_USER, tuple(said))
    for index, by in ((es, BY_USER), (es_info, BY_INFO), (es_told, BY_LABELS)):
        if index is not None and (index != at_ed or by != BY_LABELS):
            _refuse_one_frame(cine, at_ed, ed_by, index, by)
            return Moments(at_ed, ed_by, index, by, tuple(said))
    return Moments(at_ed, ed_by, None, BY_CURVE, tuple(said))


def settle_end_diastole(
    told: Moments,
    cine: Cine,
    labels: GivenLabels | None,
    lv_seen: FloatArray,
    curve: int,
    dice: Sequence[float] | None,
) -> Moments:
    """Lay labels that do not tell their phase where they fit best, if that changes little.

    Args:
        told: what is told, which is not end-diastole.
        cine: the cine.
        labels: a reader's labels of one volume.
        lv_seen: ``(T,)`` size of the left ventricle as the model sees it, in any unit.
        curve: the phase in which it is largest.
        dice: ``(T,)`` Dice of the labels with what the model sees in each phase.

    Raises:
        FacewarpError: they fit another phase, and the ejection fraction depends on which it is;
            or their name says end-systole.
    """
    if labels is None or dice is None:
        return told
    if labels.moment == "ES":
        what = "the labels' name says end-systole, and labels are carried from end-diastole"
        fix = "Give labels of end-diastole, or the frame they are of by --ed."
        raise FacewarpError(what, labels.path, fix)
    fits = int(np.argmax(dice))
    if fits == curve:
        return told
    smallest = lv_seen[find_es(lv_seen, cine.closes, curve)]
    by_fit, by_curve = (1 - smallest / max(float(lv_seen[one]), 1e-9) for one in (fits, curve))
    fit, largest = cine.frames[fits], cine.frames[curve]
    text = (
        f"the labels fit frame {fit} best (Dice {100 * dice[fits]:.1f} %), the left ventricle is "
        f"largest in frame {largest} (Dice {100 * dice[curve]:.1f} %)"
    )
    if abs(by_fit - by_curve) > _REFUSED * max(by_fit, by_curve):
        what = f"{text}: EF would be about {100 * by_fit:.1f} or {100 * by_curve:.1f} %"
        raise FacewarpError(what, labels.path, f"Say which it is: --ed {fit} or --ed {largest}.")
    said = f"{text}: they are laid on frame {fit}; --ed says otherwise"
    return replace(told, ed=fits, ed_by=BY_LABELS, warnings=(*told.warnings, said))


def chosen_anew(
    moments: Moments, cine: Cine, lv_ml: FloatArray, used: tuple[int, int]
) -> tuple[int, int]:
    """Return the indices of end-diastole and end-systole by a curve that was measured again.

    Args:
        moments: who tells them; those that the curve does not tell stay.
        cine: the cine.
        lv_ml: ``(T,)`` volume of the left ventricle, measured again.
        used: the indices before.
    """
    ed, es = used
    if moments.ed_by == BY_CURVE:
        ed = find_ed(lv_ml, cine.closes)
    if moments.es_by == BY_CURVE:
        es = find_es(lv_ml, cine.closes, ed)
    return ed, es


def refuse_systole(
    told: Moments, cine: Cine, labels: GivenLabels | None, lv_seen: FloatArray
) -> None:
    """Refuse to carry labels from the phase that they are of where that is near end-systole.

    Args:
        told: end-diastole as the labels tell it, or as others do.
        cine: the cine.
        labels: a reader's labels.
        lv_seen: ``(T,)`` size of the left ventricle as the model sees it, in any unit.

    Raises:
        FacewarpError: less than half of the ejection fraction would be left.
    """
    if labels is None or told.ed is None or told.ed_by != BY_LABELS:
        return
    largest = find_ed(lv_seen, cine.closes)
    smallest = lv_seen[find_es(lv_seen, cine.closes, largest)]
    by_labels, by_curve = (
        1 - smallest / max(float(lv_seen[one]), 1e-9) for one in (told.ed, largest)
    )
    if by_labels < _LEAST_OF_EF * by_curve and by_curve - by_labels > _REFUSED:
        here, there = cine.frames[told.ed], cine.frames[largest]
        what = (
            f"the labels are of frame {here}, near end-systole, and labels are carried from "
            f"end-diastole, frame {there}: EF would be about {100 * by_labels:.0f} instead of "
            f"{100 * by_curve:.0f} %"
        )
        fix = f"Give labels of end-diastole; --ed {here} carries these all the same."
        raise FacewarpError(what, labels.path, fix)


def _told_by_labels(
    cine: Cine, labels: GivenLabels | None
) -> tuple[int | None, int | None, list[str]]:
    """Return the indices of ED and ES by a reader's labels, and what is to be said."""
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
    """Return what is to be said where the labels are of another phase than the user says."""
    if labels is None or labels.filled:
        return []  # one that is not filled is refused when it is asked for
    if told is not None and told != ed:
        name, frame = cine.frames[told], cine.frames[ed]
        return [f"the labels' name says frame {name}, --ed frame {frame}: --ed is followed"]
    if labels.moment == "ES":
        return ["the labels' name says end-systole: --ed is followed"]
    return []


def _refuse_one_frame(cine: Cine, ed: int, ed_by: str, es: int, es_by: str) -> None:
    """Refuse end-diastole and end-systole in one frame, where the ejection fraction would be 0."""
    if ed == es:
        what = f"ED ({ed_by}) and ES ({es_by}) are both frame {cine.frames[ed]}"
        raise FacewarpError(what, cine.path, "Say which frames they are: --ed and --es.")


def _refuse_other_phase(cine: Cine, labels: GivenLabels | None, ed: int, told: int | None) -> None:
    """Labels of another phase than ``Info.cfg``'s end-diastole are not laid on it."""
    if labels is None or told is None or told == ed or ed in labels.filled:
        return
    what = f"ED is frame {cine.frames[ed]} by Info.cfg, the labels are of {cine.frames[told]}"
    raise FacewarpError(what, labels.path, f"Give --ed {cine.frames[told]}, or labels of ED.")


def doubted_moments(
    moments: Moments, cine: Cine, lv_ml: FloatArray, used: tuple[int, int]
) -> list[str]:
    """Return what is to be said where the volume curve tells another ED or ES than is used.

    Likewise where end-systole comes so late that the phases may be stored backwards in time.

    Args:
        moments: who says so.
        cine: the cine.
        lv_ml: ``(T,)`` volume of the left ventricle.
        used: indices of end-diastole and end-systole.
    """
    if not cine.is_whole:
        return []
    by_curve = find_ed(lv_ml, cine.closes), find_es(lv_ml, cine.closes, used[0])
    told_by = moments.ed_by, moments.es_by
    said = []
    for name, told, seen, by in zip(("ED", "ES"), used, by_curve, told_by, strict=True):
        apart = abs(lv_ml[seen] - lv_ml[told])
        if by != BY_CURVE and apart > GRAVE * max(lv_ml[told], lv_ml[seen]):
            said.append(
                f"{name} is phase {cine.frames[told]} by {by} ({lv_ml[told]:.0f} ml), by the "
                f"volume curve phase {cine.frames[seen]} ({lv_ml[seen]:.0f} ml): the first is used"
            )
    late = (used[1] - used[0]) % len(lv_ml) / len(lv_ml)
    late *= count_beats(lv_ml, cine.closes)
    if cine.closes and len(lv_ml) >= _PHASES_TO_TELL and late > _LATEST_ES:
        said.append(
            f"ES comes {100 * late:.0f} % of a heartbeat after ED, in nearly all hearts less than "
            f"{100 * _LATEST_ES:.0f}: phases may be stored backwards in time, which turns curves "
            "and times to peak round, not volumes and EF"
        )
    return said
