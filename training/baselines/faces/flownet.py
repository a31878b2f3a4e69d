"""Baselines: FlowNetS and FlowNetC, optical flow by networks trained without labels.

Dosovitskiy et al., FlowNet: Learning Optical Flow with Convolutional Networks, ICCV 2015. Layers
carry the names of the published PyTorch weights, so that such a checkpoint can be loaded.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from facewarp.core.geometry import resize_image
from facewarp.errors import FacewarpError
from facewarp.training.baselines.network_training import BaselineNetwork

SLOPE = 0.1
FLOW_UNIT_PX = 20.0  # what a network's 1 stands for
REACH = 20  # farthest displacement that features are compared at, px of their grid
STRIDE = 2  # between displacements
_CHANNELS_MEAN = (0.411, 0.432, 0.45)
Kind = Literal["flownets", "flownetc"]


@dataclass(frozen=True)
class FlowConfig:
    """Configuration of a FlowNet.

    Attributes:
        kind: ``"flownets"`` stacks both images, ``"flownetc"`` correlates their features.
        width: channels of the first layer, 64 in the paper; all others in proportion.
        channels: of an image: 3 in published weights, 1 for gray.
    """

    kind: Kind = "flownets"
    width: int = 64
    channels: int = 1


class FlowNet(BaselineNetwork):
    """Both architectures; they predict the flow at five scales, coarse to fine."""

    def __init__(self, config: FlowConfig) -> None:
        super().__init__()
        self.config, self.settings = config, asdict(config)
        w = config.width
        correlates = config.kind == "flownetc"
        self.conv1 = _conv((1 if correlates else 2) * config.channels, w, 7, 2)
        self.conv2 = _conv(w, 2 * w, 5, 2)
        self.conv3 = _conv(2 * w, 4 * w, 5, 2)
        width = 4 * w
        if correlates:
            self.conv_redir = _conv(4 * w, w // 2, 1, 1)
            width = w // 2 + (2 * REACH // STRIDE + 1) ** 2
        self.conv3_1 = _conv(width, 4 * w)
        self.conv4, self.conv4_1 = _conv(4 * w, 8 * w, 3, 2), _conv(8 * w, 8 * w)
        self.conv5, self.conv5_1 = _conv(8 * w, 8 * w, 3, 2), _conv(8 * w, 8 * w)
        self.conv6, self.conv6_1 = _conv(8 * w, 16 * w, 3, 2), _conv(16 * w, 16 * w)
        self.deconv5, self.deconv4 = _deconv(16 * w, 8 * w), _deconv(16 * w + 2, 4 * w)
        self.deconv3, self.deconv2 = _deconv(12 * w + 2, 2 * w), _deconv(6 * w + 2, w)
        widths = {6: 16 * w, 5: 16 * w + 2, 4: 12 * w + 2, 3: 6 * w + 2, 2: 3 * w + 2}
        for level, inputs in widths.items():
            setattr(self, f"predict_flow{level}", nn.Conv2d(inputs, 2, 3, 1, 1, bias=False))
            if level > 2:
                up = nn.ConvTranspose2d(2, 2, 4, 2, 1, bias=False)
                setattr(self, f"upsampled_flow{level}_to_{level - 1}", up)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(layer.weight, SLOPE)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    @property
    def for_half_precision(self) -> Sequence[nn.Module]:
        """The whole network."""
        return (self,)

    def forward(self, fixed: Tensor, moving: Tensor) -> list[Tensor]:
        """Predict flows from fixed into moving, finest first, in units of 20 px of the images.

        Args:
            fixed: ``(B, 1, H, W)`` in [0, 1].
            moving: likewise.

        Returns:
            ``(B, 2, H / 4, W / 4)``, then each at half of that, down to a 64th.
        """
        a, b = self._as_seen(fixed), self._as_seen(moving)
        if self.config.kind == "flownets":
            second = self.conv2(self.conv1(torch.cat([a, b], 1)))
            third = self.conv3(second)
        else:
            second = self.conv2(self.conv1(a))
            of_fixed, of_moving = self.conv3(second), self.conv3(self.conv2(self.conv1(b)))
            compared = F.leaky_relu(correlation(of_fixed, of_moving), SLOPE)
            third = torch.cat([self.conv_redir(of_fixed), compared], 1)
        skips = {2: second, 3: self.conv3_1(third)}
        skips[4] = self.conv4_1(self.conv4(skips[3]))
        skips[5] = self.conv5_1(self.conv5(skips[4]))
        x = self.conv6_1(self.conv6(skips[5]))
        flows = [self.get_submodule("predict_flow6")(x)]
        for level in (5, 4, 3, 2):
            size = skips[level].shape[2:]
            up = self.get_submodule(f"upsampled_flow{level + 1}_to_{level}")(flows[-1])
            wide = self.get_submodule(f"deconv{level}")(x)
            cut = [t[..., : size[0], : size[1]] for t in (wide, up)]
            x = torch.cat([skips[level], *cut], 1)
            flows.append(self.get_submodule(f"predict_flow{level}")(x))
        return flows[::-1]

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Return the field ``(B, 2, H, W)`` px from fixed into moving, of inputs of `forward`."""
        flow = self(fixed, moving)[0]
        shape = (int(fixed.shape[2]), int(fixed.shape[3]))
        return FLOW_UNIT_PX * resize_image(flow, shape)

    def _as_seen(self, image: Tensor) -> Tensor:
        if self.config.channels == 1:
            return image - 0.43
        return image - image.new_tensor(_CHANNELS_MEAN).view(1, 3, 1, 1)


