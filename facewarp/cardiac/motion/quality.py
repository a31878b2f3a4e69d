"""Quality control of a cine's motion: metrics and warnings."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.motion.cycle_registration import Floats, Motion
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.parts import HeartPart

_PARTS: Final = (HeartPart.RV, HeartPart.MYOCARDIUM, HeartPart.LV)
_LOW_AGREEMENT: Final = 0.7
_LONG_LOOP_MM: Final = 3.0
_MANY_FOLDS_PERCENT: Final = 1.0
_CUT_SHARE: Final = 0.4  # of the largest area: a slice of an end is no apex


@dataclass(frozen=True)
class Quality:
    """Quality metrics of a motion; lengths are means over the heart at ED.

    Attributes:
        agreement: ``(T,)`` mean Dice, 0..1, of the labels warped to each phase and the model's
            segmentation of it.
        round_trip_mm: ``(T,)`` inverse-consistency error.
        unreconciled_mm: ``(T,)`` the same before `make_inverse_consistent`.
        certainty: ``(T,)`` 0..1, mean probability of the most probable part over the heart.
        loop_mm: cycle drift, see `Motion.cycle_drift_mm`.
        loop_p95_mm: the 95th percentile of that over the heart.
        folds_percent: share of the heart's voxels, over all phases, where the field folds.
    """

    agreement: tuple[float, ...]
    round_trip_mm: tuple[float, ...]
    unreconciled_mm: tuple[float, ...]
    certainty: tuple[float, ...]
    loop_mm: float
    loop_p95_mm: float
    folds_percent: float


def measure_quality(
    motion: Motion, labels_ed: Labels, carried: Labels, seen: Labels, parts: Floats
) -> Quality:
    """Measure a cine's motion.

    Args:
        motion: the fields.
        labels_ed: ``(D, H, W)`` of the volume.
        carried: ``(T, ...)`` labels warped from end-diastole.
        seen: ``(T, ...)`` the model's segmentation, on the same voxels.
        parts: ``(T, K, d, h, w)`` its probabilities, on its own grid.
    """
    heart = motion.grid.sample(labels_ed > 0) > 0.5
    heart = heart if heart.any() else np.ones_like(heart)
    loop = motion.cycle_drift_mm()[heart]
    folds = 100 * float((motion.jacobian()[:, heart] <= 0).mean())
    return Quality(
        tuple(mean_dice(a, b) for a, b in zip(carried, seen, strict=True)),
        tuple(motion.inverse_consistency_mm()[:, heart].mean(axis=1).tolist()),
        tuple(motion.inverse_consistency_raw_mm[:, heart].mean(axis=1).tolist()),
        tuple(_certainty(phase) for phase in parts),
        float(loop.mean()),
        float(np.percentile(loop, 95)),
        folds,
    )


def quality_warnings(
    quality: Quality,
    frames: tuple[int, ...],
    labels_ed: Labels,
    volumes_ml: NDArray[np.float64],
    closes: bool = True,
) -> list[str]:
    """Return warnings about unusual values, as sentences.

    Args:
        quality: what was measured.
        frames: number of every phase.
        labels_ed: ``(D, H, W)``.
        volumes_ml: ``(T, 4)``.
        closes: whether the phases cover a whole heartbeat, so that points must return.
    """
    said = []
    worst = int(np.argmin(quality.agreement))
    if quality.agreement[worst] < _LOW_AGREEMENT:
        said.append(
            f"in phase {frames[worst]} carried and seen labels agree to a Dice of only "
            f"{100 * quality.agreement[worst]:.0f} %: look at the picture"
        )
    if closes and quality.loop_p95_mm > _LONG_LOOP_MM:
        said.append(
            f"after a cycle one point of the heart in 20 is more than {quality.loop_p95_mm:.0f} mm "
            "off its start: trust the labels, not the motion of single points"
        )
    if quality.folds_percent > _MANY_FOLDS_PERCENT:
        said.append(f"the field folds in {quality.folds_percent:.1f} % of the heart")
    for part in _PARTS:
        if not volumes_ml[:, part].all():
            said.append(f"there is no {part.name.lower()} in some phase")
    areas = (labels_ed == HeartPart.LV).sum(axis=(1, 2))
    if min(areas[0], areas[-1]) > _CUT_SHARE * areas.max():
        said.append("the left ventricle reaches both ends of the stack: its apex may be missing")
    return said


def _certainty(parts: Floats) -> float:
    heart = parts[HeartPart.BACKGROUND] < 0.5
    return float(parts.max(axis=0)[heart].mean()) if heart.any() else 0.0


def mean_dice(a: Labels, b: Labels) -> float:
    """Return the mean Dice of two labelings over the parts that are in either, 0 to 1."""
    overlaps = []
    for part in _PARTS:
        one, other = a == part, b == part
        size = int(one.sum()) + int(other.sum())
        if size:
            overlaps.append(2 * float((one & other).sum()) / size)
    return float(np.mean(overlaps)) if overlaps else 0.0
