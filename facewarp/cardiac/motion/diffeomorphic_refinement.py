"""Diffeomorphic refinement: one stationary velocity field for both directions of a pair.

The network predicts the two directions of a pair independently. Here one velocity field ``v``
gives both, ``exp(v)`` and ``exp(-v)``, so that each is the other's inverse. It is fitted to the
network's two fields (their logarithm), improved by a few Gauss-Newton steps on the agreement of
part probabilities in both directions at once (symmetric log-domain registration, Vercauteren et
al., MICCAI 2008), coarse to fine where the parts are finer than the network's fields, and smoothed
where a cell of the grid would fold (digital diffeomorphism, Liu et al., IJCV 2024).

Outlines tell the motion across themselves. What they do not show, the motion along the wall and
through the slices, is held to what is known of hearts: it varies smoothly along the wall, and the
ventricle shortens evenly from its base to its apex, which stays. How it twists its texture tells.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from facewarp.cardiac.motion.twist import find_twist
from facewarp.cardiac.parts import HeartPart
from facewarp.core.fields import (
    exponential,
    smallest_jacobian,
    spline_field,
    spline_matrix,
    warp,
)
from facewarp.core.geometry import Shape, resize_field, resize_image, spatial_shape

_FIRST_PART: Final = int(HeartPart.RV)
_WALL: Final = HeartPart.MYOCARDIUM - _FIRST_PART
_TRACE: Final = 0.01  # probability of heart that a window around it holds
_AROUND: Final = 10  # voxels around it in the slices, on the finer grid
_INSIDE: Final = 0.5  # probability of left ventricle or wall in a slice that shows them


@dataclass(frozen=True)
class Level:
    """Gauss-Newton steps on one grid; lengths are in its voxels.

    Attributes:
        steps: how many.
        window: box widths along z, y, x of the B-splines that a step moves.
        ridge: squared gradient of a probability below which nothing tells a point's motion.
        prior: weight of the motion before the level's first step, in the ridge's unit.
        squarings: of the exponential within a step.
    """

    steps: int
    window: tuple[int, int, int] = (1, 3, 3)
    ridge: float = 0.02
    prior: float = 0.04
    squarings: int = 1


@dataclass(frozen=True)
class Refinement:
    """Settings of the refinement.

    Attributes:
        coarse: steps on the network's grid.
        fine: steps on the parts' grid, where that is finer.
        squarings: of the exponential that finer fields come from.
        fits: fixed-point steps from the network's two fields to their velocity.
        fit_window: box widths along z, y, x, in voxels of the network's grid, of the B-splines
            that velocities in the slices are fitted with.
        through_window: likewise of those through the slices.
        still: weight, in the ridge's unit, of the motion through the slices as the network has
            it: slices 10 mm apart hardly tell it.
        loose: share of `still` that the right ventricle is free of: its base comes down further
            than the left one's.
        along: weight, in the ridge's unit, of the motion along the wall as the fit has it, where
            parts are finer: no edge tells it, and the right ventricle's outline slides along there.
        along_window: box widths along z, y, x, in voxels of the network's grid, over which the
            network's motion along the wall is smoothed first.
        along_blur: box width in the slices, in voxels, of what tells which way the wall runs.
        carried: share of moving's parts as the network carries them in what is matched, where the
            parts are no finer than its fields: voxels of 10 mm alone would shift outlines.
        wall: weight of the myocardium in what is matched; the ventricles' is 1.
        background: weight, in the fit, of a field where its fixed image has no heart.
        least_jacobian: a smaller determinant of any cell's corner counts as a fold.
        repairs: smoothing rounds against folds, at most.
    """

    coarse: Level = Level(3)
    fine: Level = Level(1, ridge=0.01, prior=0.02)
    squarings: int = 2
    fits: int = 1
    fit_window: tuple[int, int, int] = (5, 5, 5)
    through_window: tuple[int, int, int] = (7, 5, 5)
    still: float = 2.5
    loose: float = 0.94
    along: float = 0.3
    along_window: tuple[int, int, int] = (7, 21, 21)
    along_blur: int = 5
    carried: float = 0.5
    wall: float = 1.5
    background: float = 0.2
    least_jacobian: float = 0.02
    repairs: int = 12


@dataclass(frozen=True, eq=False)
class CoarseMotion:
    """A motion on the network's grid, which finer parts refine.

    Attributes:
        velocity: ``(B, 3, d, h, w)`` voxels.
        flows: ``(2 B, 3, d, h, w)``, all of one direction before all of the other.
    """

    velocity: Tensor
    flows: Tensor


def refine(
    fixed: Tensor,
    moving: Tensor,
    out: Tensor,
    back: Tensor,
    settings: Refinement | None = None,
    *,
    one_heart: bool = True,
    pictures: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Refine the network's fields of both directions into one invertible motion.

    Args:
        fixed: part probabilities ``(B, K, d, h, w)`` of the fixed images, on the fields' grid or
            a finer one that covers the same place.
        moving: of the moving images.
        out: ``(B, 3, d, h, w)`` voxels of the network's grid, defined on fixed, pointing into
            moving.
        back: the other direction.
        settings: by default `Refinement`'s.
        one_heart: both images are of the same heart, whose apex stays where it is.
        pictures: ``(2 B, 1, ...)`` gray values on the parts' grid, all fixed images before all
            moving ones, of which the ventricle's twist is read, see `twist`; None for no twist but
            the network's.

    Returns:
        The two directions, ``exp(v)`` and ``exp(-v)``, on the parts' grid and in its voxels where
        that is finer in any direction, else on the fields'.
    """
    coarse = refine_coarsely(
        *(fixed, moving, out, back, settings), one_heart=one_heart, pictures=pictures
    )
    return refine_finely(fixed, moving, coarse, settings)


