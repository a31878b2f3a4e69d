"""Layers of both networks, in 2D and 3D."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from facewarp.core.config import Join, Stride
from facewarp.core.geometry import spatial_shape

SLOPE = 0.1  # leaky ReLU, as in the paper's networks


def conv(
    ndim: int, inputs: int, outputs: int, kernel: int = 3, stride: Stride = 1, flat: bool = False
) -> nn.Module:
    """Make a convolution with 'same' padding.

    Args:
        ndim: 2 or 3.
        inputs: channels read.
        outputs: channels written.
        kernel: width along every axis.
        stride: one number or one per axis.
        flat: in 3D, a kernel that stays within its slice.
    """
    if ndim == 2:
        return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)  # type: ignore[arg-type]
    size = (1 if flat else kernel, kernel, kernel)
    return nn.Conv3d(inputs, outputs, size, stride, tuple(k // 2 for k in size))  # type: ignore[arg-type]


def conv_block(
    ndim: int, inputs: int, outputs: int, stride: Stride = 1, flat: bool = False, kernel: int = 3
) -> nn.Sequential:
    """Make a block: convolution (see `conv`), batch norm, leaky ReLU."""
    norm = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
    return nn.Sequential(
        conv(ndim, inputs, outputs, kernel, stride, flat),
        norm(outputs),
        nn.LeakyReLU(SLOPE, inplace=True),
    )


def subpixel_block(ndim: int, inputs: int, outputs: int, factor: int) -> nn.Sequential:
    """Make a block that enlarges an image by sub-pixel convolution (Shi et al., CVPR 2016).

    A convolution block writes the ``factor**2`` pixels of each place as channels, which are then
    laid out side by side.

    Raises:
        ValueError: volumes are asked for.
    """
    if ndim != 2:
        raise ValueError("sub-pixel convolution is made for images alone")
    block = conv_block(ndim, inputs, outputs * factor**2)
    return nn.Sequential(*block, nn.PixelShuffle(factor))


def max_pool(ndim: int, stride: Stride) -> nn.Module:
    """Pool the maximum over cells of size ``stride``; a remainder is dropped."""
    layer = nn.MaxPool2d if ndim == 2 else nn.MaxPool3d
    return layer(stride, stride)


def upsample_to(x: Tensor, size: Sequence[int]) -> Tensor:
    """Upsample linearly to a spatial size."""
    target = [int(n) for n in size]  # plain numbers, also while a graph is traced
    if list(spatial_shape(x)) == target:
        return x
    mode = "bilinear" if x.ndim == 4 else "trilinear"
    return F.interpolate(x, size=target, mode=mode, align_corners=False)


def decoder(
    ndim: int,
    width: int,
    skips: Sequence[int],
    outputs: Sequence[int],
    join: Join,
    flat: Sequence[bool] = (),
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Make the decoder from an encoder's deepest level, see `climb`.

    Args:
        ndim: 2 or 3.
        width: channels of the deepest level.
        skips: channels of the encoder levels to connect to, deepest first.
        outputs: channels written at each of them.
        join: see `FeatureConfig`.
        flat: whether kernels stay within their slice, per level; empty for none.

    Returns:
        A block per level, and the 1x1 convolutions before them where features are added.
    """
    widths = [width, *outputs][: len(outputs)]
    levels = list(zip(widths, skips, outputs, flat or [False] * len(skips), strict=True))
    blocks = nn.ModuleList(
        conv_block(ndim, skip + (below if join == "concat" else 0), out, flat=within)
        for below, skip, out, within in levels
    )
    narrow = nn.ModuleList(
        conv(ndim, below, skip, 1) for below, skip, _, _ in levels if join == "add"
    )
    return blocks, narrow


def climb(
    x: Tensor, skips: Sequence[Tensor], blocks: nn.ModuleList, narrow: nn.ModuleList
) -> Tensor:
    """Run a decoder from the deepest level's features, and return those of its last level.

    Args:
        x: the deepest level's features.
        skips: the encoder's features to connect to, deepest first.
        blocks: see `decoder`.
        narrow: likewise.
    """
    for index, (block, skip) in enumerate(zip(blocks, skips, strict=True)):
        size = skip.shape[2:]
        if narrow:
            x = block(upsample_to(narrow[index](x), size) + skip)
        else:
            x = block(torch.cat([upsample_to(x, size), skip], 1))
    return x


Net = TypeVar("Net", bound=nn.Module)


def copied(net: Net) -> Net:
    """Copy a network's layers, weights and statistics; all else that hangs on it is shared.

    In a tenth of the time of `copy.deepcopy`, which goes through every list of hooks.
    """
    other = copy.copy(net)
    other._modules = {
        name: None if layer is None else copied(layer) for name, layer in net._modules.items()
    }
    other._parameters = {
        name: None if one is None else nn.Parameter(one.detach().clone(), one.requires_grad)
        for name, one in net._parameters.items()
    }
    other._buffers = {
        name: None if one is None else one.detach().clone() for name, one in net._buffers.items()
    }
    return other


def fold_batch_norms(net: Net) -> Net:
    """Copy a network in evaluation mode, with batch norms folded into the convolutions."""
    folded = copied(net).eval()
    for block in folded.modules():
        if isinstance(block, nn.Sequential):
            for i, (layer, norm) in enumerate(zip(block, list(block)[1:], strict=False)):
                if isinstance(norm, nn.BatchNorm2d | nn.BatchNorm3d):
                    assert isinstance(layer, nn.Conv2d | nn.Conv3d)
                    block[i] = fuse_conv_bn_eval(layer, norm)
                    block[i + 1] = nn.Identity()
    return folded
