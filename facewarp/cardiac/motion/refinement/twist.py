"""Twist of the left ventricle, read off the texture of its wall.

Outlines do not tell how a slice of the ventricle turns: a ring may turn in itself. Trabeculae,
papillary muscles, the wall's own unevenness and the tissue beside it turn along with it. Gray
values along a ring of tissue are compared, fixed image against moving one where the motion found so
far leads, by their Fourier components around the ring; the wall is followed at every angle, so that
its outlines say nothing. One slice tells little: two numbers a pair are sought, a turn of the whole
ventricle and a twist that grows evenly from base to apex, which maximize the normalized
cross-correlation of all slices, both directions alike, less a penalty on large angles. Where even
that correlation is low nothing is told.
"""

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from facewarp.cardiac.parts import HeartPart
from facewarp.core.fields import sample
from facewarp.core.geometry import Shape, spatial_shape

_AROUND: Final = 128  # places around the ring
_DEPTHS: Final = 10  # and across it
_STEP: Final = 1.0  # voxels along a ray that finds the wall
_INSIDE: Final = 0.5  # probability of a part in a slice that shows it
_FEWEST: Final = 3  # slices that tell a twist
_TINY: Final = 1e-9


@dataclass(frozen=True)
class TwistSearch:
    """Settings of the search; lengths are in voxels of the finer grid, 1.8 mm.

    Attributes:
        within: how far the ring reaches from the wall into the cavity: trabeculae.
        beyond: how far beyond the wall.
        modes: first and last Fourier component around the ring; slower ones are shading, and the
            right ventricle beside the left, faster ones noise.
        turn_degrees: largest turn of the whole ventricle that is sought.
        twist_degrees: largest turn of base and apex against the middle.
        step_degrees: between candidates.
        turn_penalty, twist_penalty: taken off the correlation for each squared degree.
        trusted: correlation below which nothing is told, and from which on all that is found:
            textures that have nothing in common correlate by chance, at some angle or other.
        reach: voxels of a ray; no wall lies further from the ventricle's middle.
    """

    within: float = 1.4
    beyond: float = 0.55
    modes: tuple[int, int] = (2, 15)
    turn_degrees: float = 6.0
    twist_degrees: float = 8.0
    step_degrees: float = 0.5
    turn_penalty: float = 1e-3
    twist_penalty: float = 2e-4
    trusted: tuple[float, float] = (0.2, 0.3)
    reach: float = 25.0


@dataclass(frozen=True)
class Twist:
    """How the slices of pairs of images turn, beyond the motion already known.

    Attributes:
        angles: ``(B, d)`` radians from x to y, from fixed to moving.
        centers: ``(B, d, 2)`` x and y of the ventricle's middle, voxels.
    """

    angles: Tensor
    centers: Tensor

    def velocity(self, shape: Shape, finest: Shape) -> Tensor:
        """Return the rotation as a velocity ``(B, 2, *shape)``, x and y, in voxels.

        Args:
            shape: of the velocity's grid, which covers the same place; as many slices.
            finest: of the grid that `centers` are of.
        """
        scale = torch.tensor([shape[2] / finest[2], shape[1] / finest[1]])
        cx, cy = ((self.centers + 0.5) * scale - 0.5)[..., None, None].unbind(2)
        y = torch.arange(shape[1], dtype=torch.float32).view(1, 1, -1, 1)
        x = torch.arange(shape[2], dtype=torch.float32).view(1, 1, 1, -1)
        angles = self.angles[..., None, None]
        turned = torch.broadcast_tensors(-angles * (y - cy), angles * (x - cx))
        return torch.stack(turned, 1)


def find_twist(
    pictures: Tensor, flows: Tensor, parts: Tensor, settings: TwistSearch | None = None
) -> Twist:
    """Find by how much slices turn more than a motion says.

    Args:
        pictures: ``(2 B, 1, d, h, w)`` gray values, all fixed images before all moving ones; their
            scale does not matter.
        flows: ``(2 B, 3, d, h', w')`` voxels of a grid that covers the same place, the motion so
            far, both directions.
        parts: ``(2 B, K, d, h, w)`` probabilities.
        settings: of the search.
    """
    told, count = settings or TwistSearch(), len(pictures) // 2
    centers, shown = _middles(parts)
    ring = _ring(parts, centers, told)
    here = sample(pictures, ring)[:, 0]
    moved = ring + _moves(flows, ring, spatial_shape(pictures))
    there = sample(pictures.roll(count, 0), moved)[:, 0]
    first, last = told.modes
    one, other = (torch.fft.rfft(v, dim=-1)[..., first : last + 1] for v in (here, there))
    energy = one.abs().square().sum((2, 3)) * other.abs().square().sum((2, 3))
    cross = (one * other.conj()).sum(2) / energy.sqrt().clamp_min(_TINY)[..., None]
    cross = (cross[:count] + cross[count:].conj()) / 2
    shown = shown[:count] & shown[count:]
    return Twist(_best(cross, shown, told), (centers[:count] + centers[count:]) / 2)


def _moves(flows: Tensor, places: Tensor, finest: Shape) -> Tensor:
    """Return how far places of the finer grid move, in its voxels, by flows of a coarser one."""
    sizes = zip(finest[::-1], spatial_shape(flows)[::-1], strict=True)
    scale = torch.tensor([one / own for one, own in sizes]).view(1, 3, 1, 1, 1)
    return sample(flows, (places + 0.5) / scale - 0.5) * scale


