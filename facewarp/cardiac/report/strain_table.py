"""Strain as tables: curves of every region, their peaks, and when they are reached."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.quantification.strain import RegionStrain, Strain
from facewarp.cardiac.quantification.strain_intervals import LEVEL, StrainIntervals

#: Column -> attribute of `RegionStrain`, and whether its peak is the largest value.
COLUMNS: Final[dict[str, tuple[str, bool]]] = {
    "circumferential_green_lagrange_percent": ("circumferential_green", False),
    "circumferential_engineering_percent": ("circumferential_engineering", False),
    "radial_green_lagrange_percent": ("radial_green", True),
    "radial_engineering_percent": ("radial_engineering", True),
    "thickness_mm": ("thickness_mm", True),
    "thickening_percent": ("thickening", True),
}


@dataclass(frozen=True)
class Peak:
    """Where a curve is farthest from rest.

    Attributes:
        value: the smallest of circumferential strain, the largest of the others.
        phase: index of the phase.
        time_s: from end-diastole on; None where the file tells no time.
    """

    value: float
    phase: int
    time_s: float | None


def peak(curve: NDArray[np.float64], largest: bool, ed: int, step_s: float | None = None) -> Peak:
    """Return the peak of a curve.

    Args:
        curve: ``(T,)``.
        largest: whether it is the largest value rather than the smallest.
        ed: index of end-diastole, from which time counts.
        step_s: seconds from one phase to the next.
    """
    at = int(curve.argmax() if largest else curve.argmin())
    time = None if step_s is None else ((at - ed) % len(curve)) * step_s
    return Peak(float(curve[at]), at, time)


def write_strain(
    path: Path,
    strain: Strain,
    frames: Sequence[int],
    ed: int,
    step_s: float | None,
    intervals: StrainIntervals | None = None,
) -> None:
    """Write ``strain.csv``: a row for every region and phase.

    Args:
        path: the file.
        strain: what was found.
        frames: number of every phase.
        ed: index of end-diastole.
        step_s: seconds from one phase to the next; None where not known.
        intervals: of repeated measurements: two more columns, ``_low`` and ``_high``, each.
    """
    ends = [f"{name}_{end}" for name in COLUMNS for end in ("low", "high") if intervals]
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["region", "number", "name", "phase", "time_from_ed_s", *COLUMNS, *ends])
        for region in strain.regions:
            limits = [] if intervals is None else _limits(region, intervals)
            for index, frame in enumerate(frames):
                time = "" if step_s is None else f"{((index - ed) % len(frames)) * step_s:.4f}"
                values = [_shown(getattr(region, name)[index]) for name, _ in COLUMNS.values()]
                values += [_shown(limit[index]) for limit in limits]
                table.writerow([region.kind, region.number, region.name, frame, time, *values])


def _limits(region: RegionStrain, intervals: StrainIntervals) -> list[NDArray[np.float64]]:
    """Return the lower and the upper limit of every curve, in the columns' order."""
    limits = []
    for name, _ in COLUMNS.values():
        curve, half = getattr(region, name), intervals.half_width(region, name)
        limits += [curve - half, curve + half]
    return limits


def _shown(value: float) -> str:
    return "" if np.isnan(value) else f"{value:z.3f}"  # 0.000 at end-diastole, not -0.000


def strain_summary(
    strain: Strain,
    frames: Sequence[int],
    ed: int,
    step_s: float | None,
    intervals: StrainIntervals | None = None,
) -> dict[str, Any]:
    """Return the model of segments and the peaks of every region, as JSON has them.

    See `write_strain`.
    """
    told = None
    if intervals is not None:
        told = {"level": LEVEL, "copies": len(intervals.copies)}
    return {
        "intervals": told,
        "model": strain.segments.model,
        "notes": list(strain.segments.notes),
        "insertions_degrees": [
            None if np.isnan(pair).any() else np.degrees(pair).round(1).tolist()
            for pair in strain.wall.insertions
        ],
        "slices": (strain.wall.slices + 1).tolist(),
        "regions": [
            _region_peaks(region, frames, ed, step_s, intervals) for region in strain.regions
        ],
    }


def _region_peaks(
    region: RegionStrain,
    frames: Sequence[int],
    ed: int,
    step_s: float | None,
    intervals: StrainIntervals | None,
) -> dict[str, Any]:
    told: dict[str, Any] = {"region": region.kind, "number": region.number, "name": region.name}
    told["ed_thickness_mm"] = float(region.thickness_mm[ed])
    for column, (name, largest) in COLUMNS.items():
        found = peak(getattr(region, name), largest, ed, step_s)
        told[f"peak_{column}"] = found.value
        told[f"peak_{column.rsplit('_', 1)[0]}_phase"] = frames[found.phase]
        told[f"time_to_peak_{column.rsplit('_', 1)[0]}_s"] = found.time_s
        if intervals is not None:
            half = float(intervals.half_width(region, name)[found.phase])
            known = not np.isnan(half)
            told[f"peak_{column}_interval"] = (
                [found.value - half, found.value + half] if known else None
            )
    return told
