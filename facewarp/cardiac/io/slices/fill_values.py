"""Voxels that hold no picture: a value far below or above all others, as masks and padding leave.

Models see grey values between the 1st and the 99th percentile: a fill of -1000 around a heart of 0
to 1300 would make tissue and blood look alike.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_SHARE: Final = 0.02  # of voxels that a fill has at least
_GAP: Final = 0.25  # of the range of the others, by which it lies apart from them
_EVERY: Final = 4  # pixel that the range is estimated from


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
