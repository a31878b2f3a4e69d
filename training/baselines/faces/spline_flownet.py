"""Baseline: B-spline FlowNet, FlowNet's correlation layer with a B-spline head as decoder.

Trained as the unguided preset: by the alignment of labels, without the segmentation loss.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facewarp.core import fields
from facewarp.core.geometry import resize_field, resize_image
from facewarp.core.networks.layers import conv_block
from facewarp.face.crop import CROP_SHAPE
from facewarp.training.baselines.faces.flownet import SLOPE, correlation
from facewarp.training.baselines.network_training import BaselineNetwork
from facewarp.training.config.presets import FACE_CLASSES, PRESETS
from facewarp.training.losses import Targets, registration_loss, roughness

FIELD_SHAPE = (160, 130)
CONTROL_SHAPE = (10, 9)  # what four more halvings of the features' grid leave
BOX = 11
REACH_PX = 72.0  # of that grid: what the head's 1 stands for, as the paper's networks count


class SplineFlowNet(BaselineNetwork):
    """Features of both crops, their correlation, and an encoder down to the control points.

    Args:
        width: channels of the first layer.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        w = width
        self.settings = {"width": width}
        self.features = nn.Sequential(
            conv_block(2, 1, w, 2, kernel=7),
            conv_block(2, w, 2 * w, 2, kernel=5),
            conv_block(2, 2 * w, 4 * w, 2, kernel=5),
        )
        self.redirect = conv_block(2, 4 * w, 2 * w, kernel=1)
        self.encoder = nn.Sequential(
            conv_block(2, 2 * w + 441, 8 * w),
            conv_block(2, 8 * w, 8 * w, 2),
            conv_block(2, 8 * w, 8 * w),
            conv_block(2, 8 * w, 16 * w, 2),
            conv_block(2, 16 * w, 16 * w),
        )
        self.head = nn.Sequential(nn.Conv2d(16 * w, 64, 1), nn.PReLU(), nn.Conv2d(64, 2, 1))
        last = self.head[-1]
        nn.init.normal_(last.get_parameter("weight"), std=1e-4)  # it starts as the identity
        nn.init.zeros_(last.get_parameter("bias"))
        for axis in (0, 1):
            matrix = fields.spline_matrix(FIELD_SHAPE[axis], CONTROL_SHAPE[axis], BOX)
            self.register_buffer(f"spline{axis}", matrix, persistent=False)

    @property
    def for_half_precision(self) -> Sequence[nn.Module]:
        """All but the head, which predicts displacements, and the spline."""
        return self.features, self.redirect, self.encoder

    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict the field ``(B, 2, 160, 130)`` px of its grid from crops ``(B, 1, 320, 260)``."""
        a, b = self.features(torch.cat([fixed, moving]) - 0.43).chunk(2)
        compared = F.leaky_relu(correlation(a, b), SLOPE)
        control = self.head(self.encoder(torch.cat([self.redirect(a), compared], 1)))
        control = REACH_PX * resize_image(control, CONTROL_SHAPE)
        matrices = [self.get_buffer("spline0"), self.get_buffer("spline1")]
        return fields.spline_field(control, matrices)

    def field(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict the field ``(B, 2, 320, 260)`` px of the crop."""
        return resize_field(self(fixed, moving), CROP_SHAPE)

    def terms(self, batch: dict[str, Tensor], weights: Tensor) -> dict[str, Tensor]:
        """Return the loss terms of the preset ``paper-unguided`` on a batch of `FaceBatches`.

        Args:
            batch: pairs with their labels.
            weights: of the classes.
        """
        objective = replace(PRESETS["paper-unguided"].loss, step_weights=(1.0,))
        n = len(FACE_CLASSES)
        fixed, moving = (
            Targets.from_labels(batch[f"{role}_labels"], None, n, FIELD_SHAPE, FIELD_SHAPE)
            for role in ("fixed", "moving")
        )
        found = self(batch["fixed"], batch["moving"])
        terms = registration_loss([found], fixed, moving, weights, objective)
        rough = objective.roughness * roughness(found, CROP_SHAPE)
        return {**terms, "field": terms["field"] + rough}
