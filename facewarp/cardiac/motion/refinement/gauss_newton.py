"""Gauss-Newton steps of a velocity on the agreement of part probabilities, both directions alike.

They minimize ``|parts(exp(+-v)) - wanted|^2``, beside what holds the motion where parts do not tell
it: each point to where it began, more so through the slices and along the wall.
"""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from facewarp.cardiac.motion.refinement.anatomy import along_wall, right_ventricle
from facewarp.cardiac.motion.refinement.settings import Level, Refinement
from facewarp.cardiac.motion.refinement.velocity import both_flows, box_splines
from facewarp.cardiac.parts import HeartPart
from facewarp.core.fields import central_differences, spline_field, warp
from facewarp.core.geometry import spatial_shape

_FIRST_PART: Final = int(HeartPart.RV)
_WALL: Final = HeartPart.MYOCARDIUM - _FIRST_PART


def match(
    velocity: Tensor,
    wanted: Tensor,
    parts: Tensor,
    level: Level,
    settings: Refinement,
    along: float = 0.0,
) -> Tensor:
    """Take Gauss-Newton steps of a velocity; return where they lead.

    Normal equations are smoothed by the B-splines' window, so that a step is the least-squares
    motion of all that lies in it.

    Args:
        velocity: ``(B, 3, d, h, w)``.
        wanted: ``(2 B, K, d, h, w)`` probabilities on the fixed images and then on the moving ones.
        parts: those of the images themselves, all fixed ones before all moving ones.
        level: the steps.
        settings: weights.
        along: weight of the motion along the wall before the first step.
    """
    if not level.steps:
        return velocity
    splines = box_splines(spatial_shape(velocity), level.window, 2)
    weights = torch.ones(parts.shape[1] - _FIRST_PART)
    weights[_WALL : _WALL + 1] = settings.wall
    scale = weights.sqrt().view(1, -1, 1, 1, 1)
    target = wanted[:, _FIRST_PART:] * scale
    source = parts[:, _FIRST_PART:].roll(len(velocity), 0) * scale
    start, across = velocity, central_differences(target)
    still = settings.still * (1 - settings.loose * right_ventricle(parts))
    held: Sequence[Tensor | float] = (level.prior, level.prior, level.prior + still)
    unseen = along * along_wall(parts, settings.along_blur) if along else None
    damping = [level.ridge + one for one in held]
    for _ in range(level.steps):
        pull, stiff = _normal_equations(
            target, warp(source, both_flows(velocity, level.squarings)), across
        )
        moved = velocity - start
        for axis, weight in enumerate(held):
            pull[:, axis] -= weight * moved[:, axis]
        if unseen is not None:
            xx, xy, yy = unseen.unbind(1)
            x, y = moved[:, :2].unbind(1)
            pull[:, :2] -= torch.stack([xx * x + xy * y, xy * x + yy * y], 1)
            stiff[:, [0, 1, 3]] += unseen
        smoothed = spline_field(torch.cat([pull, stiff], 1), splines)
        velocity = velocity + _solve(smoothed[:, 3:], smoothed[:, :3], damping)
    return velocity


def _normal_equations(
    target: Tensor, warped: Tensor, across: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return the normal equations of every point: what parts say of the velocity there.

    Args:
        target: ``(2 B, K, ...)`` probabilities that are wanted.
        warped: those that the velocity gives; written over.
        across: derivatives of `target` along x, y, z.

    Returns:
        The pull ``(B, 3, ...)``, and the symmetric matrices ``(B, 6, ...)`` as `_solve` takes them.
    """
    slope = [a.add_(b).mul_(0.5) for a, b in zip(central_differences(warped), across, strict=True)]
    missing = torch.sub(target, warped, out=warped)  # in place: two pairs at a time are large
    pull = torch.stack([_product(missing, one, -1.0) for one in slope], 1)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
    return pull, torch.stack([_product(slope[i], slope[j]) for i, j in pairs], 1)


def _product(one: Tensor, other: Tensor, moving: float = 1.0) -> Tensor:
    """Return the sum over parts and images of two arrays' products, ``(B, d, h, w)``.

    One part after the other: the products of all do not fit into the cache.

    Args:
        one: ``(2 B, K, d, h, w)``, of all fixed images before all moving ones.
        other: likewise.
        moving: weight of the moving images.
    """
    count = len(one) // 2
    total = torch.zeros_like(one[:count, 0])
    for image, weight in ((slice(count), 1.0), (slice(count, None), moving)):
        for part in range(one.shape[1]):
            total.addcmul_(one[image, part], other[image, part], value=weight)
    return total


def _solve(stiff: Tensor, pull: Tensor, damping: Sequence[Tensor | float]) -> Tensor:
    """Solve the symmetric 3 x 3 systems ``(S + damping) d = pull`` of every point.

    Args:
        stiff: ``(B, 6, ...)``: xx, xy, xz, yy, yz, zz.
        pull: ``(B, 3, ...)``.
        damping: added to the diagonal, along x, y, z, ``(B, ...)`` each or a number; positive, so
            that there is a solution.
    """
    xx, xy, xz, yy, yz, zz = stiff.unbind(1)
    xx, yy, zz = (one + more for one, more in zip((xx, yy, zz), damping, strict=True))
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    e, f, i = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * a + xy * b + xz * c
    px, py, pz = pull.unbind(1)
    rows = (a * px + b * py + c * pz, b * px + e * py + f * pz, c * px + f * py + i * pz)
    return torch.stack(rows, 1) / determinant[:, None]
