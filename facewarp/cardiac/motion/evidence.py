"""Evidence of a model's own errors, from what its networks can see without labels.

Four answers to one question are held against the parts reported: what their probabilities expect,
the coarse parts that the heart model sees itself, the parts of mirrored and brightened images, and
the labels that the field carried. Where they differ, something is wrong; by how much Dice and EF
are off then is `confidence`'s to say.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.heart_roi import HeartModel
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.model_grid import ModelGrid, model_input
from facewarp.cardiac.motion.slice_parts import (
    SliceModel,
    SliceParts,
    see_slices,
    slice_input,
)
from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray

Floats = NDArray[np.float32]
Triple = tuple[float, float, float]

_PARTS: Final = (HeartPart.RV, HeartPart.MYOCARDIUM, HeartPart.LV)
_BRIGHTER: Final = 0.8  # exponent of gray values: dark ones gain most


@dataclass(frozen=True)
class Evidence:
    """Agreement of other answers with the parts reported, at end-diastole and end-systole.

    Triples are of the right ventricle, the myocardium and the left ventricle: Dice, 0..1, mean of
    both phases; 0 where only one of the answers has the part.

    Attributes:
        expected: Dice that the probabilities themselves expect of their most probable parts.
        second: with the coarse parts that the heart model sees.
        changed: with the parts of images mirrored and brightened.
        carried: of labels carried to end-systole by the field with those seen there.
        ef_second, ef_changed, ef_carried: how far the left ventricle's ejection fraction by these
            is from the one reported, points; 100 where one of them has no ventricle.
        base_area, apex_area: area of the left ventricle in the first and last slice of the stack,
            share of its largest, at end-diastole: whether it goes on beyond.
        slices_apart_mm: from slice to slice; 0 where it isn't known. The networks don't see it.
    """

    expected: Triple
    second: Triple
    changed: Triple
    carried: Triple
    ef_second: float
    ef_changed: float
    ef_carried: float
    base_area: float
    apex_area: float
    slices_apart_mm: float = 0.0


@dataclass(frozen=True, eq=False)
class SecondLooks:
    """What the networks see when they look again at end-diastole and end-systole.

    Attributes:
        moments: these phases.
        coarse: ``(2, K, d, h, w)`` parts that the heart model sees itself, on its features' grid.
        changed: ``(2, K, D, H, W)`` parts of mirrored and brightened slices, mirrored back.
    """

    moments: tuple[int, int]
    coarse: Floats
    changed: Floats


def look_again(
    model: HeartModel,
    slices: SliceModel,
    volume: Volume,
    grid: ModelGrid,
    fine: SliceParts,
    moments: tuple[int, int],
) -> SecondLooks:
    """Look again at end-diastole and end-systole.

    Args:
        model: the heart model, on the grid.
        slices: its part network of slices.
        volume: the cine.
        grid: the heart model's.
        fine: the parts on the scan's own slices.
        moments: phases of end-diastole and end-systole.
    """
    both = list(moments)
    images = torch.from_numpy(model_input(volume.data[both], grid))[:, None]
    coarse = [model.probabilities(image[None]).cpu() for image in images]  # both at once are large
    changed = _changed(slices, volume, fine.grid, both)
    return SecondLooks(moments, torch.cat(coarse).numpy(), changed)


def gather_evidence(
    looks: SecondLooks,
    parts: Floats,
    fine: SliceParts,
    carried: tuple[Labels, Labels],
    ef_percent: float | None,
) -> Evidence:
    """Compare the parts reported at end-diastole and end-systole with other answers.

    Args:
        looks: of `look_again`.
        parts: ``(T, K, d, h, w)`` of every phase, as the registration was given them.
        fine: the same on the scan's own slices.
        carried: labels of end-systole, carried there and seen there, on the same voxels.
        ef_percent: of the left ventricle, as reported; None where there is none.
    """
    both, second, changed = list(looks.moments), looks.coarse, looks.changed
    chosen = replace(fine, probabilities=fine.probabilities[both].astype(np.float32))
    reported = chosen.probabilities
    ids = reported.argmax(axis=1)
    at_ed = (ids[0] == HeartPart.LV).sum(axis=(1, 2))
    largest = max(int(at_ed.max()), 1)
    carried_share = (carried[0] == HeartPart.LV).sum() / max(
        int((carried[1] == HeartPart.LV).sum()), 1
    )
    lv = chosen.volumes_ml()[:, HeartPart.LV]
    return Evidence(
        _mean([_expected(phase) for phase in reported]),
        _mean([_dice(a, b) for a, b in _most_probable(parts[both], second)]),
        _mean([_dice(a, b) for a, b in _most_probable(reported, changed)]),
        _dice(*carried),
        _apart(_lv_sums(second), ef_percent),
        _apart(_lv_sums(changed), ef_percent),
        _apart(lv * [1.0, float(carried_share)], ef_percent),
        float(at_ed[0] / largest),
        float(at_ed[-1] / largest),
        float(fine.grid.spacing_mm[2]),
    )


def _changed(slices: SliceModel, volume: Volume, grid: ModelGrid, phases: list[int]) -> Floats:
    """Parts of mirrored and brightened slices, mirrored back."""
    images = slice_input(replace(volume, data=volume.data[phases]), grid)[..., ::-1] ** np.float32(
        _BRIGHTER
    )
    return np.stack(list(see_slices(slices, images, grid)))[..., ::-1]


def _expected(parts: NDArray[np.floating]) -> Triple:
    """Return the Dice expected of the most probable parts if each probability is right.

    ``2 sum(p q) / (sum(p) + sum(q))``, q being 1 where the part is the most probable one.
    """
    ids = parts.argmax(axis=0)
    found = []
    for part in _PARTS:
        share, chosen = parts[part], ids == part
        size = float(share.sum()) + int(chosen.sum())
        found.append(2 * float(share[chosen].sum()) / size if size > 1 else 0.0)
    return found[0], found[1], found[2]


def _most_probable(
    one: NDArray[np.floating], other: NDArray[np.floating]
) -> list[tuple[Labels, Labels]]:
    pairs = zip(one.argmax(axis=1), other.argmax(axis=1), strict=True)
    return [(a.astype(np.uint8), b.astype(np.uint8)) for a, b in pairs]


def _dice(a: Labels, b: Labels) -> Triple:
    found = []
    for part in _PARTS:
        one, other = a == part, b == part
        size = int(one.sum()) + int(other.sum())
        found.append(2 * int((one & other).sum()) / size if size else 0.0)
    return found[0], found[1], found[2]


def _mean(phases: list[Triple]) -> Triple:
    rv, wall, lv = np.mean(phases, axis=0).tolist()
    return rv, wall, lv


def _lv_sums(parts: Floats) -> FloatArray:
    return np.asarray(parts[:, HeartPart.LV].sum(axis=(1, 2, 3), dtype=np.float64))


def _apart(volumes: FloatArray, ef_percent: float | None) -> float:
    """How far an ejection fraction from volumes at ED and ES is from the one reported, points."""
    if ef_percent is None or not volumes[0] > 0:
        return 100.0
    return float(min(abs(100 * (1 - volumes[1] / volumes[0]) - ef_percent), 100.0))
