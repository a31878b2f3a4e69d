"""Whether a reader's labels are of this scan: held against what the model sees in their phase.

Labels that lie flipped, or in another order of slices, on a grid that says nothing of it have the
right volume at end-diastole, and a wrong ejection fraction from there on.
"""

from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.motion.quality import mean_dice
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

Labels = NDArray[np.uint8]

#: Dice under which labels are doubted. Readers' labels of ACDC's patients 18 to 20 of each group
#: and what the model sees there agree to 93 % (mean of patients).
_UNLIKE: Final = 0.7
_FITS: Final = 0.75  # Dice from which another way of laying them is believed
_BETTER: Final = 0.15  # and by how much it must be better
#: By how much better it is told. Readers' labels of 53 patients of ACDC (ED and ES, in squares with
#: the heart about the middle) fit worse in every other way, by 0.12 at least, and by 0.06 without
#: the right ventricle; laid in a wrong way, 1 and 6 % of them are as like as `_UNLIKE`, and all of
#: these fit better by more than this in the right one.
_DOUBTED: Final = 0.05
#: Share of the left ventricle in slices without labels of it that is told: none in the 30 of these
#: patients and of patients 15 to 17 of each group, at end-diastole.
_LEFT_OUT: Final = 0.05
_REVERSED: Final = ("slices", "rows", "columns")


def check_fit(given: Labels, seen: Labels, path: Path, frame: int) -> list[str]:
    """Return what is to be said of a reader's labels that are unlike what the model sees.

    Args:
        given: the reader's, ``(D, H, W)``.
        seen: what the model sees in the same phase, likewise.
        path: the reader's file, for messages.
        frame: number of the phase, for messages.

    Raises:
        FacewarpError: they fit once slices, rows or columns are reversed or exchanged.
    """
    drawn = np.unique(given)  # a reader may leave the right ventricle out
    seen = np.where(np.isin(seen, drawn), seen, 0)
    dice = mean_dice(given, seen)
    ways = {_named(exchanged, way): _laid(given, exchanged, way) for exchanged, way in _ways(given)}
    fits = {name: mean_dice(laid, seen) for name, laid in ways.items()}
    best = max(fits, key=lambda name: fits[name])
    told = f"labels and what the model sees in frame {frame} agree to a Dice of {100 * dice:.0f} %"
    if fits[best] >= _FITS and fits[best] >= dice + _BETTER:
        what = f"{told}, with {best} to {100 * fits[best]:.0f} %: they lie otherwise than the scan"
        fix = "Give them the scan's order of voxels, or the affine that tells their own."
        raise FacewarpError(what, path, fix)
    said = []
    if dice < _UNLIKE:
        said.append(f"{told} only: are they of this patient, of this phase, in this place?")
    elif fits[best] >= dice + _DOUBTED:
        said.append(f"{told}, with {best} to {100 * fits[best]:.0f} %: do they lie otherwise?")
    return [*said, *_about_slices(given, seen)]


def _about_slices(given: Labels, seen: Labels) -> list[str]:
    """Return what is to be said of slices that labels leave out and the model sees heart in."""
    cavity = (seen == HeartPart.LV).sum(axis=(1, 2))
    left_out = (cavity > 0) & ~(given == HeartPart.LV).any(axis=(1, 2))
    share = float(cavity[left_out].sum()) / max(int(cavity.sum()), 1)
    if share <= _LEFT_OUT:
        return []
    which = ", ".join(str(z + 1) for z in np.flatnonzero(left_out))
    return [
        f"the labels leave out slice {which}, where the model sees {share:.0%} of the left "
        "ventricle: if it is there, volumes are too small"
    ]


def _ways(given: Labels) -> list[tuple[bool, tuple[int, ...]]]:
    """Return every other way to lay labels on the same grid: axes exchanged, axes reversed."""
    exchanges = (False, True) if given.shape[1] == given.shape[2] else (False,)
    reversals = list(product((1, -1), repeat=3))
    return [way for way in product(exchanges, reversals) if way != (False, (1, 1, 1))]


def _laid(given: Labels, exchanged: bool, way: tuple[int, ...]) -> Labels:
    laid = given.swapaxes(1, 2) if exchanged else given
    return np.flip(laid, tuple(axis for axis in range(3) if way[axis] < 0))


def _named(exchanged: bool, way: tuple[int, ...]) -> str:
    """Return a way in words, such as ``"rows and columns exchanged, slices reversed"``."""
    turned = [name for name, sign in zip(_REVERSED, way, strict=True) if sign < 0]
    said = ["rows and columns exchanged"] if exchanged else []
    said += [f"{' and '.join(turned)} reversed"] if turned else []
    return ", ".join(said)