def _best(cross: Tensor, shown: Tensor, settings: TwistSearch) -> Tensor:
    """Return the angles ``(B, d)`` of the turn and twist of the largest correlation.

    Args:
        cross: ``(B, d, M)`` normalized cross-spectra.
        shown: ``(B, d)``, slices that show the ventricle.
        settings: of the search.
    """
    step = settings.step_degrees
    turns, twists = (
        step * torch.arange(-round(most / step), round(most / step) + 1)
        for most in (settings.turn_degrees, settings.twist_degrees)
    )
    weights = shown / shown.sum(1, keepdim=True).clamp_min(1)
    level, modes = _level(shown), torch.arange(settings.modes[0], settings.modes[1] + 1)
    # exp(i m (turn + level twist)) is a product, so that slices are added up once for all turns
    twisted = torch.deg2rad(twists[:, None] * level[:, None])[..., None] * modes  # (B, C, d, M)
    slices = weights[..., None] * cross.conj()
    summed = (slices[:, None] * torch.polar(torch.ones_like(twisted), twisted)).sum(2)
    turned = torch.deg2rad(turns[:, None]) * modes
    mean = (torch.polar(torch.ones_like(turned), turned) @ summed.mT).real.flatten(1)
    turn, twist = (v.flatten() for v in torch.meshgrid(turns, twists, indexing="ij"))
    penalty = settings.turn_penalty * turn**2 + settings.twist_penalty * twist**2
    chosen = (mean - penalty).argmax(1)
    best = (torch.arange(len(mean)), chosen)
    angles = torch.deg2rad(turn[chosen, None] + twist[chosen, None] * level)
    low, high = settings.trusted
    trust = ((mean[best] - low) / (high - low)).clamp(0, 1)
    told = shown.sum(1, keepdim=True) >= _FEWEST
    return torch.where(told, trust[:, None] * angles, 0.0)


def _level(shown: Tensor) -> Tensor:
    """Return where slices lie, -1 at the base and 1 at the apex, ``(B, d)``."""
    place = torch.arange(shown.shape[1], dtype=torch.float32).expand(shown.shape)
    first = torch.where(shown, place, float("inf")).amin(1, keepdim=True)
    last = torch.where(shown, place, -float("inf")).amax(1, keepdim=True)
    level = 2 * (place - first) / (last - first).clamp_min(1) - 1
    return level.nan_to_num(0.0).clamp(-1, 1)


def _middles(parts: Tensor) -> tuple[Tensor, Tensor]:
    """Return the left ventricle's middle ``(B, d, 2)``, x and y, and where it is shown.

    In a slice that does not show it the middle is that of the whole ventricle.
    """
    wall, cavity = parts[:, HeartPart.MYOCARDIUM], parts[:, HeartPart.LV]
    heart = wall + cavity
    _, _, height, width = heart.shape
    x, y = torch.arange(width), torch.arange(height)
    moments = torch.stack([(heart.sum(2) * x).sum(-1), (heart.sum(3) * y).sum(-1)])
    mass = heart.sum((2, 3))
    shown = (cavity.amax((2, 3)) > _INSIDE) & (wall.amax((2, 3)) > _INSIDE)
    whole = (moments.sum(2) / mass.sum(1).clamp_min(_TINY))[..., None]
    middles = torch.where(shown, moments / mass.clamp_min(_TINY), whole)
    return middles.permute(1, 2, 0), shown


def _ring(parts: Tensor, centers: Tensor, settings: TwistSearch) -> Tensor:
    """Return places ``(B, 3, d, depths, around)`` in the wall and beside it, x, y, z in voxels.

    The wall's edges along a ray are where the probabilities of cavity and wall put them: their
    sums, smoothed over five rays.
    """
    depth = spatial_shape(parts)[0]
    around = torch.arange(_AROUND) * (2 * math.pi / _AROUND)
    ray = torch.stack([around.cos(), around.sin()], -1)
    away = torch.arange(0.0, settings.reach, _STEP)
    seen = sample(parts[:, HeartPart.MYOCARDIUM :], _places(centers, away[:, None], ray, depth))
    wall, inner = (_STEP * seen.sum(3)).unbind(1)  # (B, d, around)
    shifts = range(-2, 3)
    inner, wall = (torch.stack([v.roll(n, -1) for n in shifts]).mean(0) for v in (inner, wall))
    low = (inner - settings.within).clamp_min(0)[:, :, None]
    high = (inner + wall + settings.beyond)[:, :, None]
    share = torch.linspace(0, 1, _DEPTHS).view(1, 1, -1, 1)
    return _places(centers, low + (high - low) * share, ray, depth)


def _places(centers: Tensor, radii: Tensor, ray: Tensor, depth: int) -> Tensor:
    """Return the places ``(B, 3, d, ..., around)`` at radii along rays, of every slice."""
    flat = centers[:, :, None, None] + radii[..., None] * ray
    z = torch.arange(depth, dtype=flat.dtype).view(1, -1, 1, 1).expand(flat.shape[:-1])
    return torch.stack([flat[..., 0], flat[..., 1], z], 1)