@torch.inference_mode()
def refine_coarsely(
    fixed: Tensor,
    moving: Tensor,
    out: Tensor,
    back: Tensor,
    settings: Refinement | None = None,
    *,
    one_heart: bool = True,
    pictures: Tensor | None = None,
) -> CoarseMotion:
    """Do the part of `refine` that is on the network's grid; its arguments are the same."""
    told = settings or Refinement()
    shape, count = spatial_shape(out), len(out)
    seen = torch.cat([fixed, moving])
    parts = resize_image(seen, shape)
    finest = spatial_shape(seen)
    finer = _is_finer(finest, shape)
    found = torch.cat([out, back])
    velocity = fit_velocity(found, parts[:, HeartPart.BACKGROUND], told)
    if finer:
        velocity = _smooth_along_wall(velocity, found, parts, told)
        velocity = _shorten_evenly(velocity, parts) if one_heart else velocity
    target = parts if finer else torch.lerp(parts, warp(parts.roll(count, 0), found), told.carried)
    box, share = _heart_window(parts, _AROUND // 2)
    near = _match(
        velocity[box], target[box], parts[box], told.coarse, told, told.along if finer else 0.0
    )
    velocity = velocity.clone()
    velocity[box] += share * (near - velocity[box])
    if finer and one_heart and pictures is not None:
        flows = _flows(velocity, told.coarse.squarings)
        turned = find_twist(pictures, flows, seen).velocity(shape, finest)
        velocity[:, :2] += turned * _around_left_ventricle(parts)[:, None]
    return CoarseMotion(*_without_folds(velocity, told.coarse.squarings, told))


@torch.inference_mode()
def motion_between(
    one: Tensor | None, other: Tensor | None, settings: Refinement | None = None
) -> CoarseMotion:
    """Return the motion to a phase halfway between two others.

    Args:
        one: velocity ``(B, 3, d, h, w)`` from end-diastole to the phase before; None where that is
            end-diastole itself.
        other: likewise to the phase after.
        settings: by default `Refinement`'s.
    """
    told = settings or Refinement()
    velocity = sum((half / 2 for half in (one, other) if half is not None), torch.zeros(()))
    return CoarseMotion(*_without_folds(velocity, told.coarse.squarings, told))


@torch.inference_mode()
def refine_finely(
    fixed: Tensor, moving: Tensor, coarse: CoarseMotion, settings: Refinement | None = None
) -> tuple[Tensor, Tensor]:
    """Do the part of `refine` that is on the parts' grid, where that is finer; return both flows.

    Args:
        fixed: see `refine`.
        moving: likewise.
        coarse: the motion on the network's grid.
        settings: by default `Refinement`'s.
    """
    flows = coarse.flows
    if _is_finer(spatial_shape(fixed), spatial_shape(flows)):
        seen = torch.cat([fixed, moving])
        flows = _refine_finely(coarse.velocity, flows, seen, settings or Refinement())
    count = len(coarse.velocity)
    return flows[:count], flows[count:]


def _is_finer(shape: Shape, other: Shape) -> bool:
    return any(size > own for size, own in zip(shape, other, strict=True))


def _refine_finely(velocity: Tensor, flows: Tensor, seen: Tensor, settings: Refinement) -> Tensor:
    """Refine on the parts' grid, in the part of it that the heart takes; return both flows.

    A step moves nothing where no part begins or ends, so that beyond the heart flows of the
    network's grid, resized, are those of the finer one but for interpolation.

    Args:
        velocity: ``(B, 3, ...)`` on the network's grid.
        flows: its flows ``(2 B, 3, ...)`` there.
        seen: parts ``(2 B, K, ...)`` of the fixed images, then of the moving ones.
        settings: of the refinement.
    """
    shape = spatial_shape(seen)
    start, flows = resize_field(velocity, shape), resize_field(flows, shape)
    box, share = _heart_window(seen, _AROUND)
    parts, own = seen[box], flows[box]
    near = _match(start[box], parts, parts, settings.fine, settings, settings.along)
    near, finer = _without_folds(near, settings.squarings, settings)
    own += share * (finer - own)
    one, other = (smallest_jacobian(flows) < settings.least_jacobian).flatten(1).any(1).chunk(2)
    left = (one | other).nonzero()[:, 0]
    if len(left):
        start[box] += share * (near - start[box])
        again = torch.cat([left, left + len(velocity)])
        flows[again] = _without_folds(start[left], settings.squarings, settings)[1]
    return flows


def _heart_window(parts: Tensor, around: int) -> tuple[tuple[slice, ...], Tensor]:
    """Return the part of a grid around the heart, in its slices, and weights that end with it.

    Args:
        parts: ``(B, K, d, h, w)``.
        around: voxels around it.

    Returns:
        Slices of a tensor ``(B, C, d, h, w)``, and a tensor ``(1, 1, 1, h', w')`` of the share
        that what is inside has: 1, but less and less towards borders that are not the grid's.
    """
    heart = (parts[:, HeartPart.BACKGROUND] < 1 - _TRACE).any(0).any(0)
    spans, shares, ramp = [], [], around // 3
    for axis, size in enumerate(heart.shape):
        places = heart.any(1 - axis).nonzero()[:, 0].tolist() or [0, size - 1]
        first, last = max(places[0] - around, 0), min(places[-1] + around, size - 1)
        place = torch.arange(first, last + 1)
        low = place - first if first > 0 else place + ramp
        high = last - place if last < size - 1 else size + ramp - place
        spans.append(slice(first, last + 1))
        shares.append((torch.minimum(low, high) / ramp).clamp(max=1))
    whole = slice(None)
    return (whole, whole, whole, *spans), (shares[0][:, None] * shares[1])[None, None, None]


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
        _splines(shape, box, 1) for box in (settings.fit_window, settings.through_window)
    )
    one, other = (1 - background[:, None] + settings.background).chunk(2)
    share = one / (one + other)

    def mean(fields: Tensor) -> Tensor:
        out, back = fields.chunk(2)
        both = out * share - back * (1 - share)
        return torch.cat([spline_field(both[:, :2], along), spline_field(both[:, 2:], through)], 1)

    velocity = mean(found)
    for _ in range(settings.fits):
        velocity = velocity + mean(found - _flows(velocity, squarings))
    return velocity


