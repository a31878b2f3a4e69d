"""The paper's method as published, reimplemented: the reference of speed measurements.

Ha, Wilms, Heinrich 2020: a U-Net turns the 320 x 260 crop into part logits at half its size; two
RegNets in turn predict 10 x 8 control points; a field is those points interpolated and smoothed by
three mean filters; the second step sees the moving features warped by the first, and the two
fields are composed at full size. Plain PyTorch layers without folding or fusion.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facewarp.core import fields
from facewarp.core.config import StepConfig
from facewarp.core.geometry import Shape, resize_field
from facewarp.core.networks.part_net import PartNet
from facewarp.core.networks.reg_net import RegNet
from facewarp.training.config.presets import PRESETS
from facewarp.training.losses import (
    Targets,
    alignment_loss,
    class_weights,
    part_loss,
    roughness,
)


class PaperRecipe(nn.Module):
    """The network of the paper, one direction at a time; random weights, for timing only."""

    def __init__(self) -> None:
        super().__init__()
        config = PRESETS["paper"].model
        self.size: Shape = config.input_shape
        self.parts = PartNet(config.features, config.n_classes)
        self.boxes = [_width(step) for step in config.steps]
        self.steps = nn.ModuleList(RegNet(step, 2 * config.n_classes) for step in config.steps)
        self.eval()

    @torch.inference_mode()
    def features(self, image: Tensor) -> Tensor:
        """Return logits ``(B, 8, 160, 130)`` of crops ``(B, 1, 320, 260)`` in [0, 1]."""
        logits: Tensor = self.parts(image)
        return logits

    @torch.inference_mode()
    def forward(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict the field ``(B, 2, 320, 260)`` px of the crop from two images' logits."""
        return self.register(fixed, moving)

    def register(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Predict as `forward`, with gradients."""
        shape = (int(fixed.shape[2]), int(fixed.shape[3]))
        first = pooled_spline(self.steps[0](fixed, moving), shape, self.boxes[0])
        warped = fields.warp(moving, first)
        second = pooled_spline(self.steps[1](fixed, warped), shape, self.boxes[1])
        return fields.compose(resize_field(first, self.size), resize_field(second, self.size))


def pooled_spline(control: Tensor, shape: Shape, box: int) -> Tensor:
    """Interpolate control points ``(B, 2, h, w)`` to ``shape`` and average three times."""
    dense = F.interpolate(control, size=list(shape), mode="bilinear", align_corners=False)
    for _ in range(3):
        dense = F.avg_pool2d(dense, box, stride=1, padding=box // 2)
    return dense


def _width(step: StepConfig) -> int:
    assert isinstance(step.box, int)
    return step.box


def train_published(batch: dict[str, Tensor]) -> Callable[[dict[str, Tensor]], float]:
    """Return the recipe's optimization step on batches of pairs, for timing only.

    Labels are warped at full size by the composed field, and compared there; Adam, one direction.

    Args:
        batch: a first batch, for the class weights.
    """
    net = PaperRecipe().train()
    loss = PRESETS["paper"].loss
    count = PRESETS["paper"].model.n_classes
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    whole = net.size
    weights = class_weights(F.one_hot(batch["fixed_labels"].long(), count).movedim(-1, 1).float())

    def step(batch: dict[str, Tensor]) -> float:
        fixed, moving = (
            Targets.from_labels(batch[f"{role}_labels"], None, count, whole, whole)
            for role in ("fixed", "moving")
        )
        logits = net.parts(torch.cat([batch["fixed"], batch["moving"]]))
        of_fixed, of_moving = logits.chunk(2)
        field = net.register(of_fixed, of_moving)
        parts = part_loss(logits, torch.cat([fixed.onehot, moving.onehot]), weights, loss)
        moved = fields.warp(moving.onehot, field)
        total = parts + alignment_loss(moved, fixed.onehot, weights, loss)
        total = total + loss.roughness * roughness(field, whole)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        return float(total.item())

    return step
