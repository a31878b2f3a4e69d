"""Grain: measure a frame's noise, and make some like it."""

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 8
_SMOOTHEST: Final = 20  # percentile of the blocks, which have hardly any texture of their own
_OF_ALL: Final = 1.12  # noise over that of the smoothest blocks, as white noise has it
_LEAST: Final = 0.8  # levels, below which a frame has none: rounding alone has 0.3
_TILE: Final = 509  # px; a prime, so that no frame's width repeats it
_SOFT_PX: Final = 0.45  # what demosaicing and codecs blur it
_KERNEL: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
SCALE: Final = 32
"""Levels of a tile of grain for a standard deviation of one."""


def noise_level(gray: NDArray[np.uint8]) -> float:
    """Estimate the standard deviation of the noise in a picture (h, w), in levels.

    By the difference of two Laplacians, which edges and slopes leave at 0 (Immerkaer, Fast noise
    variance estimation, 1996), in the smoothest of its blocks.

    Returns:
        0 where it is too low to be seen.
    """
    rows, columns = (size // _BLOCK for size in gray.shape)
    if rows * columns < 8:
        return 0.0
    detail = cv2.filter2D(gray, cv2.CV_32F, _KERNEL)[: rows * _BLOCK, : columns * _BLOCK]
    size = (columns, rows)
    squares = cv2.resize(detail * detail, size, interpolation=cv2.INTER_AREA)
    means = cv2.resize(detail, size, interpolation=cv2.INTER_AREA)
    spread = np.sqrt(np.maximum(squares - means * means, 0))
    level = _OF_ALL * float(np.percentile(spread, _SMOOTHEST))
    return level if level >= _LEAST else 0.0


def grain(shape: tuple[int, int], seed: int) -> NDArray[np.uint8]:
    """Return grain (h, w): 128 plus `SCALE` times noise of mean 0 and deviation 1.

    Args:
        shape: height and width.
        seed: the same gives the same, another one other grain.
    """
    starts = np.random.default_rng(seed).integers(_TILE, size=2)
    rows, columns = (
        (start + np.arange(size)) % _TILE for start, size in zip(starts, shape, strict=True)
    )
    return _tile()[np.ix_(rows, columns)]


@lru_cache(maxsize=1)
def _tile() -> NDArray[np.uint8]:
    white = np.random.default_rng(0).normal(size=(_TILE, _TILE)).astype(np.float32)
    soft = cv2.GaussianBlur(white, (0, 0), _SOFT_PX, borderType=cv2.BORDER_REFLECT)
    soft *= SCALE / soft.std()
    return np.rint(128 + soft).clip(0, 255).astype(np.uint8)