def _smooth_along_wall(
    velocity: Tensor, found: Tensor, parts: Tensor, settings: Refinement
) -> Tensor:
    """Replace a velocity's component along the wall by that of a much smoother fit."""
    wider = replace(settings, fit_window=settings.along_window)
    smooth = fit_velocity(found, parts[:, HeartPart.BACKGROUND], wider)
    xx, xy, yy = _along_wall(parts, settings.along_blur).unbind(1)
    wall = xx + yy
    near = spline_field(
        wall.clamp(max=1)[:, None], _splines(spatial_shape(wall[:, None]), (1, 3, 3), 1)
    )
    share = near[:, 0] / wall.clamp_min(1e-3)
    x, y = (smooth - velocity)[:, :2].unbind(1)
    moved = torch.stack([share * (xx * x + xy * y), share * (xy * x + yy * y), 0 * x], 1)
    return velocity + moved


def _shorten_evenly(velocity: Tensor, parts: Tensor) -> Tensor:
    """Make the left ventricle's motion through the slices fall evenly from base to apex.

    Slices tell of it where parts begin and end, at the base above all, so there it is read:
    ``w = a (apex - z)`` by least squares, weighted by the squared derivative of the parts along z.

    Args:
        velocity: ``(B, 3, d, h, w)``, slices from base to apex.
        parts: ``(2 B, K, d, h, w)``, all fixed images before all moving ones.
    """
    count, through = len(velocity), velocity[:, 2]
    ventricle = parts[:, HeartPart.MYOCARDIUM :]
    heart = torch.maximum(*ventricle.sum(1).split(count))
    shown = heart.amax((2, 3)) > _INSIDE
    place = torch.arange(shown.shape[1]).expand_as(shown)
    first = torch.where(shown, place, shown.shape[1]).amin(1, keepdim=True)
    last = torch.where(shown, place, -1).amax(1, keepdim=True)
    above = last + 0.5 - torch.minimum(torch.maximum(place, first), last)
    told = sum(torch.gradient(ventricle, dim=2)[0].square().sum(1).split(count))
    weight, pull = told.sum((2, 3)), (told * through).sum((2, 3))
    slope = (above * pull).sum(1) / ((above**2 * weight).sum(1) + 1e-6)
    even = (slope[:, None] * above)[..., None, None]
    through = torch.lerp(through, even, _around_left_ventricle(parts))
    return torch.cat([velocity[:, :2], through[:, None]], 1)