def correlation(fixed: Tensor, moving: Tensor, reach: int = REACH, stride: int = STRIDE) -> Tensor:
    """Correlate features of fixed with those of moving around each position (FlowNet's layer).

    Displacements are multiples of the stride. So each of the ``stride ** 2`` sublattices is
    correlated by one matrix product, from which the displacements within reach are picked.

    Args:
        fixed: features ``(B, C, H, W)``.
        moving: likewise.
        reach: farthest displacement, px, a multiple of the stride.
        stride: between displacements.

    Returns:
        ``(B, D * D, H, W)`` with ``D = 2 * reach / stride + 1``: the mean over channels of the
        product of fixed at p and moving at p + d, for every d, row by row; 0 outside of moving.

    Raises:
        ValueError: the reach is no multiple of the stride.
    """
    if reach % stride:
        raise ValueError(f"a reach of {reach} px is no multiple of the stride {stride}")
    count, channels, height, width = fixed.shape
    sides = -(-height // stride), -(-width // stride)
    first, second = (_lattices(each, sides, stride) for each in (fixed, moving))
    pairs = F.pad(first @ second.transpose(1, 2) / channels, [0, 1])  # the last place: outside
    places = _neighbors(sides, reach // stride).expand(len(pairs), -1, -1)
    found = pairs.gather(2, places).reshape(count, stride, stride, *sides, -1)
    found = found.permute(0, 5, 3, 1, 4, 2)
    found = found.reshape(count, -1, sides[0] * stride, sides[1] * stride)
    return found[..., :height, :width]


def _lattices(features: Tensor, sides: tuple[int, int], stride: int) -> Tensor:
    """``(B * stride ** 2, h * w, C)``: each lattice's places, row by row; 0 beyond the features."""
    count, channels, height, width = features.shape
    beyond = [0, sides[1] * stride - width, 0, sides[0] * stride - height]
    cells = F.pad(features, beyond).reshape(count, channels, sides[0], stride, sides[1], stride)
    return cells.permute(0, 3, 5, 2, 4, 1).reshape(count * stride**2, -1, channels)


def _neighbors(sides: tuple[int, int], reach: int) -> Tensor:
    """``(1, h * w, D * D)``: index of each place's neighbours, ``h * w`` for those outside."""
    steps = torch.arange(-reach, reach + 1)
    y, x = (torch.arange(side)[:, None] + steps for side in sides)
    y, x = y[:, None, :, None], x[None, :, None, :]
    inside = (y >= 0) & (y < sides[0]) & (x >= 0) & (x < sides[1])
    places = torch.where(inside, y * sides[1] + x, sides[0] * sides[1])
    return places.reshape(1, sides[0] * sides[1], -1)


def published_flownet(path: Path) -> FlowNet:
    """Load a FlowNet from a published PyTorch checkpoint (without batch norms).

    Only tensors and plain values are read from it: no code in it is run.

    Raises:
        FacewarpError: it can't be read so, or is of something else.
    """
    fix = "Give weights of FlowNetS or FlowNetC, as published for PyTorch, without batch norm."
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        weights = {
            k.removeprefix("module."): v for k, v in loaded.get("state_dict", loaded).items()
        }
        kind: Kind = "flownetc" if "conv_redir.0.weight" in weights else "flownets"
        first = weights["conv1.0.weight"]
        channels = int(first.shape[1]) // (1 if kind == "flownetc" else 2)
        net = FlowNet(FlowConfig(kind, int(first.shape[0]), channels))
        net.load_state_dict(weights)
    except FileNotFoundError as error:
        raise FacewarpError("there is no such file", path, "Check the path.") from error
    except Exception as error:  # what torch's reader raises is not documented
        raise FacewarpError("this is no checkpoint of FlowNet", path, fix) from error
    return net.eval()


def flow_field(
    net: nn.Module, fixed: NDArray[np.uint8], moving: NDArray[np.uint8]
) -> NDArray[np.float32]:
    """Return the field ``(2, H, W)`` px of two gray crops by a network with a method ``field``."""
    images = torch.from_numpy(np.stack([fixed, moving])).float().div(255)[:, None]
    with torch.inference_mode():
        found: Tensor = net.field(images[:1], images[1:])  # type: ignore[operator]
    return np.asarray(found[0].numpy(), dtype=np.float32)


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    layer = nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2)
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE, inplace=True))


def _deconv(inputs: int, outputs: int) -> nn.Sequential:
    layer = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return nn.Sequential(layer, nn.LeakyReLU(SLOPE, inplace=True))
