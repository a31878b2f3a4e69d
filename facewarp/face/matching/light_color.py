"""Color of the light and saturation of a frame, from its skin and its average.

The light is estimated as a chromaticity, the logarithms of red and blue over green in linear
values. Skin of every tone lies near one place, and so does the average of a frame (Buchsbaum 1980,
the gray-world assumption); how far both vary, and how colored the light usually is, weighs them
against each other: the maximum a posteriori estimate of normal distributions, along the axis from
blue to warm light and along that from magenta to green. Means and spreads of skin were measured on
500 portraits (docs/decisions/0129-paint-in-the-light-of-the-frame.md).
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Chroma = NDArray[np.float64]
"""(2,): how warm and how green, see `chroma`."""

LUMA: Final = (0.299, 0.587, 0.114)
LINEAR: Final = ((np.arange(256) / 255) ** 2.2).astype(np.float32)
"""Linear value of an 8-bit code."""

_SKIN: Final = np.array([0.74, 0.16])  # mean chroma in neutral light
_SKIN_SPREAD: Final = np.array([0.20, 0.12])
_AVERAGE: Final = np.array([0.23, 0.06])  # of a frame with a face in it
_AVERAGE_SPREAD: Final = np.array([0.35, 0.25])
_LIGHT_SPREAD: Final = np.array([0.25, 0.10])
_FARTHEST: Final = 2.5  # spreads at which evidence counts as an outlier and no more
_MOST: Final = np.array([0.6, 0.2])  # chroma of a light that is believed
_NATURAL: Final = 0.28  # spread of colors in a frame that is as saturated as usual
_LEAST_KEPT: Final = 0.15


def chroma(linear: NDArray[np.floating]) -> Chroma:
    """Return the chroma (warm, green) of a linear RGB value (3,): 0, 0 for gray.

    Green is negative, magenta positive.
    """
    red, green, blue = np.log(np.maximum(linear, 1e-4))
    return np.array([red - blue, red + blue - 2 * green]) / np.sqrt(2)


def light_gains(skin: Chroma, average: Chroma, saturation: float) -> NDArray[np.float64]:
    """Estimate the light's color.

    Args:
        skin: chroma of the face's skin.
        average: chroma of the frame's mean.
        saturation: 0..1 of the frame: skin of a pale grade is not in a blue light.

    Returns:
        (3,) factors for the 8-bit codes of a picture seen in neutral light; they leave the
        brightness of gray as it is.
    """
    evidence = np.zeros(2)
    weight = 1 / _LIGHT_SPREAD**2
    for seen, usual, spread in (
        (skin, _SKIN, _SKIN_SPREAD),
        (average, _AVERAGE, _AVERAGE_SPREAD),
    ):
        apart = np.clip((seen - saturation * usual) / spread, -_FARTHEST, _FARTHEST)
        evidence += apart / spread
        weight = weight + 1 / spread**2
    warm, green = np.clip(evidence / weight, -_MOST, _MOST) / np.sqrt(2)
    # warm = red - blue and green = red + blue - 2 green, over the root of 2
    log_gain = np.array([warm + green / 3, -2 * green / 3, -warm + green / 3]) / 2.2
    gains = np.exp(log_gain)
    return np.asarray(gains / (gains @ LUMA))


def kept_saturation(thumbnail: NDArray[np.uint8]) -> float:
    """Return the share of its saturation that paint keeps, by how far a frame's colors spread.

    The 90th percentile of the distance of colors, over their brightness, from the median one: a
    frame graded to gray has little, whatever tint all of it has.

    Args:
        thumbnail: (h, w, 3) uint8 RGB of the whole frame.
    """
    pixels = thumbnail.reshape(-1, 3).astype(np.float32)
    luma = pixels @ np.array(LUMA, np.float32)
    known = (luma > 24) & (pixels.max(axis=1) < 250)
    if known.sum() < 16:
        return 1.0
    color = (pixels[known][:, [0, 2]] - pixels[known][:, 1:2]) / luma[known, None]
    spread = np.linalg.norm(color - np.median(color, axis=0), axis=1)
    return float(np.clip(np.percentile(spread, 90) / _NATURAL, _LEAST_KEPT, 1))
