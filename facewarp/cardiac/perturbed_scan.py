"""Perturbed copies of a cine: what another scan of the same heart could have looked like."""

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.volume import Volume

_SHIFT_PX: Final = 0.5  # a slice plane is shifted by so much at most, in x and y
_GAMMA: Final = 0.1  # standard deviation of the logarithm of a change of contrast
_COIL: Final = 0.15  # by how much brightness changes from the middle of the picture to its edge
_EXTRA_NOISE: Final = 0.7  # of the scan's own noise, added in quadrature
_MAD: Final = 0.6745  # of a normal distribution of standard deviation 1
_LAPLACIAN: Final = np.array([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]])
_LAPLACIAN_SD: Final = 6.0  # of its response to noise of standard deviation 1


def perturbed(volume: Volume, rng: np.random.Generator) -> Volume:
    """Return a cine shifted by parts of a pixel, with other contrast, shading and more noise.

    The shift is one for the whole cine; its affine is left, so that the copy is only fit for what
    does not depend on place, such as strain.

    Args:
        volume: ``(T, D, H, W)``.
        rng: of the perturbation.
    """
    data = volume.data.astype(np.float32)
    _, _, height, width = data.shape
    noise = noise_level(data)
    down, across = rng.uniform(-_SHIFT_PX, _SHIFT_PX, 2)
    shifted = ndimage.shift(data, (0, 0, down, across), order=3, mode="nearest")
    low, high = np.percentile(data, (1, 99)).astype(np.float32)
    if high <= low:
        return volume
    gray = np.maximum((shifted - low) / (high - low), 0) ** np.exp(rng.normal(0, _GAMMA))
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    way = rng.uniform(0, 2 * np.pi)
    gain = np.exp(_COIL * rng.uniform(-1, 1) * (np.cos(way) * x + np.sin(way) * y))
    extra = rng.normal(0, _EXTRA_NOISE * noise, data.shape)
    changed = low + (high - low) * gray * gain + extra
    return replace(volume, data=np.asarray(changed, dtype=np.float32))


def noise_level(data: NDArray[np.floating]) -> float:
    """Estimate the standard deviation of a cine's noise, by the median of Immerkaer's mask.

    J. Immerkaer, Fast noise variance estimation, CVIU 64(2), 1996; over slices ``(..., H, W)``.
    """
    response = ndimage.convolve(data, _LAPLACIAN.reshape(*[1] * (data.ndim - 2), 3, 3))
    return float(np.median(np.abs(response))) / (_MAD * _LAPLACIAN_SD)
