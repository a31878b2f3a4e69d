"""Baseline: VoxelMorph, a U-Net that predicts displacements, trained without labels.

Balakrishnan, Zhao, Sabuncu, Guttag, Dalca, VoxelMorph: A Learning Framework for Deformable Medical
Image Registration, IEEE Transactions on Medical Imaging 38(8), 2019. The network is MONAI's.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from facewarp.core.fields import field_gradient, warp
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command
from facewarp.training.baselines.hearts.local_correlation import box_window, squared_correlation
from facewarp.training.baselines.network_training import BaselineNetwork

INSTALL = install_command("rivals")
CHANNELS = (16, 32, 32, 32, 32, 32)  # downwards and upwards by turns, as the paper's
_LEVELS = 8  # shapes are multiples: half of CHANNELS are levels, and the last is halved too


class VoxelMorph(BaselineNetwork):
    """Predict displacements from both images, ``(B, 1, D, H, W)`` each, in voxels.

    Args:
        channels: of the U-Net, see MONAI's ``VoxelMorphUNet``.
        smoothness: weight of the mean squared gradient of the field.
        window: of the correlation, voxels (z, y, x): the paper's 9, and less across slices,
            which are thick.

    Raises:
        FacewarpError: MONAI is not installed.
    """

    def __init__(
        self,
        channels: Sequence[int] = CHANNELS,
        smoothness: float = 1.0,
        window: Sequence[int] = (3, 9, 9),
    ) -> None:
        super().__init__()
        try:
            from monai.networks.nets.voxelmorph import VoxelMorphUNet
        except ImportError as error:
            raise FacewarpError(
                "VoxelMorph's network is MONAI's", "monai", f"Install it: {INSTALL}"
            ) from error
        self.settings = {
            "channels": list(channels),
            "smoothness": smoothness,
            "window": list(window),
        }
        self.smoothness, self.window = smoothness, tuple(window)
        self.unet = VoxelMorphUNet(
            spatial_dims=3,
            in_channels=2,
            unet_out_channels=channels[1],
            channels=tuple(channels),
            final_conv_channels=(channels[0],) * 2,
        )
        last = [layer for layer in self.unet.modules() if isinstance(layer, nn.Conv3d)][-1]
        nn.init.normal_(last.weight, std=1e-5)  # it starts as the identity, as the paper's does
        if last.bias is not None:
            nn.init.zeros_(last.bias)

    @property
    def for_half_precision(self) -> Sequence[nn.Module]:
        """The U-Net's layers but the last, which predicts displacements."""
        unet, last_layers = self.unet.net
        return unet, *list(last_layers)[:-1]

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict the field ``(B, 3, D, H, W)`` voxels, from fixed into moving.

        Raises:
            FacewarpError: a side of the images can't be halved three times.
        """
        if any(n % _LEVELS for n in fixed.shape[2:]):
            what = f"images of {tuple(fixed.shape[2:])} voxels can't be halved so often"
            raise FacewarpError(what, fix=f"Give sides that are multiples of {_LEVELS}.")
        found: Tensor = self.unet(torch.cat([moving, fixed], dim=1))
        return found

    def terms(
        self, fixed: Tensor, moving: Tensor, random: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Return the loss terms: one minus the local correlation, and the field's gradients.

        Args:
            fixed: ``(B, 1, D, H, W)`` in [0, 1].
            moving: the same.
            random: unused here.
        """
        field = self(fixed, moving)
        window = box_window(fixed.shape[2:], self.window)
        alike = squared_correlation(fixed, warp(moving, field), window)
        gradient = field_gradient(field).square().mean()
        return {"similarity": 1 - alike.mean(), "smoothness": self.smoothness * gradient}
