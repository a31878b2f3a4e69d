"""Stationary velocity fields of pairs: fitted to fields, integrated both ways, kept from folding.

Convention
    A velocity is ``(B, 3, d, h, w)`` voxels of its own grid. Tensors of both sides of the pairs are
    ``(2 B, ...)``: all of one direction, or all fixed images, before all of the other.
"""

from functools import lru_cache

import torch
from torch import Tensor

from facewarp.cardiac.motion.refinement.settings import Refinement
from facewarp.core.fields import exponential, smallest_jacobian, spline_field, spline_matrix
from facewarp.core.geometry import Shape, spatial_shape


def fit_velocity(found: Tensor, background: Tensor, settings: Refinement) -> Tensor:
    """Fit the stationary velocity field whose flows are nearest to two directions' fields.

    Each direction counts where its fixed image shows the heart: what a field says of background
    that becomes heart nothing holds.

    Args:
        found: ``(2 B, 3, d, h, w)`` voxels, all of one direction before all of the other.
        background: ``(2 B, d, h, w)`` probability of background in their fixed images.
        settings: windows and numbers of steps.

    Returns:
        ``(B, 3, d, h, w)`` voxels.
    """
    shape, squarings = spatial_shape(found), settings.coarse.squarings
    along, through = (
        box_splines(shape, box, 1) for box in (settings.fit_window, settings.through_window)
    )
    one, other = (1 - background[:, None] + settings.background).chunk(2)
    share = one / (one + other)

    def mean(fields: Tensor) -> Tensor:
        out, back = fields.chunk(2)
        both = out * share - back * (1 - share)
        return torch.cat([spline_field(both[:, :2], along), spline_field(both[:, 2:], through)], 1)

    velocity = mean(found)
    for _ in range(settings.fits):
        velocity = velocity + mean(found - both_flows(velocity, squarings))
    return velocity


def both_flows(velocity: Tensor, squarings: int) -> Tensor:
    """Integrate both directions: ``(2 B, 3, ...)``, ``exp(v)`` before ``exp(-v)``."""
    return exponential(torch.cat([velocity, -velocity]), squarings, midpoint=True)


def without_folds(velocity: Tensor, squarings: int, settings: Refinement) -> tuple[Tensor, Tensor]:
    """Return the velocity smoothed around cells that would fold in either flow, and both flows."""
    splines = box_splines(spatial_shape(velocity), (3, 3, 3), 1)
    velocity = velocity.clone()
    flows = both_flows(velocity, squarings)
    left = torch.arange(len(velocity))  # the pairs that may still fold
    for _ in range(settings.repairs):
        both = torch.cat([left, left + len(velocity)])
        folded = (smallest_jacobian(flows[both]) < settings.least_jacobian).float()[:, None]
        one, other = folded.chunk(2)
        near = torch.maximum(one, other)
        bad = near.amax(dim=(1, 2, 3, 4)) > 0
        if not bad.any():
            break
        left = left[bad]
        mask = spline_field(torch.nn.functional.max_pool3d(near[bad], 3, 1, 1), splines)
        velocity[left] += mask * (spline_field(velocity[left], splines) - velocity[left])
        flows[torch.cat([left, left + len(velocity)])] = both_flows(velocity[left], squarings)
    return velocity, flows


@lru_cache(maxsize=64)
def box_splines(shape: Shape, window: tuple[int, ...], passes: int) -> list[Tensor]:
    """Return B-splines with a control point a voxel, along z, y, x; none for a box of 1 along z."""
    axes = list(zip(shape, window, strict=True))
    with torch.inference_mode(False):  # they outlive this call
        return [spline_matrix(n, n, box, passes) for n, box in axes[window[0] == 1 :]]
