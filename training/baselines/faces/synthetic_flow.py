"""Synthetic pairs with known flow for flow networks: an image, and the same warped and relit."""

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.core import fields
from facewarp.core.geometry import pixel_grid, resize_image
from facewarp.training.baselines.faces.flownet import FLOW_UNIT_PX, FlowNet

SCALE_WEIGHTS = (0.32, 0.08, 0.02, 0.01, 0.005)  # of the flows, finest first, as for FlowNet
_COARSE, _FINE = ((4, 3), 12.0), ((10, 8), 4.0)  # control points, standard deviation px


def bent_pair(images: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return fixed and moving images with the flow between them.

    Args:
        images: ``(B, 1, H, W)`` in [0, 1], the moving ones.
        random: generator.

    Returns:
        Fixed, moving ``(B, 1, H, W)`` and the flow ``(B, 2, H, W)`` px from fixed into moving:
        an affine motion and two scales of random splines; both images with light of their own.
    """
    count = len(images)
    shape = (int(images.shape[2]), int(images.shape[3]))
    grid = pixel_grid(shape)
    middle = torch.tensor([(shape[1] - 1) / 2, (shape[0] - 1) / 2]).view(1, 2, 1, 1)
    linear = 0.1 * torch.randn(count, 2, 2, generator=random)
    shift = 15 * torch.randn(count, 2, 1, 1, generator=random)
    flow = torch.einsum("bij,zjhw->bihw", linear, grid - middle) + shift
    for control, spread in (_COARSE, _FINE):
        points = spread * torch.randn(count, 2, *control, generator=random)
        flow = flow + F.interpolate(points, size=shape, mode="bicubic", align_corners=False)
    fixed = fields.warp(images, flow)
    return _relit(fixed, random), _relit(images, random), flow


def flow_loss(net: FlowNet, images: Tensor, random: torch.Generator) -> Tensor:
    """Return the weighted end-point error of the flows at all scales on synthetic pairs."""
    fixed, moving, flow = bent_pair(images, random)
    total = images.new_zeros(())
    for found, weight in zip(net(fixed, moving), SCALE_WEIGHTS, strict=True):
        true = resize_image(flow, (int(found.shape[2]), int(found.shape[3]))) / FLOW_UNIT_PX
        total = total + weight * (found - true).square().sum(1).add(1e-8).sqrt().mean()
    return total


def _relit(images: Tensor, random: torch.Generator) -> Tensor:
    count = len(images)
    gain = torch.exp(0.2 * torch.randn(count, 1, 1, 1, generator=random))
    lift = 0.05 * torch.randn(count, 1, 1, 1, generator=random)
    noise = 0.02 * torch.randn(images.shape, generator=random)
    return (gain * images + lift + noise).clamp(0, 1)
