"""What is known of hearts: how they move where their outlines do not tell.

The motion varies smoothly along the wall, and the left ventricle shortens evenly from its base to
its apex, which stays. Parts of pairs are ``(2 B, K, d, h, w)`` probabilities, all fixed images
before all moving ones.
"""

from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from facewarp.cardiac.motion.refinement.settings import Refinement
from facewarp.cardiac.motion.refinement.velocity import box_splines, fit_velocity
from facewarp.cardiac.parts import HeartPart
from facewarp.core.fields import spline_field
from facewarp.core.geometry import spatial_shape

_TRACE: Final = 0.01  # probability of heart that a window around it holds
_INSIDE: Final = 0.5  # probability of left ventricle or wall in a slice that shows them


def heart_window(parts: Tensor, around: int) -> tuple[tuple[slice, ...], Tensor]:
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


def keep_right_ventricle(
    velocity: Tensor, found: Tensor, parts: Tensor, settings: Refinement
) -> Tensor:
    """Replace a velocity in and around the right ventricle by one fitted within each slice.

    A fit over several slices loses the right ventricle's own motion: its base comes down further
    than the left one's, and its free wall moves otherwise in each slice. What is known of the left
    ventricle is to be put in afterwards, for next to its wall this holds too.

    Args:
        velocity: ``(B, 3, d, h, w)`` of `fit_velocity`.
        found: the network's two fields, as `fit_velocity` takes them.
        parts: ``(2 B, K, d, h, w)``, all fixed images before all moving ones.
        settings: window of the fit, and how far around the ventricle it reaches.
    """
    window, reach = settings.right_window, settings.right_reach
    within = replace(settings, fit_window=window, through_window=window, fits=0)
    fitted = fit_velocity(found, torch.zeros_like(parts[:, HeartPart.BACKGROUND]), within)
    box, margin = (1, 2 * reach + 1, 2 * reach + 1), (0, reach, reach)
    near = torch.nn.functional.max_pool3d(right_ventricle(parts)[:, None], box, 1, margin)
    left = torch.maximum(*parts[:, HeartPart.MYOCARDIUM :].sum(1, keepdim=True).chunk(2))
    return torch.lerp(velocity, fitted, near * (1 - left))


def smooth_along_wall(
    velocity: Tensor, found: Tensor, parts: Tensor, settings: Refinement
) -> Tensor:
    """Replace a velocity's component along the wall by that of a much smoother fit."""
    wider = replace(settings, fit_window=settings.along_window)
    smooth = fit_velocity(found, parts[:, HeartPart.BACKGROUND], wider)
    xx, xy, yy = along_wall(parts, settings.along_blur).unbind(1)
    wall = xx + yy
    near = spline_field(
        wall.clamp(max=1)[:, None], box_splines(spatial_shape(wall[:, None]), (1, 3, 3), 1)
    )
    share = near[:, 0] / wall.clamp_min(1e-3)
    x, y = (smooth - velocity)[:, :2].unbind(1)
    moved = torch.stack([share * (xx * x + xy * y), share * (xy * x + yy * y), 0 * x], 1)
    return velocity + moved


def shorten_evenly(velocity: Tensor, parts: Tensor) -> Tensor:
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
    through = torch.lerp(through, even, around_left_ventricle(parts))
    return torch.cat([velocity[:, :2], through[:, None]], 1)


def around_left_ventricle(parts: Tensor) -> Tensor:
    """Return 1 in and close to the left ventricle of either image, else 0, ``(B, d, h, w)``."""
    heart = torch.maximum(*parts[:, HeartPart.MYOCARDIUM :].sum(1, keepdim=True).chunk(2))
    near = torch.nn.functional.max_pool3d(heart, 3, 1, 1)
    near = spline_field(near, box_splines(spatial_shape(parts), (1, 3, 3), 2))[:, 0]
    return near * (1 - right_ventricle(parts))


def right_ventricle(parts: Tensor) -> Tensor:
    """Return the probability ``(B, d, h, w)`` of right ventricle in either image of a pair."""
    one, other = parts[:, HeartPart.RV].chunk(2)
    return torch.maximum(one, other)


def along_wall(parts: Tensor, blur: int) -> Tensor:
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
    depth = spline_field(depth, box_splines(spatial_shape(depth), (1, blur, blur), 2))[:, 0]
    y, x = torch.gradient(depth, dim=(2, 3))
    share = wall / (x**2 + y**2).clamp_min(1e-6)
    one, other = torch.stack([share * y * y, -share * x * y, share * x * x], 1).chunk(2)
    return one + other
