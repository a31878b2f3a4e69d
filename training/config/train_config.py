"""The configuration of a training: losses, optimizer, data, budget."""

import dataclasses
import json
from dataclasses import dataclass
from typing import Literal

from facewarp.core.config import ModelConfig
from facewarp.errors import FacewarpError

WHOLE_GRID = "whole grid"  # in the metadata of weights without a `TrainConfig.view_shape`


@dataclass(frozen=True)
class LossConfig:
    """Weights of the training objective; see losses.py for each term.

    Attributes:
        part_ce, part_dice: semantic loss on the features' logits.
        part_pooled: overlaps of the Dice loss are summed over the whole batch, so that images
            without a part count too.
        part_weighted: weight the cross-entropy by inverse class frequency (the paper); without,
            edges of small parts are unbiased rather than a little outside.
        warp_l1, warp_dice: alignment of warped labels.
        step_weights: share of each registration step in the alignment; the last is repeated.
        landmarks: distance of corresponding landmarks, where the data have them.
        smoothness: squared first derivatives of the field, in px per px.
        bending: squared second derivatives of the field.
        roughness: change of the field by smoothing, the paper's regularization; at the size of
            the images.
        folds: penalty on Jacobian determinants below ``fold_margin``.
        volume: variance of the Jacobian determinant over an image.
        consistency: inverse-consistency error of the fields of both directions, in px.
        steadiness: squared change of the parts from a picture to the same one moved by whole px,
            with other light and grain; for data that show some pictures again.
    """

    part_ce: float = 1.0
    part_dice: float = 1.0
    part_weighted: bool = True
    part_pooled: bool = False
    warp_l1: float = 1.0
    warp_dice: float = 1.0
    step_weights: tuple[float, ...] = (0.3, 0.5, 1.0)
    landmarks: float = 0.02
    smoothness: float = 0.02
    bending: float = 0.05
    roughness: float = 0.0
    folds: float = 1.0
    fold_margin: float = 0.1
    volume: float = 0.0
    consistency: float = 0.02
    steadiness: float = 0.0


@dataclass(frozen=True)
class TrainConfig:
    """Configuration of a training run.

    Attributes:
        preset: name of the preset this started from.
        model: the network.
        loss: the objective.
        optimizer: ``"muon"`` or ``"adamw"`` with cosine decay, or ``"adam"`` with ``decay`` per
            epoch (paper).
        batch: pairs per step; both directions of each are trained.
        steps: optimisation steps.
        epochs: number of epochs that ``steps`` stand for in the schedule: ``decay`` applies to
            each, so that a run of fewer steps has the same schedule, compressed.
        parts_first: share of the steps that train the features alone, by the semantic loss.
        parts_after: whether they are trained on with the rest afterwards, or frozen.
        accumulate: parts of a batch for gradient accumulation, where memory is short.
        precision: of convolutions and of Muon's iteration; weights, last layers, fields and losses
            are float32 anyway.
        lr, warmup, decay, weight_decay, clip: of the optimizer.
        ema: decay of the weights' moving average, which is validated and shipped.
        both_directions: train fixed->moving and moving->fixed of each pair.
        views: of faces: ``"wild"``: any scale, rotation, occlusion and light; or ``"tested"``,
            cropped as in the test and augmented by an affine map alone (the paper).
        augment: strength of augmentation, 0 switches it off.
        view_shape: size of the views trained on, where it is not the model's whole grid: fully
            convolutional networks train as well, and faster, around the heart.
        label_shape: grid that labels are compared on; empty for that of the fields.
        validate_every, checkpoint_every: in steps.
        seed: of weights, pairs and augmentation.
    """

    preset: str
    model: ModelConfig
    loss: LossConfig = LossConfig()
    optimizer: Literal["muon", "adamw", "adam"] = "adamw"
    batch: int = 12
    steps: int = 4000
    epochs: float = 300.0
    parts_first: float = 0.0
    parts_after: Literal["train", "freeze"] = "train"
    accumulate: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    lr: float = 2e-3
    warmup: int = 100
    decay: float = 0.97
    weight_decay: float = 1e-4
    clip: float = 5.0
    ema: float = 0.998
    both_directions: bool = True
    views: Literal["wild", "tested"] = "wild"
    augment: float = 1.0
    view_shape: tuple[int, ...] = ()
    label_shape: tuple[int, ...] = ()
    validate_every: int = 250
    checkpoint_every: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse settings that can't be trained with."""
        for name in ("batch", "steps", "validate_every", "checkpoint_every", "accumulate"):
            if getattr(self, name) < 1:
                raise FacewarpError(f"{name} is {getattr(self, name)}", fix="Give at least 1.")
        plain = ("lr", "warmup", "decay", "weight_decay", "clip", "ema", "augment", "seed")
        for name in (*plain, "epochs", "parts_first"):
            if getattr(self, name) < 0:
                raise FacewarpError(f"{name} is {getattr(self, name)}", fix="Give at least 0.")
        if self.ema >= 1:
            raise FacewarpError(f"ema is {self.ema}", fix="Give less than 1, e.g. 0.998.")
        if self.parts_first >= 1:
            what, fix = f"parts_first is {self.parts_first}", "Give less than 1, e.g. 0.3."
            raise FacewarpError(what, fix=fix)
        if self.batch % self.accumulate:
            what = f"a batch of {self.batch} can't be worked through in {self.accumulate} parts"
            raise FacewarpError(what, "accumulate", "Give a number that divides batch.")
        if not self.loss.step_weights:
            raise FacewarpError("loss.step_weights is empty", fix="Give a number a step.")

    @property
    def first_steps(self) -> int:
        """Number of steps that train the features alone."""
        return round(self.parts_first * self.steps)

    @property
    def trained_model(self) -> ModelConfig:
        """The network configuration on the grid of the views it is trained on.

        Raises:
            FacewarpError: the network can't have such a grid.
        """
        if not self.view_shape:
            return self.model
        try:
            return self.model.on_grid(self.view_shape)
        except ValueError as error:
            fix = f"Give a size that shrinks as {self.model.grid_shape} does."
            raise FacewarpError(f"views can't be so large: {error}", "view_shape", fix) from error

    @classmethod
    def from_json(cls, text: str) -> "TrainConfig":
        """Read the ``config.json`` of a run; keys that aren't settings are ignored.

        Raises:
            FacewarpError: this is not a run's configuration.
        """
        try:
            raw = json.loads(text)
            raw["model"] = ModelConfig.from_json(json.dumps(raw["model"]))
            weights = tuple(raw["loss"]["step_weights"])
            raw["loss"] = LossConfig(**{**raw["loss"], "step_weights": weights})
            for name in ("view_shape", "label_shape"):
                raw[name] = tuple(raw.get(name, ()))
            names = {field.name for field in dataclasses.fields(cls)}
            return cls(**{name: value for name, value in raw.items() if name in names})
        except (ValueError, KeyError, TypeError) as error:
            raise FacewarpError(f"this is not a run's configuration: {error}") from error
