"""Fit the map from the template so that both maps, sampled as compositors do, undo each other.

Between its pixels a map is sampled linearly. The exact inverse is not linear there, least of all
where the field bends: a point of the frame then comes back beside itself. The fit moves the map by
what is missing, spread over the four pixels that each point was sampled from, some rounds long.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_ROUNDS: Final = 6
_DONE_PX: Final = 0.01


def fit_round_trip(
    positions: NDArray[np.float32],
    x: NDArray[np.floating],
    y: NDArray[np.floating],
    wanted: NDArray[np.floating],
) -> NDArray[np.float32]:
    """Fit a map to what is to be sampled from it.

    Args:
        positions: (2, h, w) the map: frame px.
        x: (N,) px of the map, where it is sampled.
        y: the same.
        wanted: (2, N) what is to be found there.

    Returns:
        (2, h, w): where nothing is sampled, as it was.
    """
    height, width = positions.shape[1:]
    x, y = x.clip(0, width - 1), y.clip(0, height - 1)  # beyond, a map stays as it is at its border
    left = np.minimum(x.astype(np.intp), width - 2)
    top = np.minimum(y.astype(np.intp), height - 2)
    across, down = x - left, y - top
    first = top * width + left
    corners = [
        (first, (1 - across) * (1 - down)),
        (first + 1, across * (1 - down)),
        (first + width, (1 - across) * down),
        (first + width + 1, across * down),
    ]
    total = sum(np.bincount(at, share, height * width) for at, share in corners)
    total = np.maximum(total, 1e-3)
    flat = positions.astype(np.float64).reshape(2, -1)
    for axis, target in zip(flat, wanted, strict=True):
        for _ in range(_ROUNDS):
            off = sum(share * axis[at] for at, share in corners) - target
            if np.abs(off).max() <= _DONE_PX:
                break
            spread = sum(np.bincount(at, share * off, height * width) for at, share in corners)
            axis -= spread / total
    return flat.reshape(positions.shape).astype(np.float32)