def _around_left_ventricle(parts: Tensor) -> Tensor:
    """Return 1 in and close to the left ventricle of either image, else 0, ``(B, d, h, w)``."""
    heart = torch.maximum(*parts[:, HeartPart.MYOCARDIUM :].sum(1, keepdim=True).chunk(2))
    near = torch.nn.functional.max_pool3d(heart, 3, 1, 1)
    near = spline_field(near, _splines(spatial_shape(parts), (1, 3, 3), 2))[:, 0]
    return near * (1 - _right_ventricle(parts))


def _right_ventricle(parts: Tensor) -> Tensor:
    """Return the probability ``(B, d, h, w)`` of right ventricle in either image of a pair."""
    one, other = parts[:, HeartPart.RV].chunk(2)
    return torch.maximum(one, other)


def _along_wall(parts: Tensor, blur: int) -> Tensor:
    """Return the tensor ``t t'`` of the directions along the wall in its slices.

    Args:
        parts: ``(2 B, K, d, h, w)``, all fixed images before all moving ones.
        blur: box width of the splines that smooth the depth in the ventricle, whose gradient is
            across the wall.

    Returns:
        ``(B, 3, d, h, w)``: xx, xy, yy, the sum over both images, each times its probability of
        wall.
    """
    wall = parts[:, HeartPart.MYOCARDIUM]
    depth = (parts[:, HeartPart.LV] + wall / 2)[:, None]
    depth = spline_field(depth, _splines(spatial_shape(depth), (1, blur, blur), 2))[:, 0]
    y, x = torch.gradient(depth, dim=(2, 3))
    share = wall / (x**2 + y**2).clamp_min(1e-6)
    one, other = torch.stack([share * y * y, -share * x * y, share * x * x], 1).chunk(2)
    return one + other


