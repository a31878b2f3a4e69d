"""PartNet, the segmentation U-Net: an image's part logits, which guide the registration."""

from torch import Tensor, nn

from facewarp.core.config import FeatureConfig
from facewarp.core.networks.layers import climb, conv, conv_block, decoder, subpixel_block


class PartNet(nn.Module):
    """U-Net with strided encoder and linear upsampling (Ha et al. 2020, section 2.1).

    The paper's plan, and the default configuration: one convolution at input size, three levels
    of a strided and a plain convolution (channels 5/16/32/64), two decoder levels with skip
    connections, one refining and one classifying convolution: eleven in all, output at half
    the input's size.
    """

    def __init__(self, config: FeatureConfig, n_classes: int, ndim: int = 2) -> None:
        super().__init__()
        channels = config.channels
        if len(config.strides) != len(channels) - 1 or len(config.decoder) >= len(channels):
            raise ValueError(f"strides and decoder do not fit the encoder's levels: {config}")
        flat = [level < config.flat for level in range(len(channels))]
        self.entry = conv_block(
            ndim, config.inputs, channels[0], config.entry_stride, flat[0], config.entry_kernel
        )
        self.down = nn.ModuleList(
            nn.Sequential(
                conv_block(ndim, channels[level - 1], outputs, stride, flat[level]),
                conv_block(ndim, outputs, outputs, flat=flat[level]),
            )
            for level, (outputs, stride) in enumerate(
                zip(channels[1:], config.strides, strict=True), start=1
            )
        )
        levels = slice(-2, -2 - len(config.decoder), -1)  # those climbed to, deepest first
        self.up, self.narrow = decoder(
            ndim, channels[-1], channels[levels], config.decoder, config.join, flat[levels]
        )
        width = (channels[-1], *config.decoder)[-1]
        top = flat[-1 - len(config.decoder)]
        self.refine = nn.Sequential(
            *(conv_block(ndim, width, width, flat=top) for _ in range(config.refine))
        )
        self.sharpen: nn.Module = nn.Identity()
        if config.subpixel > 1:
            self.sharpen = subpixel_block(ndim, width, config.fine, config.subpixel)
            width = config.fine
        self.classify = conv(ndim, width, n_classes, config.classify_kernel, flat=top)

    def forward(self, image: Tensor) -> Tensor:
        """Return logits ``(B, K, *output_shape)`` of images ``(B, n, *input_shape)`` in [0, 1]."""
        x = self.entry(image)
        skips = [x]
        for block in self.down:
            x = block(x)
            skips.append(x)
        climbed = skips[-2 : -2 - len(self.up) : -1]
        x = self.refine(climb(x, climbed, self.up, self.narrow))
        logits: Tensor = self.classify(self.sharpen(x))
        return logits
