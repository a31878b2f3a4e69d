"""GuidedRegistration: segmentation -> registration steps -> field. The method on one page."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from facewarp.core import fields
from facewarp.core.config import BoxFilterWidths, ModelConfig
from facewarp.core.geometry import (
    Shape,
    axis_scales,
    resize_field,
    resize_image,
    scale_axes,
    spatial_shape,
)
from facewarp.core.networks.part_net import PartNet
from facewarp.core.networks.reg_net import RegNet

_LEAST_PROBABILITY = 1e-6


@dataclass(frozen=True)
class Registered:
    """Result of one forward pass.

    Attributes:
        fields: one per step, the total field so far, ``(B, n, *field_shape)`` px of that grid;
            the last is the result.
        controls: one per step, control points in px of ``field_shape``.
        logits_fixed: part logits of the fixed image ``(B, K, *feature_shape)``.
        logits_moving: part logits of the moving image.
    """

    fields: tuple[Tensor, ...]
    controls: tuple[Tensor, ...]
    logits_fixed: Tensor
    logits_moving: Tensor


class GuidedRegistration(nn.Module):
    """Semantically guided registration in steps (Ha et al. 2020), 2D and 3D."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        if config.n_classes < 2:
            raise ValueError("a guided model needs the names of at least two classes")
        self.config = config
        n, k = config.ndim, config.n_classes
        self.parts = PartNet(config.features, k, n)
        distinct = config.steps[:1] if config.shared else config.steps
        self.steps = nn.ModuleList(RegNet(step, 2 * k, n) for step in distinct)
        self._matrices: dict[tuple[Shape, BoxFilterWidths, torch.device], list[Tensor]] = {}

    def with_config(self, config: ModelConfig) -> "GuidedRegistration":
        """Return the same layers, not copied, under another configuration, such as another grid."""
        net = copy.copy(self)
        net.config, net._matrices = config, {}
        return net

    def features(self, image: Tensor) -> Tensor:
        """Return part logits of images ``(B, 1, *shape)``, of the grid's shape or the input's."""
        logits: Tensor = self.parts(resize_image(image, self.config.input_shape))
        return logits

    def guidance(self, logits: Tensor) -> Tensor:
        """Return the input of the steps from logits."""
        return self.guidance_of(logits.softmax(1))

    def guidance_of(self, probabilities: Tensor) -> Tensor:
        """Return the input of the steps from part probabilities of an image or a template.

        Logits are defined up to a constant: here they add up to one, in training and inference.
        """
        if self.config.guidance == "probabilities":
            return probabilities
        return probabilities.clamp(min=_LEAST_PROBABILITY).log()

    def register(self, fixed: Tensor, moving: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Run the steps on two images' guidance ``(B, K, *feature_shape)``.

        Returns:
            Total fields after each step on the field's grid, and each step's control points, in
            px of the field's grid.
        """
        config = self.config
        feature_shape = spatial_shape(fixed)
        scales = [config.reach * s for s in axis_scales(feature_shape, config.field_shape)]
        total: Tensor | None = None
        totals, controls = [], []
        for index, step in enumerate(config.steps):
            warped = moving
            if total is not None:
                warped = fields.warp(moving, resize_field(total, feature_shape))
            net = self.steps[0 if config.shared else index]
            control = scale_axes(net(fixed, warped), scales)
            found = fields.spline_field(control, self._splines(control, step.box))
            if config.diffeomorphic:
                found = fields.exponential(found)
            if total is None:
                total = found
            elif config.combine == "compose":
                total = fields.compose(total, found)
            else:
                total = total + found
            totals.append(total)
            controls.append(control)
        return totals, controls

    def forward(self, fixed: Tensor, moving: Tensor) -> Registered:
        """Register batches of images ``(B, 1, *shape)`` with values in [0, 1]."""
        logits = self.features(torch.cat([fixed, moving]))
        logits_fixed, logits_moving = logits.chunk(2)
        totals, controls = self.register(self.guidance(logits_fixed), self.guidance(logits_moving))
        return Registered(tuple(totals), tuple(controls), logits_fixed, logits_moving)

    def _splines(self, control: Tensor, box: BoxFilterWidths) -> list[Tensor]:
        key = (spatial_shape(control), box, control.device)
        if key not in self._matrices:
            shape, border = self.config.field_shape, self.config.border
            boxes = (box,) * len(shape) if isinstance(box, int) else box
            with torch.inference_mode(False):  # the matrices outlive this call: training too
                self._matrices[key] = [
                    fields.spline_matrix(out, n, width, border=border).to(control.device)
                    for out, n, width in zip(shape, control.shape[2:], boxes, strict=True)
                ]
        return self._matrices[key]
