"""Training presets by name. Every setting can be changed by ``--set``."""

import dataclasses
from collections.abc import Mapping

from facewarp.core.config import BoxFilterWidths, FeatureConfig, ModelConfig, StepConfig, Stride
from facewarp.errors import FacewarpError
from facewarp.face.details.patches import CLASSES as DETAIL_CLASSES
from facewarp.face.details.patches import KIND as DETAILS
from facewarp.face.details.patches import PATCH_PX
from facewarp.face.parts import FacePart
from facewarp.training.config.overrides import with_overrides
from facewarp.training.config.paper_variants import paper_variants, unguided
from facewarp.training.config.train_config import LossConfig, TrainConfig

FACE_CLASSES = tuple(part.name.lower() for part in FacePart)
HEART_CLASSES = ("background", "rv", "myocardium", "lv")


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
    grids: tuple[tuple[int, BoxFilterWidths], ...] = ((2, (3, 5, 5)), (1, 3), (0, (1, 3, 3)))
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
    """Return the heart model of Ha et al.: voxels of 1.56 mm, two steps, filters 5 and 3 wide."""
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
        reach=26.0,
    )


def _slices_model() -> ModelConfig:
    """Return the part network of hearts: a slice of 1.4 mm with two on either side."""
    return ModelConfig(
        kind="heart-slices",
        classes=HEART_CLASSES,
        grid_shape=(128, 128),
        spacing_mm=(1.4, 1.4),
        input_shape=(128, 128),
        field_shape=(128, 128),
        features=FeatureConfig(
            channels=(32, 64, 128, 192),
            strides=(2, 2, 2),
            decoder=(128, 64, 32),
            refine=1,
            entry_kernel=5,
            entry_stride=2,
            inputs=5,
            subpixel=2,
            join="add",
        ),
        steps=(),
        guidance="probabilities",
    )


def _details_model() -> ModelConfig:
    """Return the part network of eyes and mouth: patches of 64 x 64 px."""
    side = (PATCH_PX, PATCH_PX)
    return ModelConfig(
        kind=DETAILS,
        classes=DETAIL_CLASSES,
        grid_shape=side,
        input_shape=side,
        field_shape=side,
        features=FeatureConfig(
            channels=(16, 32, 64, 96),
            strides=(2, 2, 2),
            decoder=(48, 24, 16),
            refine=0,
            entry_kernel=5,
            entry_stride=2,
            classify_kernel=1,
            join="add",
        ),
        steps=(),
        guidance="probabilities",
    )


def _occlusion_model() -> ModelConfig:
    """Return the network of what hides a face: color, features of 4 px, a matte of every px."""
    return ModelConfig(
        kind="face-occlusion",
        classes=("hidden", "face"),
        grid_shape=(160, 132),
        input_shape=(160, 132),
        field_shape=(160, 132),
        features=FeatureConfig(
            channels=(32, 64, 128, 128),
            strides=(2, 2, 2),
            decoder=(128, 64, 32),
            refine=0,
            entry_kernel=7,
            entry_stride=4,
            classify_kernel=1,
            inputs=3,
            subpixel=4,
            fine=4,
            join="add",
        ),
        steps=(),
        guidance="probabilities",
    )


_PAPER_BATCH, _PAPER_HEART_BATCH = 20, 2
_PAPER_ROUGHNESS = 1e-3  # of a norm that theirs takes of a batch, ours of an image
_PAPER_LOSS = LossConfig(
    part_dice=0.0,
    warp_dice=0.0,
    step_weights=(0.0, 1.0),
    landmarks=0.0,
    smoothness=0.0,
    bending=0.0,
    roughness=_PAPER_ROUGHNESS * _PAPER_BATCH**0.5,
    folds=0.0,
    consistency=0.0,
)

PRESETS: dict[str, TrainConfig] = {
    "face": TrainConfig(
        preset="face",
        model=_face_model(),
        loss=LossConfig(
            part_weighted=False,
            landmarks=0.01,
            smoothness=0.02,
            bending=0.1,
            folds=3.0,
            fold_margin=0.2,
            volume=0.12,
            consistency=0.04,
        ),
        optimizer="muon",
        batch=8,
        steps=16000,
        parts_first=0.1,
        lr=1e-2,
        weight_decay=1e-2,
        ema=0.9995,
        label_shape=(160, 130),
    ),
    "paper": TrainConfig(
        preset="paper",
        model=ModelConfig(kind="face", classes=FACE_CLASSES, border="zero", reach=72.0),
        loss=dataclasses.replace(_PAPER_LOSS, warp_l1=1 / len(FACE_CLASSES)),  # a mean over classes
        optimizer="adam",
        batch=_PAPER_BATCH,
        steps=18000,
        lr=1e-3,
        warmup=0,
        weight_decay=0.0,
        clip=0.0,
        ema=0.0,
        both_directions=False,
        views="tested",
    ),
    "acdc": TrainConfig(
        preset="acdc",
        model=_heart_model(),
        loss=LossConfig(part_ce=0.37, landmarks=0.0, folds=2.0, fold_margin=0.2),
        batch=2,
        steps=5000,
        view_shape=(12, 96, 96),
    ),
    "acdc-slices": TrainConfig(
        preset="acdc-slices",
        model=_slices_model(),
        loss=LossConfig(part_weighted=False, part_pooled=True, landmarks=0.0),
        optimizer="muon",
        batch=16,
        steps=6000,
        lr=1e-2,
        weight_decay=1e-2,
        ema=0.998,
        validate_every=500,
    ),
    "face-occlusion": TrainConfig(
        preset="face-occlusion",
        model=_occlusion_model(),
        loss=LossConfig(part_weighted=False, part_dice=0.0, landmarks=0.0, steadiness=4.0),
        optimizer="muon",
        batch=16,
        steps=24000,
        lr=1e-2,
        weight_decay=1e-2,
        ema=0.999,
        validate_every=1000,
        checkpoint_every=200,
    ),
    "face-details": TrainConfig(
        preset="face-details",
        model=_details_model(),
        loss=LossConfig(part_weighted=False, part_pooled=True, landmarks=0.0),
        optimizer="muon",
        batch=32,
        steps=16000,
        lr=1e-2,
        weight_decay=1e-2,
        ema=0.999,
        validate_every=1000,
    ),
    "acdc-paper": TrainConfig(
        preset="acdc-paper",
        model=_paper_heart_model(),
        loss=dataclasses.replace(
            _PAPER_LOSS,
            warp_l1=1 / len(HEART_CLASSES),
            roughness=_PAPER_ROUGHNESS * _PAPER_HEART_BATCH**0.5,
        ),
        optimizer="adam",
        batch=_PAPER_HEART_BATCH,
        steps=10500,
        lr=1e-3,
        warmup=0,
        weight_decay=0.0,
        clip=0.0,
        ema=0.0,
        both_directions=False,
    ),
}
PRESETS |= paper_variants(PRESETS["paper"])
PRESETS["acdc-paper-unguided"] = unguided(PRESETS["acdc-paper"])


def preset(name: str, settings: Mapping[str, str] | None = None) -> TrainConfig:
    """Return a preset with changed settings.

    Args:
        name: one of `PRESETS`.
        settings: new values by name, as text; see `facewarp.training.config.overrides`.
    """
    if name not in PRESETS:
        raise FacewarpError(
            f"there is no training preset {name!r}", fix=f"Choose one of {', '.join(PRESETS)}."
        )
    return with_overrides(PRESETS[name], settings or {})
