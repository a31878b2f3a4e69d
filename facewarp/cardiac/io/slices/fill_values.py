"""Voxels that hold no picture, or not their own value: fills, odd scales, 8 bits that ran over.

Models see grey values between the 1st and the 99th percentile: a fill of -1000 around a heart of 0
to 1300 would make tissue and blood look alike.
"""

import math
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.slices.label_maps import refuse_ct, refuse_labels

_SHARE: Final = 0.02  # of voxels that a fill has at least
_GAP: Final = 0.25  # of the range of the others, by which it lies apart from them
#: Share of the change from pixel to pixel that is gone once values go on after 255 with 0: 0.039 at
#: most in 70 patients of ACDC brought to 8 bits; 0.071 at least in 24 of them cut to 8 bits.
_WRAPPED: Final = 0.06
_BITS: Final = (8, 16)
_NEAR_END: Final = (
    32  # of the range of so many bits, of which values that ran over fill all but one
)
_LEVELS: Final = (0.5, 0.75, 0.95)  # quantiles of a picture by which its scale is told
#: Times those of the pictures beside it, from which a picture is of another scale: by its 95th
#: percentile 1.19 at most in slices of ACDC's 100 patients, 1.12 between their ED and ES.
_OTHER_SCALE: Final = 1.5
_MOST_ODD: Final = 0.4  # share of pictures of another scale
_LEAST_BESIDE: Final = 3  # phases, of which one may differ from the others
_BRIGHT: Final = 0.99  # share of the voxels that are darker than those that tell the scale
_SMALL: Final = 1e-3  # of bright voxels, which tests and squares of 32 bits may pass over
_LARGE: Final = 1e9
_USUAL_BITS: Final = 12  # of values that are scaled
_EVERY: Final = 4  # pixel that the range is estimated from


def as_picture(data: NDArray[np.float32], place: Path) -> tuple[NDArray[np.float32], list[str]]:
    """Return values as a picture of MR that the networks see as they were trained to.

    Args:
        data: ``([T,] D, H, W)``.
        place: the file or folder, for messages.

    Returns:
        The data without fill values and at a usual scale, and what is to be said of it.

    Raises:
        FacewarpError: these are labels, or the numbers of CT.
    """
    refuse_labels(data, place)
    refuse_ct(data, place)
    filled, about_fill = without_fill(data)
    scaled, about_scale = in_range(filled)
    overrun = about_overrun(scaled.reshape(-1, *scaled.shape[-3:]))
    return scaled, [text for text in (about_fill, about_scale, overrun) if text]


def without_fill(data: NDArray[np.float32]) -> tuple[NDArray[np.float32], str]:
    """Give voxels of a fill value the darkest value of the others.

    Args:
        data: ``([T,] D, H, W)``.

    Returns:
        The data, the same array where there is no fill, and what is to be said; "" for nothing.
    """
    for fill, outer in ((float(data.min()), np.less), (float(data.max()), np.greater)):
        filled = data == fill
        share = np.count_nonzero(filled) / data.size
        if not _SHARE <= share < 1:
            continue
        some = data[..., ::_EVERY, ::_EVERY]
        others = some[some != fill]
        if not others.size:
            continue
        low, high = np.percentile(others, (1, 99)).tolist()
        nearest = float(data.max(where=~filled, initial=-np.inf))
        if outer is np.less:
            nearest = float(data.min(where=~filled, initial=np.inf))
        if high > low and abs(nearest - fill) > _GAP * (high - low):
            dark = float(data.min(where=~filled, initial=np.inf))
            told = (
                f"{100 * share:.0f} % of the voxels hold {fill:g}, far from all others ({dark:g} "
                f"to {data.max(where=~filled, initial=-np.inf):g}): they are taken as no picture"
            )
            return np.where(filled, np.float32(dark), data), told
    return data, ""


def in_range(data: NDArray[np.float32]) -> tuple[NDArray[np.float32], str]:
    """Scale values by a power of two where their squares would leave the range of 32 bits.

    Headers may have any slope. What is computed of gray values does not depend on their scale.

    Args:
        data: ``([T,] D, H, W)``.

    Returns:
        The data, the same array where they are of a usual size, and what is to be said; "" for
        nothing.
    """
    usual = float(np.quantile(np.abs(data[..., ::_EVERY, ::_EVERY]), _BRIGHT))  # of no stray value
    if usual == 0 or _SMALL <= usual <= _LARGE:
        return data, ""
    power = _USUAL_BITS - math.frexp(usual)[1]
    said = f"values are of the size of {usual:.2g}: they are taken 2^{power} times as large"
    return np.ldexp(data, power), said


