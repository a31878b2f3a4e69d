"""A part network of slices asked several times: where its answers differ, none of them is trusted.

A heart of a kind that the network knows gets the same volumes whether its slices are shown as they
are or mirrored. Where it does not, the mean of four looks (as stored, mirrored either way, turned
by half a turn) is nearer to the truth than any one of them.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.evidence import SecondLooks
from facewarp.cardiac.motion.slice_parts import (
    EdgeOffsets,
    SliceModel,
    SliceParts,
    see_slices,
    slice_input,
)
from facewarp.cardiac.parts import WORDS, HeartPart
from facewarp.core.arrays import FloatArray

#: Percent of a part's volume at end-diastole by which two looks differ, from which the heart is in
#: doubt, and from which its volumes are not to be trusted (decision 178).
APART_PERCENT: Final = (10.0, 15.0)
_BOTH: Final = (slice(None, None, -1), slice(None))
_SIDES: Final = ((slice(None), _BOTH[0]), (_BOTH[0], slice(None)), (_BOTH[0], _BOTH[0]))


def looks_apart_percent(looks: SecondLooks, fine: SliceParts) -> FloatArray:
    """Return how far two looks at end-diastole and end-systole lie apart, by part.

    Args:
        looks: at both moments again, mirrored.
        fine: the parts of every phase, as first seen.

    Returns:
        ``(2, K)`` volume mirrored minus as first seen, percent of the larger one at end-diastole.
    """
    both = list(looks.moments)
    first, second = (
        SliceParts(fine.grid, shares.astype(np.float32), EdgeOffsets()).volumes_ml()
        for shares in (fine.probabilities[both], looks.changed)
    )
    apart: FloatArray = 100 * (second - first) / np.maximum(np.maximum(first, second)[0], 1e-6)
    return apart


def in_doubt(apart_percent: FloatArray) -> bool:
    """Whether two looks lie so far apart that neither is to be believed."""
    return bool(np.abs(apart_percent[:, HeartPart.RV :]).max() > APART_PERCENT[0])


def seen_from_all_sides(slices: SliceModel, volume: Volume, fine: SliceParts) -> SliceParts:
    """Return the mean of four looks at every phase: as seen, mirrored both ways, and turned.

    Args:
        slices: the part network of slices.
        volume: the cine.
        fine: the parts as seen.
    """
    images = slice_input(volume, fine.grid)
    total = fine.probabilities.astype(np.float32)
    for side in _SIDES:
        shown = np.ascontiguousarray(images[..., *side])
        for sums, seen in zip(total, see_slices(slices, shown, fine.grid), strict=True):
            sums += seen[..., *side]
    total /= 1 + len(_SIDES)
    return SliceParts(fine.grid, total, fine.edges)


def doubt_warnings(
    apart_percent: FloatArray | None, frames: Sequence[int], ed_ml: NDArray[np.float64]
) -> list[str]:
    """Return what is to be said of parts that two looks see differently.

    Args:
        apart_percent: of `looks_apart_percent`; None without second looks.
        frames: numbers of the two phases that were looked at.
        ed_ml: ``(K,)`` volumes at end-diastole as reported.
    """
    if apart_percent is None or not in_doubt(apart_percent):
        return []
    said = []
    for part in (HeartPart.RV, HeartPart.MYOCARDIUM, HeartPart.LV):
        moment = int(np.abs(apart_percent[:, part]).argmax())
        ml = float(apart_percent[moment, part] * ed_ml[part]) / 100
        if abs(apart_percent[moment, part]) > APART_PERCENT[0]:
            said.append(
                f"in phase {frames[moment]} the model sees {abs(ml):.0f} ml "
                f"{'more' if ml > 0 else 'less'} of the {WORDS[part]} in mirrored slices: it does "
                "not know such a heart. The mean of four looks at every phase is reported, and may "
                "be off; look at the contours"
            )
    return said