def _match(
    velocity: Tensor,
    wanted: Tensor,
    parts: Tensor,
    level: Level,
    settings: Refinement,
    along: float = 0.0,
) -> Tensor:
    """Take Gauss-Newton steps on ``|parts(exp(+-v)) - wanted|^2`` of both directions.

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
    splines = _splines(spatial_shape(velocity), level.window, 2)
    weights = torch.ones(parts.shape[1] - _FIRST_PART)
    weights[_WALL : _WALL + 1] = settings.wall
    scale = weights.sqrt().view(1, -1, 1, 1, 1)
    target = wanted[:, _FIRST_PART:] * scale
    source = parts[:, _FIRST_PART:].roll(len(velocity), 0) * scale
    start, across = velocity, _gradient(target)
    still = settings.still * (1 - settings.loose * _right_ventricle(parts))
    held: Sequence[Tensor | float] = (level.prior, level.prior, level.prior + still)
    unseen = along * _along_wall(parts, settings.along_blur) if along else None
    damping = [level.ridge + one for one in held]
    for _ in range(level.steps):
        warped = warp(source, _flows(velocity, level.squarings))
        slope = [a.add_(b).mul_(0.5) for a, b in zip(_gradient(warped), across, strict=True)]
        missing = torch.sub(target, warped, out=warped)  # in place: two pairs at a time are large
        pulls = ((missing * one).sum(1).chunk(2) for one in slope)
        pull = torch.stack([a - b for a, b in pulls], 1)
        moved = velocity - start
        for axis, weight in enumerate(held):
            pull[:, axis] -= weight * moved[:, axis]
        pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]
        products = ((slope[i] * slope[j]).sum(1).chunk(2) for i, j in pairs)
        stiff = torch.stack([a + b for a, b in products], 1)
        del warped, missing, slope
        if unseen is not None:
            xx, xy, yy = unseen.unbind(1)
            x, y = moved[:, :2].unbind(1)
            pull[:, :2] -= torch.stack([xx * x + xy * y, xy * x + yy * y], 1)
            stiff[:, [0, 1, 3]] += unseen
        smoothed = spline_field(torch.cat([pull, stiff], 1), splines)
        velocity = velocity + _solve(smoothed[:, 3:], smoothed[:, :3], damping)
    return velocity


def _without_folds(velocity: Tensor, squarings: int, settings: Refinement) -> tuple[Tensor, Tensor]:
    """Return the velocity smoothed around cells that would fold in either flow, and both flows."""
    splines = _splines(spatial_shape(velocity), (3, 3, 3), 1)
    velocity = velocity.clone()
    flows = _flows(velocity, squarings)
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
        flows[torch.cat([left, left + len(velocity)])] = _flows(velocity[left], squarings)
    return velocity, flows


def _flows(velocity: Tensor, squarings: int) -> Tensor:
    """Integrate both directions: ``(2 B, 3, ...)``, ``exp(v)`` before ``exp(-v)``."""
    return exponential(torch.cat([velocity, -velocity]), squarings, midpoint=True)


def _gradient(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return derivatives along x, y, z of ``(B, K, d, h, w)`` by central differences."""
    z, y, x = torch.gradient(values, dim=(2, 3, 4))
    return x, y, z


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


@lru_cache(maxsize=64)
def _splines(shape: Shape, window: tuple[int, ...], passes: int) -> list[Tensor]:
    """Return B-splines with a control point a voxel, along z, y, x; none for a box of 1 along z."""
    axes = list(zip(shape, window, strict=True))
    with torch.inference_mode(False):  # they outlive this call
        return [spline_matrix(n, n, box, passes) for n, box in axes[window[0] == 1 :]]
