"""Slices of a stack that do not fit those beside them, or end in the heart, as the labels show it.

A ventricle is smooth from base to apex, and empties everywhere at about the same time. A slice that
lies aside was acquired in another breath-hold or put in its place wrongly; one that empties at
another time shows other phases.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import PlacementDoubt
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.parts import WORDS, HeartPart
from facewarp.core.arrays import FloatArray

#: Mm by which the ventricle's middle in a slice lies beside the mean of those next to it, mean of
#: end-diastole and end-systole (decision 183).
ASIDE_MM: Final = 8.0
_SEEMS: Final = 0.75  # of a slice that lies aside, those next to it seem to by half of that
_LARGE: Final = 0.4  # of the largest area: slices between base and apex
#: Mm to the edge of the picture, in which a heart is cut off: 7.8 at least in ACDC's 200 labels.
EDGE_MM: Final = 4.0
_AT_EDGE: Final = 3  # voxels of a part in a slice
_NAMED: Final = 6  # slices
_LEAST_PHASES: Final = 8  # of a curve that tells when a slice is emptiest
_LEAST_CHANGE: Final = 0.15  # of a slice's largest area, without which it tells no time
_WITH_OTHERS: Final = 0.5  # correlation of a slice's curve with that of the others as stored
_SHIFTED: Final = 0.8  # and after a shift in time, from which it is said


def about_slices(
    labels: Labels,
    spacing_mm: tuple[float, float, float],
    moments: tuple[int, int],
    closes: bool,
) -> list[str]:
    """Return what is to be said of slices that do not fit those beside them.

    Args:
        labels: ``(T, D, H, W)`` part ids.
        spacing_mm: of the voxels, along x, y, z.
        moments: indices of end-diastole and end-systole.
        closes: whether the phases are a whole heartbeat.
    """
    said = about_edges(labels[list(moments)], spacing_mm)
    aside = slices_aside(labels[list(moments)], spacing_mm)
    if aside:
        which = ", ".join(f"{z + 1} ({mm:.0f} mm)" for z, mm in aside.items())
        text = (
            "the left ventricle lies beside the line through the slices next to it in slice "
            f"{which}, as after another breath-hold or with a wrong position: volumes hardly "
            "suffer, but meshes, motion through slices and what is drawn across them do"
        )
        said.append(PlacementDoubt(text))
    for z, phases in (slices_late(labels) if closes else {}).items():
        share, when = 100 * abs(phases) / len(labels), "after" if phases > 0 else "before"
        said.append(
            f"in slice {z + 1} the left ventricle is emptiest {share:.0f} % of a heartbeat {when} "
            "the other slices: its pictures may be of other moments, which makes the ejection "
            "fraction too small, or its wall bulges while the others contract"
        )
    return said


def about_edges(labels: Labels, spacing_mm: tuple[float, float, float]) -> list[str]:
    """Return what is to be said of parts that reach the edge of the picture.

    Args:
        labels: ``(N, D, H, W)`` part ids of some moments.
        spacing_mm: of the voxels, along x, y, z.
    """
    x, y = (max(1, round(EDGE_MM / size)) for size in spacing_mm[:2])
    inner = np.zeros(labels.shape[2:], dtype=np.bool_)
    inner[y:-y, x:-x] = True
    found = {}
    for part in HeartPart:
        at_edge = ((labels == part) & ~inner).sum(axis=(2, 3)).max(axis=0)
        if part != HeartPart.BACKGROUND and (slices := np.flatnonzero(at_edge >= _AT_EDGE)).size:
            found[part] = ", ".join(str(z + 1) for z in slices[:_NAMED])
    if not found:
        return []
    which = "; ".join(f"{WORDS[part]}, slice {slices}" for part, slices in found.items())
    return [
        f"the heart reaches the edge of the picture ({which}): volumes lack what lies beyond; "
        "give the scan before it was cropped"
    ]


def slices_aside(labels: Labels, spacing_mm: tuple[float, float, float]) -> dict[int, float]:
    """Return which slices lie aside of those next to them, and by how many mm.

    Args:
        labels: ``(N, D, H, W)`` part ids of some moments, over which places are averaged.
        spacing_mm: of the voxels, along x, y, z.
    """
    ventricle = np.isin(labels, (HeartPart.MYOCARDIUM, HeartPart.LV))
    areas, middles = _middles(ventricle, spacing_mm[:2])
    large = (areas > _LARGE * areas.max(axis=1, keepdims=True)).all(axis=0)
    off = (middles[:, 1:-1] - (middles[:, :-2] + middles[:, 2:]) / 2).mean(axis=0)
    far = np.linalg.norm(off, axis=1)
    told = large[:-2] & large[1:-1] & large[2:] & (far > ASIDE_MM)
    around = np.pad(np.where(told, far, 0.0), 1)
    told &= far > _SEEMS * np.maximum(around[:-2], around[2:])
    return {int(z) + 1: float(far[z]) for z in np.flatnonzero(told)}


def slices_late(labels: Labels) -> dict[int, int]:
    """Return which slices empty at another time than the others, and by how many phases later.

    Args:
        labels: ``(T, D, H, W)`` part ids of a whole heartbeat.
    """
    count = len(labels)
    areas = (labels == HeartPart.LV).sum(axis=(2, 3)).astype(np.float64)
    largest = areas.max(axis=0)
    shown = np.flatnonzero(largest > _LARGE * largest.max())
    if count < _LEAST_PHASES or len(shown) < 4:
        return {}
    found = {}
    for z in shown[1:-1]:  # through the first the base moves, and the last may lose the cavity
        own = areas[:, z]
        if np.ptp(own) < _LEAST_CHANGE * largest[z]:
            continue
        others = areas[:, shown[shown != z]].sum(axis=1)
        alike = [_correlation(np.roll(own, -shift), others) for shift in range(count)]
        shift = int(np.argmax(alike))
        if alike[0] < _WITH_OTHERS and alike[shift] > _SHIFTED:
            found[int(z)] = shift if shift <= count // 2 else shift - count
    return found


def _middles(
    masks: NDArray[np.bool_], pixel_mm: tuple[float, float]
) -> tuple[FloatArray, FloatArray]:
    """Return areas ``(N, D)``, px, and middles ``(N, D, 2)``, mm, of masks ``(N, D, H, W)``."""
    areas = masks.sum(axis=(2, 3)).astype(np.float64)
    x = (masks.sum(axis=2) * np.arange(masks.shape[3])).sum(axis=2)
    y = (masks.sum(axis=3) * np.arange(masks.shape[2])).sum(axis=2)
    middles = np.stack([x, y], axis=2) / np.maximum(areas, 1)[..., None]
    return areas, middles * pixel_mm


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Return Pearson's correlation; 0 of a curve that stands still."""
    a, b = one - one.mean(), other - other.mean()
    return float(a @ b / max(float(np.sqrt((a @ a) * (b @ b))), 1e-9))
