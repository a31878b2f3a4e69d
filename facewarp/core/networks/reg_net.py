"""RegNet: one registration step, from two images' parts to spline control points."""

import torch
from torch import Tensor, nn

from facewarp.core.config import StepConfig, Stride
from facewarp.core.networks.layers import climb, conv, conv_block, decoder, max_pool


class RegNet(nn.Module):
    """Encoder of double convolutions, read out at the control grid's level (Ha et al. 2020).

    The paper's plan, and the default configuration: channels 16..256 over five levels with max
    pooling, two 1x1 convolutions at the coarsest level; about 1.2 M parameters. Finer control
    grids have a decoder with skip connections, so that the receptive field covers the whole face
    even where control points are dense.
    """

    def __init__(self, config: StepConfig, n_inputs: int, ndim: int = 2) -> None:
        super().__init__()
        channels = config.channels
        depth = len(channels) - 1
        if len(config.strides) != depth or not 0 <= config.control_level <= depth:
            raise ValueError(f"strides or control level do not fit the levels: {config}")
        levels = [_double(ndim, n_inputs, channels[0], config.entry_stride)]
        for inputs, outputs, stride in zip(channels, channels[1:], config.strides, strict=False):
            if config.down == "max":
                levels.append(nn.Sequential(max_pool(ndim, stride), _double(ndim, inputs, outputs)))
            else:
                levels.append(_double(ndim, inputs, outputs, stride))
        self.down = nn.ModuleList(levels)
        climbed = channels[config.control_level : depth][::-1]
        self.up, self.narrow = decoder(ndim, channels[-1], climbed, climbed, config.join)
        width = channels[config.control_level]
        hidden = max(width // 4, 16)
        norm = nn.BatchNorm2d if ndim == 2 else nn.BatchNorm3d
        self.head = nn.Sequential(
            conv(ndim, width, hidden, 1), norm(hidden), nn.PReLU(), conv(ndim, hidden, ndim, 1)
        )
        last = self.head[-1]
        nn.init.normal_(last.get_parameter("weight"), std=1e-3)  # a step starts as the identity
        nn.init.zeros_(last.get_parameter("bias"))

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict control points ``(B, n, *control_shape)`` in px of the features' grid.

        Args:
            fixed: guidance of the fixed image ``(B, K, *shape)``.
            moving: guidance of the moving image, already warped by the steps before.
        """
        x = torch.cat([fixed, moving], 1)
        skips = []
        for block in self.down:
            x = block(x)
            skips.append(x)
        climbed = skips[-2 : -2 - len(self.up) : -1]
        control: Tensor = self.head(climb(x, climbed, self.up, self.narrow))
        return control


def _double(ndim: int, inputs: int, outputs: int, stride: Stride = 1) -> nn.Sequential:
    return nn.Sequential(
        conv_block(ndim, inputs, outputs, stride), conv_block(ndim, outputs, outputs)
    )
