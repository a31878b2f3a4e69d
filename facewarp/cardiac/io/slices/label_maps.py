"""Volumes that hold labels, masks, probabilities or CT numbers instead of a picture of MR."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError

NEAR_WHOLE: Final = 1e-3
"""So far from a whole number an id may be stored."""

_FEW_VALUES: Final = 8  # labels have no more, pictures do
_EVERY: Final = 4  # pixel that is looked at first
_MOST_CLASSES: Final = 128
_AIR_HU: Final = (-1100.0, -700.0)  # air and lungs in CT
_AIR_SHARE: Final = 0.05  # of voxels that a chest's CT has of them at least
_AIR_VALUES: Final = 20  # different ones: a fill, which masks leave, is one value
_ONE: Final = 1e-2  # so far from 1 the probabilities of a voxel may add up


def has_few_values(data: NDArray[Any]) -> bool:
    """Whether a volume holds no more values than labels do; one value alone is nothing."""
    some = np.unique(data[..., ::_EVERY, ::_EVERY])
    return len(some) <= _FEW_VALUES and 1 < len(np.unique(data)) <= _FEW_VALUES


def refuse_labels(data: NDArray[np.float32], path: Path) -> None:
    """Refuse labels, masks and probabilities where a picture is wanted.

    Args:
        data: ``([T,] D, H, W)``.
        path: the file or folder, for the message.

    Raises:
        FacewarpError: it is no picture.
    """
    what = ""
    if has_few_values(data) and not np.any(np.rint(data) != data):
        values = ", ".join(f"{value:g}" for value in np.unique(data))
        what = f"these are labels, not a scan: the voxels hold {values} and nothing else"
    elif data.ndim == 4 and (classes := classes_of(data)) is not None:
        what = f"these are probabilities of {len(data)} classes, not a scan: they add up to 1"
        what = what if classes[1] else f"these are masks of {len(data)} parts, not a scan"
    if what:
        fix = "Give the scan itself. Labels of its end-diastole go to facewarp cine --labels."
        raise FacewarpError(what, path, fix)


def refuse_ct(data: NDArray[np.float32], path: Path) -> None:
    """Refuse Hounsfield units, which the networks know nothing of and magnitudes of MR never are.

    Args:
        data: ``([T,] D, H, W)``.
        path: the file or folder, for the message.

    Raises:
        FacewarpError: a part of the voxels holds the values of air and lungs in CT.
    """
    low, high = _AIR_HU
    some = data[..., ::_EVERY, ::_EVERY]
    air = some[(some >= low) & (some <= high)]
    if air.size < _AIR_SHARE * some.size or len(np.unique(air)) < _AIR_VALUES:
        return
    what = (
        f"this looks like CT: {air.size / some.size:.0%} of the voxels lie between {low:g} and "
        f"{high:g}, as air and lungs in Hounsfield units"
    )
    fix = "Give a magnitude cine of MR; take away the offset if this is one."
    raise FacewarpError(what, path, fix)


def classes_of(data: NDArray[Any]) -> tuple[NDArray[np.int32], bool] | None:
    """Ids of masks or probabilities, one class a volume, as one-hot files have them.

    Args:
        data: ``(C, D, H, W)``.

    Returns:
        Ids ``(D, H, W)``, 0 the class that fills most, or what no mask holds; the others in their
        order. And whether they are probabilities. None where the volumes are something else:
        neither do they add up to 1, nor are they masks that don't overlap.
    """
    if (
        not 2 <= len(data) <= _MOST_CLASSES
        or data.min() < -NEAR_WHOLE
        or data.max() > 1 + NEAR_WHOLE
    ):
        return None
    total = data.sum(axis=0, dtype=np.float64)
    soft = bool(np.abs(data - np.rint(data)).max() > NEAR_WHOLE)
    whole = bool(np.abs(total - 1).max() < _ONE)
    sizes = data.sum(axis=(1, 2, 3), dtype=np.float64)
    if not whole and (soft or total.max() > 1 + _ONE or np.count_nonzero(sizes > 0.5) < 2):
        return None
    ids = data.argmax(axis=0).astype(np.int32)
    if not whole:
        return np.where(total > 0.5, ids + 1, 0).astype(np.int32), soft
    background = int(sizes.argmax())
    order = [one for one in range(len(data)) if one != background]
    numbered = np.zeros(len(data), dtype=np.int32)
    numbered[order] = np.arange(1, len(data))
    return numbered[ids], soft
