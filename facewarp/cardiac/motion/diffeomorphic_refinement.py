"""Diffeomorphic refinement: one stationary velocity field for both directions of a pair.

The network predicts the two directions of a pair independently. Here one velocity field ``v``
gives both, ``exp(v)`` and ``exp(-v)``, so that each is the other's inverse. It is fitted to the
network's two fields (their logarithm), improved by a few Gauss-Newton steps on the agreement of
part probabilities in both directions at once (symmetric log-domain registration, Vercauteren et
al., MICCAI 2008), and smoothed where a cell of the grid would fold (digital diffeomorphism, Liu et
al., IJCV 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from facewarp.cardiac.parts import HeartPart
from facewarp.core.fields import (
    exponential,
    smallest_jacobian,
    spline_field,
    spline_matrix,
    warp,
)
from facewarp.core.geometry import resize_image, spatial_shape

_FIRST_PART: Final = int(HeartPart.RV)


@dataclass(frozen=True)
class Refinement:
    """Settings of the refinement; lengths are in voxels of the field's grid.

    Attributes:
        steps: Gauss-Newton steps.
        fits: fixed-point steps from the network's two fields to their velocity.
        squarings: of the exponential.
        window: box widths along z, y, x of the B-splines that the steps move.
        fit_window: likewise of those that the velocity is fitted with.
        ridge: squared gradient of a probability below which nothing tells a point's motion.
        prior: weight of the network's motion in a step, in the ridge's unit.
        own: share of the fixed image's own parts in what is matched; the rest are moving's parts
            as the network's field carries them.
        background: weight, in the fit, of a field where its fixed image has no heart.
        least_jacobian: a smaller determinant of any cell's corner counts as a fold.
        repairs: smoothing rounds against folds, at most.
    """

    steps: int = 4
    fits: int = 2
    squarings: int = 5
    window: tuple[int, int, int] = (3, 3, 3)
    fit_window: tuple[int, int, int] = (1, 3, 3)
    ridge: float = 0.02
    prior: float = 0.1
    own: float = 0.5
    background: float = 0.2
    least_jacobian: float = 0.02
    repairs: int = 12


@torch.inference_mode()
def refine(
    fixed: Tensor, moving: Tensor, out: Tensor, back: Tensor, settings: Refinement | None = None
) -> tuple[Tensor, Tensor]:
    """Refine the network's fields of both directions into one invertible motion.

    Args:
        fixed: part probabilities ``(B, K, d, h, w)`` of the fixed images, on the fields' grid or
            another that covers the same place.
        moving: of the moving images.
        out: ``(B, 3, d, h, w)`` voxels of the grid, defined on fixed, pointing into moving.
        back: the other direction.
        settings: by default `Refinement`'s.

    Returns:
        The two directions, ``exp(v)`` and ``exp(-v)``.
    """
    told = settings or Refinement()
    shape = spatial_shape(out)
    count = len(out)
    parts = torch.cat([resize_image(one, shape) for one in (fixed, moving)])
    found = torch.cat([out, back])
    velocity = fit_velocity(found, parts[:, HeartPart.BACKGROUND], told)
    target = parts[:, _FIRST_PART:]
    source = target.roll(count, 0)
    target = told.own * target + (1 - told.own) * warp(source, found)
    velocity = _match(velocity, target, source, told)
    both = _without_folds(velocity, told)
    return both[:count], both[count:]


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
    splines = _splines(spatial_shape(found), settings.fit_window, 1)
    one, other = (1 - background[:, None] + settings.background).chunk(2)
    share = one / (one + other)

    def mean(fields: Tensor) -> Tensor:
        out, back = fields.chunk(2)
        return spline_field(out * share - back * (1 - share), splines)

    velocity = mean(found)
    for _ in range(settings.fits):
        velocity = velocity + mean(found - _flows(velocity, settings))
    return velocity


def _match(velocity: Tensor, target: Tensor, source: Tensor, settings: Refinement) -> Tensor:
    """Take Gauss-Newton steps on ``|source(exp(+-v)) - target|^2`` of both directions.

    Normal equations are smoothed by the B-splines' window, so that a step is the least-squares
    motion of all that lies in it.
    """
    splines = _splines(spatial_shape(velocity), settings.window, 2)
    start, across = velocity, _gradient(target)
    damping = settings.ridge + settings.prior
    for _ in range(settings.steps):
        warped = warp(source, _flows(velocity, settings))
        slope = [(a + b) / 2 for a, b in zip(_gradient(warped), across, strict=True)]
        missing = target - warped
        pulls = [(missing * one).sum(1) for one in slope]
        pull = torch.stack([a - b for a, b in (p.chunk(2) for p in pulls)], 1)
        pull = pull - settings.prior * (velocity - start)
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        stiff = torch.stack([(slope[i] * slope[j]).sum(1) for i, j in pairs], 1)
        stiff = stiff[: len(velocity)] + stiff[len(velocity) :]
        smoothed = spline_field(torch.cat([pull, stiff], 1), splines)
        velocity = velocity + _solve(smoothed[:, 3:], smoothed[:, :3], damping)
    return velocity


def _without_folds(velocity: Tensor, settings: Refinement) -> Tensor:
    """Return both flows, the velocity smoothed around cells that would fold in either."""
    splines = _splines(spatial_shape(velocity), (3, 3, 3), 1)
    flows = _flows(velocity, settings)
    for _ in range(settings.repairs):
        folded = (smallest_jacobian(flows) < settings.least_jacobian).float()[:, None]
        one, other = folded.chunk(2)
        near = torch.nn.functional.max_pool3d(torch.maximum(one, other), 3, 1, 1)
        bad = near.amax(dim=(1, 2, 3, 4)) > 0
        if not bad.any():
            break
        mask = spline_field(near[bad], splines)
        velocity[bad] += mask * (spline_field(velocity[bad], splines) - velocity[bad])
        flows[bad.repeat(2)] = _flows(velocity[bad], settings)
    return flows


def _flows(velocity: Tensor, settings: Refinement) -> Tensor:
    """Integrate both directions: ``(2 B, 3, ...)``, ``exp(v)`` before ``exp(-v)``."""
    return exponential(torch.cat([velocity, -velocity]), settings.squarings)


def _gradient(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return derivatives along x, y, z of ``(B, K, d, h, w)`` by central differences."""
    z, y, x = torch.gradient(values, dim=(2, 3, 4))
    return x, y, z


def _solve(stiff: Tensor, pull: Tensor, damping: float) -> Tensor:
    """Solve the symmetric 3 x 3 systems ``(S + damping) d = pull`` of every point.

    Args:
        stiff: ``(B, 6, ...)``: xx, xy, xz, yy, yz, zz.
        pull: ``(B, 3, ...)``.
        damping: added to the diagonal; positive, so that there is a solution.
    """
    xx, xy, xz, yy, yz, zz = stiff.unbind(1)
    xx, yy, zz = xx + damping, yy + damping, zz + damping
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    e, f, i = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * a + xy * b + xz * c
    px, py, pz = pull.unbind(1)
    rows = (a * px + b * py + c * pz, b * px + e * py + f * pz, c * px + f * py + i * pz)
    return torch.stack(rows, 1) / determinant[:, None]


def _splines(shape: Sequence[int], window: Sequence[int], passes: int) -> list[Tensor]:
    """Return B-splines with a control point a voxel, along z, y, x."""
    return [spline_matrix(n, n, box, passes) for n, box in zip(shape, window, strict=True)]
