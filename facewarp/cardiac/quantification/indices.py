"""Cardiac indices: volumes, ejection fraction, stroke volume, output and mass."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

MYOCARDIUM_G_PER_ML: Final = 1.05
_LEAST_ML: Final = 10.0  # of left ventricle at end-diastole, where some phase has none
_LEAST_DOUBT: Final = 2.0  # points of ejection fraction that a doubtful slice makes
_LEAST_OPEN: Final = 6  # phases of a curve that tells whether it closes
_LONGER: Final = 1.5  # than the largest step, the way back of such a curve
_FAR: Final = 0.3  # of a curve's range, by which its end lies off its beginning
_STILL: Final = 0.75  # of the largest volume: a curve that stays above is too flat to count beats
_COUNTED: Final = 8  # phases of a curve whose beats are counted, after smoothing
#: Phases of a heartbeat from which its extremes are those of the smoothed curve. Of fewer that one
#: has them beside the true ones: of a phantom's 10 phases EF would be 2 points lower.
_SMOOTHED: Final = 20


@dataclass(frozen=True)
class Ventricle:
    """The indices of one ventricle.

    Attributes:
        edv_ml: volume at end-diastole.
        esv_ml: volume at end-systole.
        sv_ml: stroke volume, the difference.
        ef_percent: ejection fraction, the stroke volume's share of the end-diastolic; None where
            that is 0.
        co_l_min: cardiac output, stroke volume times heart rate; None where that isn't known.
    """

    edv_ml: float
    esv_ml: float
    sv_ml: float
    ef_percent: float | None
    co_l_min: float | None


@dataclass(frozen=True)
class Indices:
    """The indices of a heart.

    Attributes:
        lv: the left ventricle.
        rv: the right ventricle.
        lv_mass_g: mass of the left ventricle's wall at end-diastole, at 1.05 g/ml.
        heart_rate_bpm: beats a minute; None where it isn't known.
    """

    lv: Ventricle
    rv: Ventricle
    lv_mass_g: float
    heart_rate_bpm: float | None


def volumes_ml(labels: NDArray[np.uint8], voxel_ml: float) -> FloatArray:
    """Measure the volume of each part in each phase, by counting voxels.

    Args:
        labels: ``(T, D, H, W)`` part ids.
        voxel_ml: volume of a voxel.

    Returns:
        ``(T, 4)`` ml, by part id.
    """
    count = len(HeartPart)
    counts = [np.bincount(phase.ravel(), minlength=count)[:count] for phase in labels]
    return np.stack(counts).astype(np.float64) * voxel_ml


def indices(volumes: FloatArray, ed: int, es: int, heart_rate_bpm: float | None = None) -> Indices:
    """Return the indices of a heart from its volumes.

    Args:
        volumes: ``(T, 4)`` ml, by part id.
        ed: index of end-diastole.
        es: index of end-systole.
        heart_rate_bpm: beats a minute, if known.
    """
    mass = float(volumes[ed, HeartPart.MYOCARDIUM]) * MYOCARDIUM_G_PER_ML
    lv, rv = (
        _ventricle(volumes[:, part], ed, es, heart_rate_bpm)
        for part in (HeartPart.LV, HeartPart.RV)
    )
    return Indices(lv, rv, mass, heart_rate_bpm)


def refuse_no_heart(lv_ml: FloatArray, ed: int, place: Path) -> None:
    """Refuse a curve that no heart has, as of noise or of another organ.

    Args:
        lv_ml: (T,) the left ventricle's volume in each phase.
        ed: index of end-diastole.
        place: the cine, for the message.

    Raises:
        FacewarpError: it is missing in some phase, and tiny at end-diastole.
    """
    none = int(np.count_nonzero(lv_ml == 0))
    if none and lv_ml[ed] < _LEAST_ML:
        what = (
            f"the model sees no heart here: a left ventricle of {lv_ml[ed]:.1f} ml at "
            f"end-diastole, and none in {none} of {len(lv_ml)} phases"
        )
        raise FacewarpError(what, place, "Give a short-axis cine of a heart.")


def base_warnings(doubtful: tuple[int, float] | None, lv: Ventricle, frame: int) -> list[str]:
    """Return what is to be said of a slice at end-systole that may lie above the base.

    Args:
        doubtful: its number from the base, and the left ventricle's volume in it, ml; None where
            none is in doubt, see `SliceParts.doubtful_base`.
        lv: the left ventricle with that slice.
        frame: number of end-systole.
    """
    if doubtful is None or lv.ef_percent is None:
        return []
    number, ml = doubtful
    ef, share = lv.ef_percent, 100 * ml / lv.edv_ml
    if share < _LEAST_DOUBT:
        return []
    without = min(ef + share, 100.0)
    return [
        f"slice {number} from the base may show the atrium at end-systole (phase {frame}): with "
        f"its {ml:.0f} ml the ejection fraction is {ef:.0f} %, without them {without:.0f} %; look "
        "at the contours there"
    ]


def curve_base_warnings(doubtful: Mapping[int, tuple[int, float]], lv: Ventricle) -> list[str]:
    """Return what is to be said of phases but end-systole in which a slice may lie above the base.

    Args:
        doubtful: by number of the phase, number of the slice from the base, and the left
            ventricle's volume in it, ml, see `SliceParts.doubtful_base`.
        lv: the left ventricle.
    """
    told = {
        frame: ml for frame, (_, ml) in doubtful.items() if 100 * ml >= _LEAST_DOUBT * lv.edv_ml
    }
    if not told:
        return []
    which = ", ".join(str(frame) for frame in told)
    return [
        f"in phase{'s' * (len(told) > 1)} {which} the slice nearest to the base that shows left "
        f"ventricle may show the atrium, with up to {max(told.values()):.0f} ml: look at the "
        "contours there and in the slice after it"
    ]


def _ventricle(volume: FloatArray, ed: int, es: int, rate: float | None) -> Ventricle:
    edv, esv = float(volume[ed]), float(volume[es])
    stroke = edv - esv
    fraction = 100 * stroke / edv if edv > 0 else None
    return Ventricle(edv, esv, stroke, fraction, stroke * rate / 1000 if rate else None)


def find_ed(lv_ml: FloatArray, cyclic: bool) -> int:
    """Return the phase with the largest left ventricle.

    Of many phases a heartbeat (20) the curve is smoothed over the phases beside each, so that one
    which the model got wrong is none.

    Args:
        lv_ml: (T,) its volume in each phase.
        cyclic: whether the first phase follows the last.
    """
    return int(_judged(lv_ml, cyclic).argmax())


def find_es(lv_ml: FloatArray, cyclic: bool, ed: int | None = None) -> int:
    """Return the phase with the smallest left ventricle, of the heartbeat that follows ED.

    Args:
        lv_ml: (T,) its volume in each phase.
        cyclic: whether the first phase follows the last.
        ed: index of end-diastole, which tells the heartbeat of a curve that has several; without
            it the smallest of all.
    """
    curve = _judged(lv_ml, cyclic)
    within = np.arange(len(curve))
    if ed is not None and len(found := beats(lv_ml, cyclic)) > 1:
        within = _beat_from(ed, found, len(curve), cyclic)
    return int(within[curve[within].argmin()])


def _beat_from(
    ed: int, found: Sequence[tuple[int, int]], count: int, cyclic: bool
) -> NDArray[np.intp]:
    """Return the phases from ED to where the next heartbeat begins; all if no systole follows."""
    phases = (ed + np.arange(count)) % count if cyclic else np.arange(ed, count)
    fullest, emptiest = ({pair[which] for pair in found} for which in (0, 1))
    was_empty = False
    for passed, phase in enumerate(phases.tolist()):
        if was_empty and phase in fullest:
            return phases[:passed]
        was_empty = was_empty or phase in emptiest
    return phases if was_empty else np.arange(count)


def beats(lv_ml: FloatArray, cyclic: bool) -> list[tuple[int, int]]:
    """Return the heartbeats of a curve: the phases where it is fullest and then emptiest.

    Full and empty are the upper and lower 30 % of the curve's range, so that noise is no beat; a
    curve of less than 8 phases, or one that hardly moves, tells none.

    Args:
        lv_ml: (T,) its volume in each phase.
        cyclic: whether the first phase follows the last.

    Returns:
        ED and ES of each, in the order of time.
    """
    curve = _smooth(np.asarray(lv_ml, np.float64), cyclic)
    if len(curve) < _COUNTED or curve.min() > _STILL * curve.max():
        return []
    low, high = np.quantile((curve.min(), curve.max()), (0.3, 0.7))
    first = int(curve.argmax()) if cyclic else 0
    filled: list[list[int]] = [[]]
    emptied: list[list[int]] = [[]]
    for phase in ((first + np.arange(len(curve))) % len(curve)).tolist():
        if curve[phase] > high and emptied[-1]:
            filled.append([])
            emptied.append([])
        if curve[phase] > high:
            filled[-1].append(phase)
        elif filled[-1] and curve[phase] < low:
            emptied[-1].append(phase)
    if not emptied[-1]:  # of a whole cycle these lead to the first
        filled[0] += filled[-1] * cyclic
        filled, emptied = filled[:-1], emptied[:-1]
    judged = curve if len(curve) >= _SMOOTHED * len(filled) else lv_ml
    return sorted(
        (max(full, key=judged.__getitem__), min(empty, key=judged.__getitem__))
        for full, empty in zip(filled, emptied, strict=True)
    )


def count_beats(lv_ml: FloatArray, cyclic: bool) -> int:
    """Count systoles: how often the left ventricle goes from full to empty, 1 at least.

    Args:
        lv_ml: (T,) its volume in each phase.
        cyclic: whether the first phase follows the last.
    """
    return max(len(beats(lv_ml, cyclic)), 1)


def is_open(lv_ml: FloatArray) -> bool:
    """Whether a volume curve ends far from where it begins, as of phases of half a heartbeat.

    The way back to the first phase is then half as long again as the largest step and more.

    Args:
        lv_ml: (T,) the left ventricle's volume in each phase.
    """
    if len(lv_ml) < _LEAST_OPEN:
        return False
    back = abs(float(lv_ml[-1] - lv_ml[0]))
    steps = np.abs(np.diff(lv_ml))
    return bool(back > _LONGER * steps.max() and back > _FAR * np.ptp(lv_ml))


def _smooth(curve: FloatArray, cyclic: bool) -> FloatArray:
    """Smooth the curve of a whole cycle against noise of single phases; return others unchanged."""
    if not cyclic or len(curve) < _COUNTED:
        return curve
    smooth: FloatArray = 0.25 * np.roll(curve, 1) + 0.5 * curve + 0.25 * np.roll(curve, -1)
    return smooth


def _judged(lv_ml: FloatArray, cyclic: bool) -> FloatArray:
    """Return the curve whose extremes are ED and ES: smoothed if a heartbeat has many phases."""
    many = len(lv_ml) >= _SMOOTHED * count_beats(lv_ml, cyclic)
    return _smooth(lv_ml, cyclic) if many else lv_ml
