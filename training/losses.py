"""Losses: segmentation of the features, alignment of labels, regularization of fields.

Labels come as soft one-hot maps ``(B, K, *shape)``; fields in pixels of their own grid.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.core import fields
from facewarp.core.geometry import Shape, resize_field, resize_image, spatial_shape
from facewarp.training.config.train_config import LossConfig

LANDMARK_WEIGHTS = (0.3,) * 17 + (1.0,) * 51  # jaw points slide along the jaw: annotators differ


@dataclass(frozen=True)
class Targets:
    """Ground truth of one side of a pair.

    Attributes:
        onehot: soft labels ``(B, K, *label_shape)``.
        onehot_small: the same at the features' shape.
        landmarks: ``(B, 68, n)`` px of the labels' grid, NaN where unknown; None without any.
    """

    onehot: Tensor
    onehot_small: Tensor
    landmarks: Tensor | None

    @classmethod
    def from_labels(
        cls,
        labels: Tensor,
        landmarks: Tensor | None,
        n_classes: int,
        label_shape: Shape,
        feature_shape: Shape,
    ) -> "Targets":
        """Make targets from label maps and landmarks.

        Args:
            labels: part ids ``(B, *grid_shape)``.
            landmarks: ``(B, 68, n)`` px of that grid, NaN where unknown; None without any.
            n_classes: number of parts, background included.
            label_shape: grid that warped labels are compared on.
            feature_shape: grid of the features' logits.
        """
        where = labels.device
        onehot = soft_labels(labels, n_classes, label_shape)
        if landmarks is not None:
            size = torch.tensor(labels.shape[:0:-1], dtype=landmarks.dtype, device=where)
            target = torch.tensor(label_shape[::-1], dtype=landmarks.dtype, device=where)
            landmarks = (landmarks + 0.5) * (target / size) - 0.5
        return cls(onehot, resize_image(onehot, feature_shape), landmarks)

    def rows(self, rows: list[int]) -> "Targets":
        """Select the targets of some images of the batch, in this order."""
        points = None if self.landmarks is None else self.landmarks[rows]
        return Targets(self.onehot[rows], self.onehot_small[rows], points)


def soft_labels(labels: Tensor, n_classes: int, shape: Shape) -> Tensor:
    """Return soft labels: the share of each part in the pixels of a grid ``(B, K, *shape)``.

    Args:
        labels: part ids ``(B, *grid_shape)``.
        n_classes: number of parts, background included.
        shape: the grid; where it is a whole fraction of the labels' own, shares are exact.
    """
    ids = torch.arange(n_classes, dtype=labels.dtype, device=labels.device)
    ids = ids.view(1, -1, *[1] * (labels.ndim - 1))
    factors = [source // target for source, target in zip(labels.shape[1:], shape, strict=True)]
    is_whole = all(f * t == s for f, t, s in zip(factors, shape, labels.shape[1:], strict=True))
    if not is_whole or math.prod(factors) > 255:
        return resize_image((labels[:, None] == ids).float(), shape)
    # Counting in bytes is seven times as fast as averaging floats.
    count = labels.new_zeros((len(labels), n_classes, *shape), dtype=torch.uint8)
    for offsets in itertools.product(*(range(factor) for factor in factors)):
        every = tuple(slice(o, None, f) for o, f in zip(offsets, factors, strict=True))
        count += labels[:, None, *every] == ids
    return count.float() / math.prod(factors)


def class_weights(onehot: Tensor) -> Tensor:
    """Return class weights: inverse square root of frequency, mean 1 (Ha et al. 2020, 2.3.2)."""
    frequency = onehot.mean(dim=[0, *range(2, onehot.ndim)]).clamp(min=1e-5)
    weights = frequency.rsqrt()
    return weights / weights.mean()


def soft_dice(prediction: Tensor, target: Tensor, pooled: bool = False) -> Tensor:
    """Return the soft Dice loss: one minus the mean over foreground classes and images.

    Args:
        prediction: probabilities ``(B, K, *shape)``.
        target: soft labels, likewise.
        pooled: sum overlaps over the whole batch, as if it were one image.
    """
    if pooled:
        prediction, target = (x.transpose(0, 1).flatten(1)[None] for x in (prediction, target))
    axes = list(range(2, prediction.ndim))
    overlap = (prediction * target).sum(axes)[:, 1:]
    total = (prediction + target).sum(axes)[:, 1:]
    present = target.sum(axes)[:, 1:] > 0.5
    dice = (2 * overlap + 1) / (total + 1)
    return 1 - (dice * present).sum() / present.sum().clamp(min=1)


def part_loss(
    logits: Tensor,
    target: Tensor,
    weights: Tensor,
    loss: LossConfig,
    mean: Callable[[Tensor], Tensor] = lambda weight: weight,
) -> Tensor:
    """Return the segmentation losses: cross-entropy with soft labels, and soft Dice.

    Logits are resized to the target's shape, as in inference. With class weights, the
    cross-entropy is the weighted mean over pixels (the paper); in distributed training, over the
    pixels of all processes: `mean` averages over them.
    """
    shape = (1, -1, *[1] * (logits.ndim - 2))
    logits = resize_image(logits, spatial_shape(target))
    wanted = weights.view(shape) * target if loss.part_weighted else target
    likelihood = logits.log_softmax(1)
    entropy = -(wanted * likelihood).sum() / mean(wanted.sum())
    total = loss.part_ce * entropy
    if loss.part_dice:
        total = total + loss.part_dice * soft_dice(likelihood.exp(), target, loss.part_pooled)
    return total


def alignment_loss(moved: Tensor, fixed: Tensor, weights: Tensor, loss: LossConfig) -> Tensor:
    """Return the alignment losses of warped labels: weighted L1 (the paper), and soft Dice."""
    shape = (1, -1, *[1] * (moved.ndim - 2))
    total = loss.warp_l1 * (weights.view(shape) * (moved - fixed).abs()).sum(1).mean()
    if loss.warp_dice:
        total = total + loss.warp_dice * soft_dice(moved, fixed)
    return total


def landmark_loss(field: Tensor, fixed: Tensor, moving: Tensor) -> Tensor:
    """Return the Huber distance (px, knee at 2 px) of landmarks mapped from fixed to moving."""
    known = (torch.isfinite(fixed) & torch.isfinite(moving)).all(-1)
    start = torch.where(known[..., None], fixed, torch.zeros_like(fixed))
    end = torch.where(known[..., None], moving, torch.zeros_like(moving))
    distance = F.huber_loss(fields.warp_points(start, field), end, reduction="none", delta=2.0)
    weight = known * field.new_tensor(LANDMARK_WEIGHTS)
    return (distance.sum(-1) * weight).sum() / weight.sum().clamp(min=1.0)


def field_penalty(field: Tensor, loss: LossConfig, spacing: Sequence[float] = ()) -> Tensor:
    """Return the regularization of a field: smoothness, bending energy, folds, volume change.

    Args:
        field: ``(B, n, *shape)`` px of its own grid.
        loss: the weights of the four.
        spacing: size of the grid's voxels along x, y, z; cubes when empty. Derivatives are those
            of the motion in space, with the voxel's x as the unit of length: a step through
            thick slices counts as the long way that it is.
    """
    size = field.new_tensor(spacing or [1.0] * field.shape[1])
    size = size / size[0]
    each = [1, -1, *[1] * (field.ndim - 2)]
    gradient = fields.field_gradient(field)
    gradient = gradient * (size[:, None] / size).view(1, len(size), len(size), *each[2:])
    total = loss.smoothness * gradient.square().sum((1, 2)).mean()
    if loss.bending:
        moved = field * size.view(each)
        second = torch.stack(
            [
                torch.diff(moved, n=2, dim=axis).square().sum(1).mean()
                / size[field.ndim - 1 - axis] ** 4
                for axis in range(2, field.ndim)
            ]
        )
        total = total + loss.bending * second.sum()
    if loss.folds or loss.volume:
        determinant = fields.jacobian_determinant(field)
        shortfall = F.relu(loss.fold_margin - determinant)
        total = total + loss.folds * shortfall.mean()
        if loss.volume:
            total = total + loss.volume * determinant.flatten(1).var(1, correction=0).mean()
    return total


def roughness(field: Tensor, shape: Shape) -> Tensor:
    """Return the change of a field by two mean filters of width 5 (Ha et al. 2020).

    The norm of the difference, of each component, over all pixels: it grows with the grid, so
    that its weight holds for one size. Filters pad with zeros, which penalizes displacements at
    the border too.

    Args:
        field: ``(B, n, *grid)`` px of its own grid; it is counted in half extents of it.
        shape: the grid that it is resized to and smoothed on, that of the images.
    """
    grid = spatial_shape(field)
    extent = field.new_tensor(grid[::-1]).view(1, -1, *[1] * len(grid))
    whole = smooth = field * (2 / extent)
    for axis, (n, size) in enumerate(zip(grid, shape, strict=True), start=2):
        enlarge, blur = (m.to(field) for m in _smoothing(n, size))
        whole = (whole.movedim(axis, -1) @ enlarge).movedim(-1, axis)
        smooth = (smooth.movedim(axis, -1) @ blur).movedim(-1, axis)
    return (whole - smooth).flatten(2).norm(dim=2).sum(1).mean()


@functools.cache
def _smoothing(n: int, size: int) -> tuple[Tensor, Tensor]:
    """Return matrices ``(n, size)`` that enlarge an axis linearly, and enlarge and smooth it."""
    with torch.inference_mode(False):
        enlarge = F.interpolate(torch.eye(n)[None], size, mode="linear")
        blur = F.avg_pool1d(F.avg_pool1d(enlarge, 5, 1, 2), 5, 1, 2)
        return enlarge[0], blur[0]


def steadiness_loss(logits: Tensor, moved: Tensor, every: int, margin: int = 4) -> Tensor:
    """Return how much the parts of a picture and of the same one moved differ, mean of squares.

    Args:
        logits: ``(B, classes, h, w)``; each last of `every` rows shows the row before it, moved.
        moved: ``(B, 2)`` whole px to the right and down, at most `margin`.
        every: rows.
        margin: px along the border that aren't compared.
    """
    again = slice(every - 1, None, every)
    back = [
        torch.roll(one, (-int(y), -int(x)), (1, 2))
        for one, (x, y) in zip(logits[again].softmax(1), moved[again].tolist(), strict=True)
    ]
    if not back:
        return logits.new_zeros(())
    first = logits[every - 2 :: every][: len(back)].softmax(1)
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    return (first - torch.stack(back))[inner].square().mean()


def consistency_loss(field: Tensor, back: Tensor) -> Tensor:
    """Return the inverse-consistency error of the fields of both directions, mean, px."""
    return fields.compose(field, back).square().sum(1).add(1e-6).sqrt().mean()


def registration_loss(
    totals: list[Tensor],
    fixed: Targets,
    moving: Targets,
    weights: Tensor,
    loss: LossConfig,
    spacing: Sequence[float] = (),
) -> dict[str, Tensor]:
    """Return every loss term on the fields of all steps; their sum is minimized.

    Args:
        totals: total fields after each step, px of their own grid.
        fixed: ground truth of the fixed images.
        moving: ground truth of the moving images.
        weights: of the classes.
        loss: of the terms.
        spacing: size of the field's voxels, see `field_penalty`.
    """
    shares = [*loss.step_weights, *[loss.step_weights[-1]] * len(totals)][: len(totals)]
    align = totals[0].new_zeros(())
    points = totals[0].new_zeros(())
    penalty = totals[0].new_zeros(())
    small_shape, label_shape = (spatial_shape(t) for t in (fixed.onehot_small, fixed.onehot))
    for index, (field, share) in enumerate(zip(totals, shares, strict=True)):
        if share == 0:
            continue
        if index + 1 < len(totals):  # early steps at the features' size: a quarter of the work
            moved = fields.warp(moving.onehot_small, resize_field(field, small_shape))
            align = align + share * alignment_loss(moved, fixed.onehot_small, weights, loss)
        else:
            moved = fields.warp(moving.onehot, resize_field(field, label_shape))
            align = align + share * alignment_loss(moved, fixed.onehot, weights, loss)
        penalty = penalty + share * field_penalty(field, loss, spacing)
        if loss.landmarks and fixed.landmarks is not None and moving.landmarks is not None:
            dense = resize_field(field, label_shape)
            distance = landmark_loss(dense, fixed.landmarks, moving.landmarks)
            points = points + share * loss.landmarks * distance
    return {"align": align, "landmarks": points, "field": penalty}
