"""Baseline: LCC-demons, symmetric log-domain demons driven by local correlation.

Lorenzi, Ayache, Frisoni, Pennec, LCC-Demons: A robust and accurate symmetric diffeomorphic
registration algorithm, NeuroImage 81, 2013. SimpleITK's demons use differences of gray values
alone, so force, velocities and their exponential are implemented here.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.core.fields import exponential, warp
from facewarp.core.geometry import resize_field, resize_image
from facewarp.errors import FacewarpError
from facewarp.training.baselines.hearts.local_correlation import (
    Window,
    gaussian_window,
    smooth,
    squarings_for,
)

_FEWEST = 8  # voxels that an axis keeps on a coarse level
_FLAT = 1e-4  # variance, of grey values in [0, 1], below which nothing is to be seen


@dataclass(frozen=True)
class DemonsSettings:
    """Settings of the iterations.

    Attributes:
        levels: factor of each level's grid spacing, coarsest first.
        iterations: on each level, at most.
        window_mm: standard deviation of the Gaussian window of the correlation.
        update_mm: of the smoothing of each step (fluid).
        velocity_mm: of the smoothing of velocities after each step (elastic).
        step_vox: longest step, voxels of the level's grid, where images correlate fully.
        patience: iterations without a better correlation before a level ends.
    """

    levels: tuple[int, ...] = (4, 2)
    iterations: tuple[int, ...] = (60, 40)
    window_mm: float = 6.0
    update_mm: float = 4.0
    velocity_mm: float = 2.0
    step_vox: float = 0.75
    patience: int = 6


def lcc_demons(
    fixed: NDArray[np.float32],
    moving: NDArray[np.float32],
    spacing_mm: Sequence[float],
    settings: DemonsSettings | None = None,
) -> Tensor:
    """Register two volumes: stationary velocities, whose exponential is the field.

    Args:
        fixed: ``(D, H, W)`` grey values in [0, 1].
        moving: the same.
        spacing_mm: of the grid, along x, y, z.
        settings: of the iterations.

    Returns:
        ``(1, 3, D, H, W)`` voxels a unit of time, channels x, y, z. ``exp(v)`` points from fixed
        into moving, ``exp(-v)`` from moving into fixed (`velocity_field`).

    Raises:
        FacewarpError: the volumes differ in shape, or are not finite.
    """
    settings = settings or DemonsSettings()
    if fixed.shape != moving.shape or fixed.ndim != 3:
        what = f"volumes of {fixed.shape} and {moving.shape} voxels can't be registered"
        raise FacewarpError(what, fix="Lay both on one grid (D, H, W).")
    if not (np.isfinite(fixed).all() and np.isfinite(moving).all()):
        raise FacewarpError("a volume holds values that are no numbers", "demons")
    pair = [torch.from_numpy(np.ascontiguousarray(v))[None, None].float() for v in (fixed, moving)]
    shape = fixed.shape
    velocity = torch.zeros(1, 3, *[max(1, n // settings.levels[0]) for n in shape])
    steps_mm = np.asarray(spacing_mm, dtype=np.float64)[::-1]  # z, y, x
    for level, iterations in zip(settings.levels, settings.iterations, strict=True):
        factors = [
            _factor(n, level, mm, steps_mm.min()) for n, mm in zip(shape, steps_mm, strict=True)
        ]
        small = [round(n / f) for n, f in zip(shape, factors, strict=True)]
        spacing = [mm * n / s for mm, n, s in zip(steps_mm, shape, small, strict=True)]
        size = (small[0], small[1], small[2])
        velocity = resize_field(velocity, size)
        a, b = (_shrunk(one, size, factors) for one in pair)
        velocity = _level(a, b, velocity, spacing, iterations, settings)
    return resize_field(velocity, (shape[0], shape[1], shape[2]))


def velocity_field(velocity: Tensor) -> Tensor:
    """Return ``exp(v)``, with squarings that keep the first step below half a voxel."""
    return exponential(velocity, squarings_for(velocity))


def _level(
    fixed: Tensor,
    moving: Tensor,
    velocity: Tensor,
    spacing_mm: Sequence[float],
    iterations: int,
    settings: DemonsSettings,
) -> Tensor:
    """Run the iterations of a level; return the velocities of the best correlation."""
    shape = fixed.shape[2:]

    def window(mm: float) -> Window:
        return gaussian_window(shape, [mm / one for one in spacing_mm])

    near, fluid, elastic = (
        window(mm) for mm in (settings.window_mm, settings.update_mm, settings.velocity_mm)
    )
    best, best_velocity, since = -1.0, velocity, 0
    for _ in range(iterations + 1):
        ahead, back = velocity_field(velocity / 2), velocity_field(-velocity / 2)
        update, alike = correlation_force(
            warp(fixed, back), warp(moving, ahead), near, settings.step_vox
        )
        if alike > best + 1e-5:
            best, best_velocity, since = alike, velocity, 0
        else:
            since += 1
            if since >= settings.patience:
                break
        velocity = smooth(velocity + smooth(update, fluid), elastic)
    return best_velocity


def correlation_force(
    fixed: Tensor, moving: Tensor, window: Window, step_vox: float
) -> tuple[Tensor, float]:
    """Return the step that raises the local correlation of two images halfway to each other.

    With F and M the images less their local means and G the window's mean, the gradient of
    ``log rho^2``, ``rho^2 = G(FM)^2 / (G(FF) G(MM))``, as M moves by u/2 and F by -u/2, is

        L = G(F dM - M dF) / G(FM) + G(F dF) / G(FF) - G(M dM) / G(MM),

    and the step ``2 L / (|L|^2 + 1 / (rho step)^2)``, never longer than ``rho step``.

    Args:
        fixed: ``(1, 1, D, H, W)``.
        moving: the same.
        window: of the correlation.
        step_vox: the longest step.

    Returns:
        The step ``(1, 3, D, H, W)`` voxels, and the mean squared correlation where both images
        show something.
    """
    f, m = fixed - smooth(fixed, window), moving - smooth(moving, window)
    slope_f, slope_m = _slopes(f), _slopes(m)
    means = smooth(torch.cat([f * m, f * f, m * m], dim=1), window)
    cross, square_f, square_m = means.split(1, dim=1)
    seen = (square_f > _FLAT) & (square_m > _FLAT) & (cross > 0)
    rho2 = torch.where(seen, cross.square() / (square_f * square_m).clamp(min=1e-12), 0.0)
    floor = torch.finfo(f.dtype).eps
    towards = smooth(
        torch.cat([f * slope_m - m * slope_f, f * slope_f, m * slope_m], dim=1), window
    )
    mixed, own_f, own_m = towards.split(3, dim=1)
    push = mixed / cross.clamp(min=floor)
    push = push + own_f / square_f.clamp(min=floor) - own_m / square_m.clamp(min=floor)
    push = torch.where(seen, push, 0.0)
    bound = 1 / (rho2 * step_vox**2).clamp(min=1e-6)
    update = 2 * push / (push.square().sum(1, keepdim=True) + bound)
    return update, float(rho2[seen].mean()) if seen.any() else 0.0


def _slopes(image: Tensor) -> Tensor:
    """Return central differences ``(1, 3, D, H, W)`` along x, y, z."""
    return torch.cat([torch.gradient(image, dim=axis)[0] for axis in (4, 3, 2)], dim=1)


def _factor(n: int, level: int, mm: float, finest: float) -> float:
    """Return the factor of an axis: thick slices stay until the others are as coarse."""
    wanted = max(1.0, level * finest / mm)
    return max(1.0, min(wanted, n / _FEWEST))


def _shrunk(image: Tensor, size: tuple[int, int, int], factors: Sequence[float]) -> Tensor:
    """Downsample an image to a coarser grid, smoothed before by half of its spacing."""
    sigma = [0.5 * f if f > 1 else 0.0 for f in factors]
    return resize_image(smooth(image, gaussian_window(image.shape[2:], sigma)), size)