def of_one_scale(data: NDArray[np.float32]) -> tuple[NDArray[np.float32], str]:
    """Bring phases and slices that were stored at scales of their own to that of the others.

    Programs that scale each file by itself make them. Of the same tissue all brightnesses of such
    a picture are as many times those of the pictures beside it.

    Args:
        data: ``(T, D, H, W)``.

    Returns:
        The data, the same array where all are of one scale, and what is to be said; "" for nothing.
    """
    small = data[..., ::_EVERY, ::_EVERY]
    levels = np.quantile(small, _LEVELS, axis=(2, 3)).astype(np.float64)  # (3, T, D)
    if data.min() < 0 or levels.min(axis=(1, 2))[0] <= 0 or len(data) < _LEAST_BESIDE:
        return data, ""
    phases = _scale(np.median(levels / np.median(levels, axis=1, keepdims=True), axis=2))
    usual = np.median(levels, axis=1)  # (3, D)
    beside = [np.median(usual[:, max(0, z - 2) : z + 3], axis=1) for z in range(usual.shape[1])]
    slices = _scale(usual / np.stack(beside, axis=1))
    factors = phases[:, None] * slices
    if (factors == 1).all():
        return data, ""
    told = []
    for name, found in (("phase", phases), ("slice", slices)):
        which = [f"{at + 1} ({found[at]:.2g} times)" for at in np.flatnonzero(found != 1)]
        told += [f"{name} {', '.join(which)}"] if which else []
    said = f"gray values of {' and '.join(told)} are of another scale than those of the others"
    alike = np.asarray(data / np.asarray(factors, np.float32)[..., None, None], dtype=np.float32)
    return alike, f"{said}: they are brought to one"


def _scale(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many times as bright pictures are, by three brightnesses ``(3, N)``; 1 if usual.

    What differs in its bright pixels alone shows something else; it has no other scale. Where many
    differ there is no usual one.
    """
    least, most = ratios.min(axis=0), ratios.max(axis=0)
    other = ((least > _OTHER_SCALE) | (most < 1 / _OTHER_SCALE)) & (most < _OTHER_SCALE * least)
    return np.where(other & (other.mean() < _MOST_ODD), np.median(ratios, axis=0), 1.0)


def about_overrun(data: NDArray[np.float32]) -> str:
    """Return what is to be said of values that were cut to 8 or 16 bits, so that 256 became 0.

    From one pixel to the next such values jump by nearly the whole range where there is no edge.

    Args:
        data: ``(T, D, H, W)``.
    """
    low, high = float(data.min()), float(data.max())
    cut = next(((bits, one) for bits in _BITS for one in _starts(bits, low, high)), None)
    first = data[0]
    if cut is None or not np.array_equal(first, np.rint(first)):
        return ""
    (bits, start), count = cut, 2.0 ** cut[0]
    steps = [np.abs(np.diff(first, axis=axis))[_of_pairs(first < high, axis)] for axis in (1, 2)]
    all_steps = np.concatenate(steps).astype(np.float64)
    going_on = np.minimum(all_steps, count - all_steps)
    saved = 1 - float(going_on.sum()) / max(float(all_steps.sum()), 1.0)
    if saved <= _WRAPPED:
        return ""
    fix = "write the scan with 16 bits" if bits == 8 else "read the values as unsigned"
    return (
        f"values lie between {low:g} and {high:g} and jump from one end to the other where there "
        f"is no edge: they seem to have been cut to {bits} bits, so that {start + count:g} became "
        f"{start:g}; {fix}, or scale it"
    )


def _starts(bits: int, low: float, high: float) -> list[int]:
    """Return the lowest value that so many bits can hold, signed or not, if a range fills them."""
    count = 1 << bits
    near = count / _NEAR_END
    return [
        start
        for start in (0, -count // 2)
        if 0 <= low - start < near and 0 <= start + count - 1 - high < near
    ]


def _of_pairs(kept: NDArray[np.bool_], axis: int) -> NDArray[np.bool_]:
    """Which neighbors along an axis are both kept: not those where bright tissue is cut off."""
    along = np.moveaxis(kept, axis, 0)
    return np.moveaxis(along[1:] & along[:-1], 0, axis)
