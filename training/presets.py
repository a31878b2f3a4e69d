"""Training presets: what a run is made of, by name. Everything here can be changed by ``--set``."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart

FACE_CLASSES = tuple(part.name.lower() for part in FacePart)


@dataclass(frozen=True)
class LossConfig:
    """Weights of the training objective; see losses.py for each term.

    Attributes:
        part_ce, part_dice: semantic loss on the features' logits.
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
    warp_l1: float = 1.0
    warp_dice: float = 1.0
    step_weights: tuple[float, ...] = (0.3, 0.5, 1.0)
    landmarks: float = 0.1
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
        validate_every, checkpoint_every: in steps.
        seed: of weights, pairs and augmentation.
    """

    preset: str
    model: ModelConfig
    loss: LossConfig = LossConfig()
    optimizer: str = "adamw"
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
    validate_every: int = 250
    checkpoint_every: int = 100
    seed: int = 0


def _face_model() -> ModelConfig:
    step = StepConfig(channels=(32, 48, 64, 96), strides=(2, 2, 2), entry_stride=2, down="stride")
    grids = ((2, 9), (1, 5), (0, 3))  # control level, box: 10x9, 20x17, 40x33 control points
    return ModelConfig(
        kind="face",
        classes=FACE_CLASSES,
        input_shape=(160, 130),
        field_shape=(160, 130),
        features=FeatureConfig(
            channels=(12, 32, 64, 96, 128), strides=(2, 2, 2, 2), decoder=(96, 64, 32), refine=0
        ),
        steps=tuple(
            dataclasses.replace(step, control_level=level, box=box) for level, box in grids
        ),
        guidance="probabilities",
    )


PRESETS: dict[str, TrainConfig] = {
    "face": TrainConfig(preset="face", model=_face_model()),
    "paper": TrainConfig(
        preset="paper",
        model=ModelConfig(kind="face", classes=FACE_CLASSES, border="zero", combine="compose"),
        loss=LossConfig(
            part_dice=0.0,
            warp_dice=0.0,
            step_weights=(0.0, 1.0),
            landmarks=0.0,
            smoothness=1e-3,
            bending=0.0,
            folds=0.0,
            consistency=0.0,
        ),
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
}


def preset(name: str, overrides: dict[str, str] | None = None) -> TrainConfig:
    """The named preset with ``--set`` overrides (``steps=200``, ``loss.landmarks=0``) applied."""
    if name not in PRESETS:
        raise FacewarpError(
            f"there is no training preset {name!r}", fix=f"choose one of {', '.join(PRESETS)}"
        )
    config = PRESETS[name]
    for key, text in (overrides or {}).items():
        config = _replace(config, key.split("."), text, key)
    return config


def _replace(node: Any, path: list[str], text: str, key: str) -> Any:
    names = {f.name for f in dataclasses.fields(node)}
    if path[0] not in names:
        raise FacewarpError(
            f"the setting {key!r} does not exist", fix=f"settings here: {', '.join(sorted(names))}"
        )
    old = getattr(node, path[0])
    if len(path) > 1:
        if not dataclasses.is_dataclass(old):
            raise FacewarpError(f"the setting {key!r} does not exist: {path[0]} has no parts")
        return dataclasses.replace(node, **{path[0]: _replace(old, path[1:], text, key)})
    return dataclasses.replace(node, **{path[0]: _parse(old, text, key)})


def _parse(old: Any, text: str, key: str) -> Any:
    try:
        if isinstance(old, bool):
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(old, int | float | str):
            return type(old)(text)
        if isinstance(old, tuple) and old and isinstance(old[0], int | float):
            return tuple(type(old[0])(item) for item in text.split(","))
    except (ValueError, KeyError):
        pass
    else:
        raise FacewarpError(f"the setting {key!r} cannot be set from the command line")
    raise FacewarpError(
        f"{text!r} is not a value for {key!r}", fix=f"it is a {type(old).__name__} like {old!r}"
    )
