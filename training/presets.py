"""Training presets: what a run is made of, by name. Everything here can be changed by ``--set``."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from facewarp.core.config import Box, FeatureConfig, ModelConfig, StepConfig, Stride
from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart

FACE_CLASSES = tuple(part.name.lower() for part in FacePart)
HEART_CLASSES = ("background", "rv", "myocardium", "lv")
FIXED = ("preset", "kind", "classes")  # what a preset is, rather than how it is trained


@dataclass(frozen=True)
class LossConfig:
    """Weights of the training objective; see losses.py for each term.

    Attributes:
        part_ce, part_dice: semantic loss on the features' logits.
        part_weighted: cross-entropy weighs classes by their rareness (the paper); without, edges
            of small parts stay where they are, rather than a little outside.
        warp_l1, warp_dice: alignment of warped labels.
        step_weights: share of each registration step in the alignment; the last is repeated.
        landmarks: distance of corresponding landmarks, where the data have them.
        smoothness: squared first derivatives of the field, in px per px.
        bending: squared second derivatives of the field.
        folds: penalty on Jacobian determinants below ``fold_margin``.
        consistency: residual of composing the fields of both directions, in px.
    """

    part_ce: float = 1.0
    part_dice: float = 1.0
    part_weighted: bool = True
    warp_l1: float = 1.0
    warp_dice: float = 1.0
    step_weights: tuple[float, ...] = (0.3, 0.5, 1.0)
    landmarks: float = 0.02
    smoothness: float = 0.02
    bending: float = 0.05
    folds: float = 1.0
    fold_margin: float = 0.1
    consistency: float = 0.02


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        preset: name of the preset this started from.
        model: the network.
        loss: the objective.
        optimizer: ``"adamw"`` with cosine decay or ``"adam"`` with ``decay`` per epoch (paper).
        batch: pairs per step; both directions of each are trained.
        steps: optimisation steps.
        lr, warmup, decay, weight_decay, clip: optimiser settings.
        ema: decay of the weights' moving average, which is what is validated and shipped.
        both_directions: train fixed->moving and moving->fixed of each pair.
        augment: strength of augmentation, 0 switches it off.
        view_shape: size of the views trained on, where it is not the model's whole grid: nets of
            convolutions learn as well, and sooner, on what is around the heart.
        label_shape: grid on which labels are compared; empty for that of the fields.
        validate_every, checkpoint_every: in steps.
        seed: of weights, pairs and augmentation.
    """

    preset: str
    model: ModelConfig
    loss: LossConfig = LossConfig()
    optimizer: Literal["adamw", "adam"] = "adamw"
    batch: int = 12
    steps: int = 4000
    lr: float = 2e-3
    warmup: int = 100
    decay: float = 0.97
    weight_decay: float = 1e-4
    clip: float = 5.0
    ema: float = 0.998
    both_directions: bool = True
    augment: float = 1.0
    view_shape: tuple[int, ...] = ()
    label_shape: tuple[int, ...] = ()
    validate_every: int = 250
    checkpoint_every: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what can't be trained with."""
        for name in ("batch", "steps", "validate_every", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise FacewarpError(f"{name} is {getattr(self, name)}", fix="Give at least 1.")
        for name in ("lr", "warmup", "decay", "weight_decay", "clip", "ema", "augment", "seed"):
            if getattr(self, name) < 0:
                raise FacewarpError(f"{name} is {getattr(self, name)}", fix="Give at least 0.")
        if self.ema >= 1:
            raise FacewarpError(f"ema is {self.ema}", fix="Give less than 1, e.g. 0.998.")
        if not self.loss.step_weights:
            raise FacewarpError("loss.step_weights is empty", fix="Give a number a step.")

    @property
    def trained_model(self) -> ModelConfig:
        """The network on the grid of the views it is trained on.

        Raises:
            FacewarpError: it can't be laid on such a grid.
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
        """Read the ``config.json`` of a run; keys that aren't settings are passed over.

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


def _face_model() -> ModelConfig:
    step = StepConfig(
        channels=(32, 48, 64, 96), strides=(2, 2, 2), entry_stride=2, down="stride", join="add"
    )
    grids = ((2, 5), (1, 3), (0, 1))  # control level, box: 10x9, 20x17, 40x33 control points
    return ModelConfig(
        kind="face",
        classes=FACE_CLASSES,
        input_shape=(320, 260),
        field_shape=(80, 65),
        features=FeatureConfig(
            channels=(32, 64, 128, 160, 160),
            strides=(2, 2, 2, 2),
            decoder=(128, 128, 64, 32),
            refine=0,
            entry_kernel=7,
            entry_stride=4,
            classify_kernel=1,
            join="add",
        ),
        steps=tuple(
            dataclasses.replace(step, control_level=level, box=box) for level, box in grids
        ),
        guidance="probabilities",
    )


def _heart_model() -> ModelConfig:
    flat: Stride = (1, 2, 2)
    step = StepConfig(
        channels=(16, 32, 48, 64),
        strides=(flat, (2, 2, 2), (2, 2, 2)),
        entry_stride=flat,
        down="stride",
    )
    grids: tuple[tuple[int, Box], ...] = ((2, (3, 5, 5)), (1, 3), (0, (1, 3, 3)))
    return ModelConfig(
        kind="heart",
        classes=HEART_CLASSES,
        grid_shape=(16, 128, 128),
        spacing_mm=(1.8, 1.8, 10.0),
        input_shape=(16, 128, 128),
        field_shape=(16, 64, 64),
        features=FeatureConfig(
            channels=(8, 24, 48, 96, 128),
            strides=(flat, flat, flat, (2, 2, 2)),
            decoder=(96, 48, 24),
            refine=0,
            flat=3,
        ),
        steps=tuple(
            dataclasses.replace(step, control_level=level, box=box) for level, box in grids
        ),
        guidance="probabilities",
    )


def _paper_heart_model() -> ModelConfig:
    """Ha et al. on hearts: cubes of 1.56 mm, two steps, mean filters 5 and 3 wide."""
    step = StepConfig(channels=(16, 32, 64), strides=(2, 2), control_level=2)
    return ModelConfig(
        kind="heart",
        classes=HEART_CLASSES,
        grid_shape=(64, 128, 128),
        spacing_mm=(1.56, 1.56, 1.56),
        input_shape=(64, 128, 128),
        field_shape=(32, 64, 64),
        steps=tuple(dataclasses.replace(step, box=box) for box in (5, 3)),
        border="zero",
    )


_PAPER_LOSS = LossConfig(
    part_dice=0.0,
    warp_dice=0.0,
    step_weights=(0.0, 1.0),
    landmarks=0.0,
    smoothness=1e-3,
    bending=0.0,
    folds=0.0,
    consistency=0.0,
)

PRESETS: dict[str, TrainConfig] = {
    "face": TrainConfig(
        preset="face",
        model=_face_model(),
        loss=LossConfig(
            part_weighted=False, smoothness=0.03, bending=0.1, fold_margin=0.2, consistency=0.04
        ),
        steps=8000,
        ema=0.999,
        label_shape=(160, 130),
    ),
    "paper": TrainConfig(
        preset="paper",
        model=ModelConfig(kind="face", classes=FACE_CLASSES, border="zero", combine="compose"),
        loss=_PAPER_LOSS,
        optimizer="adam",
        batch=20,
        steps=18000,
        lr=1e-3,
        warmup=0,
        weight_decay=0.0,
        clip=0.0,
        ema=0.0,
        both_directions=False,
    ),
    "acdc": TrainConfig(
        preset="acdc",
        model=_heart_model(),
        loss=LossConfig(landmarks=0.0, folds=2.0, fold_margin=0.2),
        batch=2,
        steps=5000,
        view_shape=(12, 96, 96),
    ),
    "acdc-paper": TrainConfig(
        preset="acdc-paper",
        model=_paper_heart_model(),
        loss=_PAPER_LOSS,
        optimizer="adam",
        batch=2,
        steps=10500,
        lr=1e-3,
        warmup=0,
        weight_decay=0.0,
        clip=0.0,
        ema=0.0,
        both_directions=False,
    ),
}


def preset(name: str, settings: Mapping[str, str] | None = None) -> TrainConfig:
    """The named preset, changed by settings.

    Args:
        name: one of `PRESETS`.
        settings: new values by name, as text; see :func:`with_settings`.
    """
    if name not in PRESETS:
        raise FacewarpError(
            f"there is no training preset {name!r}", fix=f"Choose one of {', '.join(PRESETS)}."
        )
    return with_settings(PRESETS[name], settings or {})


def with_settings(config: TrainConfig, settings: Mapping[str, str]) -> TrainConfig:
    """Change a configuration.

    Args:
        config: what to begin with.
        settings: new values by name, as text: ``{"steps": "200", "loss.landmarks": "0"}``. A
            tuple's values stand between commas.

    Raises:
        FacewarpError: there is no such setting, or this can't be its value.
    """
    for key, text in settings.items():
        config = _replace(config, key.split("."), text, key)
    return config


def parse_settings(items: Sequence[str]) -> dict[str, str]:
    """The settings of ``--set`` options ``["steps=200", ...]``; the last of a name counts."""
    settings = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not (key.strip() and equals):
            raise FacewarpError(
                f"{item!r} is not a setting", "--set", "Write it as key=value, e.g. lr=1e-3."
            )
        settings[key.strip()] = text.strip()
    return settings


def _replace(node: Any, path: list[str], text: str, key: str) -> Any:
    names = [field.name for field in dataclasses.fields(node) if field.name not in FIXED]
    if path[0] not in names:
        raise FacewarpError(
            f"there is no setting {key!r}", "--set", f"Settings here: {', '.join(names)}."
        )
    old = getattr(node, path[0])
    if len(path) == 1:
        new = _parse(old, text, key, get_args(get_type_hints(type(node))[path[0]]))
        return dataclasses.replace(node, **{path[0]: new})
    if not dataclasses.is_dataclass(old):
        raise FacewarpError(f"there is no setting {key!r}: {path[0]} has no parts", "--set")
    return dataclasses.replace(node, **{path[0]: _replace(old, path[1:], text, key)})


def _parse(old: Any, text: str, key: str, hints: tuple[Any, ...]) -> Any:
    """The value that `text` stands for, of the kind that `old` is.

    Args:
        old: the value before.
        text: the new one.
        key: its name, for errors.
        hints: arguments of its type: the choices of a word, the kind of a tuple's members.
    """
    try:
        if isinstance(old, bool):
            wanted = "true or false"
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(old, int | float):
            wanted = "a whole number" if isinstance(old, int) else "a number"
            return _number(old, text)
        if isinstance(old, tuple) and hints[:1] in ((int,), (float,)):
            kind = hints[0]
            like = old or (kind(12), kind(96), kind(96))
            wanted = f"numbers with commas between them, like {','.join(map(str, like))}"
            return tuple(_number(kind(0), item) for item in text.split(","))
        if isinstance(old, str) and hints:
            wanted = f"one of {', '.join(hints)}"
            return {choice: choice for choice in hints}[text]
    except (ValueError, KeyError):
        raise FacewarpError(
            f"{text!r} is no value for {key!r}", "--set", f"Give {wanted}."
        ) from None
    raise FacewarpError(f"{key!r} can't be set from the command line", "--set")


def _number(old: float, text: str) -> float:
    number = type(old)(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
