"""Diffeomorphic refinement: one stationary velocity field for both directions of a pair.

The network predicts the two directions of a pair independently. Here one velocity field ``v``
gives both, ``exp(v)`` and ``exp(-v)``, so that each is the other's inverse. It is fitted to the
network's two fields (their logarithm, `velocity`), improved by a few Gauss-Newton steps on the
agreement of part probabilities in both directions at once (`gauss_newton`; symmetric log-domain
registration, Vercauteren et al., MICCAI 2008), coarse to fine where the parts are finer than the
network's fields, and smoothed where a cell of the grid would fold (digital diffeomorphism, Liu et
al., IJCV 2024).

Outlines tell the motion across themselves. What they do not show, the motion along the wall and
through the slices, is held to what is known of hearts (`anatomy`); how the ventricle twists its
texture tells (`twist`).
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from facewarp.cardiac.motion.refinement.anatomy import (
    around_left_ventricle,
    heart_window,
    keep_right_ventricle,
    shorten_evenly,
    smooth_along_wall,
)
from facewarp.cardiac.motion.refinement.gauss_newton import match
from facewarp.cardiac.motion.refinement.settings import DEFAULT, Refinement
from facewarp.cardiac.motion.refinement.twist import find_twist
from facewarp.cardiac.motion.refinement.velocity import both_flows, fit_velocity, without_folds
from facewarp.cardiac.parts import HeartPart
from facewarp.core.fields import smallest_jacobian, warp
from facewarp.core.geometry import Shape, resize_field, resize_image, spatial_shape

_AROUND: Final = 6  # voxels around the heart in the slices, on the finer grid
_AROUND_COARSELY: Final = 5  # likewise on the network's


@dataclass(frozen=True, eq=False)
class ImagePair:
    """What is seen of pairs of images.

    Attributes:
        fixed: part probabilities ``(B, K, d, h, w)`` of the fixed images, on the grid of the
            network's fields or a finer one that covers the same place.
        moving: of the moving images.
        gray: gray values ``(2 B, 1, d, h, w)`` on the parts' grid, all fixed images before all
            moving ones, of which the ventricle's twist is read, see `twist`; None for no twist but
            the network's.
        one_heart: both images are of the same heart, whose apex stays where it is.
    """

    fixed: Tensor
    moving: Tensor
    gray: Tensor | None = None
    one_heart: bool = True

    def parts(self) -> Tensor:
        """Return the probabilities ``(2 B, K, d, h, w)`` of both sides."""
        return torch.cat([self.fixed, self.moving])


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
    pair: ImagePair, out: Tensor, back: Tensor, settings: Refinement = DEFAULT
) -> tuple[Tensor, Tensor]:
    """Refine the network's fields of both directions into one invertible motion.

    Args:
        pair: what is seen of both images.
        out: ``(B, 3, d, h, w)`` voxels of the network's grid, defined on fixed, pointing into
            moving.
        back: the other direction.
        settings: weights and numbers of steps.

    Returns:
        The two directions, ``exp(v)`` and ``exp(-v)``, on the parts' grid and in its voxels where
        that is finer in any direction, else on the fields'.
    """
    return refine_finely(pair, refine_coarsely(pair, out, back, settings), settings)


@torch.inference_mode()
def refine_coarsely(
    pair: ImagePair, out: Tensor, back: Tensor, settings: Refinement = DEFAULT
) -> CoarseMotion:
    """Do the half of `refine` that is on the network's grid; its arguments are the same."""
    shape, seen, count = spatial_shape(out), pair.parts(), len(out)
    parts, found = resize_image(seen, shape), torch.cat([out, back])
    finest = spatial_shape(seen)
    finer = _is_finer(finest, shape)
    velocity = fit_velocity(found, parts[:, HeartPart.BACKGROUND], settings)
    if finer:
        if pair.one_heart:
            velocity = keep_right_ventricle(velocity, found, parts, settings)
        velocity = smooth_along_wall(velocity, found, parts, settings)
        velocity = shorten_evenly(velocity, parts) if pair.one_heart else velocity
        target, along = parts, settings.along
    else:
        target, along = torch.lerp(parts, warp(parts.roll(count, 0), found), settings.carried), 0.0
    box, share = heart_window(parts, _AROUND_COARSELY)
    near = match(velocity[box], target[box], parts[box], settings.coarse, settings, along)
    velocity = velocity.clone()
    velocity[box] += share * (near - velocity[box])
    if finer and pair.one_heart and pair.gray is not None:
        flows = both_flows(velocity, settings.coarse.squarings)
        turned = find_twist(pair.gray, flows, seen).velocity(shape, finest)
        velocity[:, :2] += turned * around_left_ventricle(parts)[:, None]
    return CoarseMotion(*without_folds(velocity, settings.coarse.squarings, settings))


@torch.inference_mode()
def motion_between(
    one: Tensor | None, other: Tensor | None, settings: Refinement = DEFAULT
) -> CoarseMotion:
    """Return the motion to a phase halfway between two others.

    Args:
        one: velocity ``(B, 3, d, h, w)`` from end-diastole to the phase before; None where that is
            end-diastole itself.
        other: likewise to the phase after.
        settings: of folds.
    """
    velocity = sum((half / 2 for half in (one, other) if half is not None), torch.zeros(()))
    return CoarseMotion(*without_folds(velocity, settings.coarse.squarings, settings))


@torch.inference_mode()
def refine_finely(
    pair: ImagePair, coarse: CoarseMotion, settings: Refinement = DEFAULT
) -> tuple[Tensor, Tensor]:
    """Do the half of `refine` that is on the parts' grid, where that is finer; return both flows.

    A step moves nothing where no part begins or ends, so that beyond the heart flows of the
    network's grid, resized, are those of the finer one but for interpolation.

    Args:
        pair: as in `refine`.
        coarse: the motion on the network's grid.
        settings: as in `refine`.
    """
    count, shape = len(coarse.velocity), spatial_shape(pair.fixed)
    if not _is_finer(shape, spatial_shape(coarse.flows)):
        return coarse.flows[:count], coarse.flows[count:]
    seen = pair.parts()
    start, flows = resize_field(coarse.velocity, shape), resize_field(coarse.flows, shape)
    box, share = heart_window(seen, _AROUND)
    parts, own = seen[box], flows[box]
    near = match(start[box], parts, parts, settings.fine, settings, settings.along)
    near, finer = without_folds(near, settings.squarings, settings)
    own += share * (finer - own)
    folded = (smallest_jacobian(flows) < settings.least_jacobian).flatten(1).any(1)
    one, other = folded.chunk(2)
    left = (one | other).nonzero()[:, 0]
    if len(left):
        start[box] += share * (near - start[box])
        again = torch.cat([left, left + count])
        flows[again] = without_folds(start[left], settings.squarings, settings)[1]
    return flows[:count], flows[count:]


def _is_finer(shape: Shape, other: Shape) -> bool:
    return any(size > own for size, own in zip(shape, other, strict=True))
