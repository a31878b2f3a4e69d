"""Configuration of a model: frozen dataclasses, stored as JSON inside the weights file."""

import dataclasses
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from facewarp.core.config_checks import check_config
from facewarp.core.geometry import Shape

Stride = int | tuple[int, ...]
BoxFilterWidths = int | tuple[int, ...]
Join = Literal["concat", "add"]


@dataclass(frozen=True)
class FeatureConfig:
    """Configuration of PartNet, the segmentation U-Net.

    Attributes:
        channels: channels of each encoder level; the first level works at input size.
        strides: step into each level after the first, one number or one per axis (D, H, W).
        decoder: channels of each decoder level, deepest first.
        refine: further 3x3 convolutions at the output level.
        entry_kernel: width of the first convolution.
        entry_stride: its step, where the image's size is not worth its cost.
        classify_kernel: width of the last convolution.
        join: skip connections: ``"concat"`` (the paper), or ``"add"`` after a 1x1 convolution, for
            half the multiply-adds.
        flat: in 3D, how many encoder levels (and decoder levels of their size), from the first
            on, have kernels within a slice: for thick slices, which correlate little.
        inputs: images read together, as channels: a slice and those beside it.
        subpixel: how many times finer than the last decoder level the classes are told, by
            sub-pixel convolution (Shi et al., CVPR 2016): detail without wide layers of full size.
        fine: channels of that finer level.
    """

    channels: tuple[int, ...] = (5, 16, 32, 64)
    strides: tuple[Stride, ...] = (2, 2, 2)
    decoder: tuple[int, ...] = (32, 32)
    refine: int = 1
    flat: int = 0
    entry_kernel: int = 3
    entry_stride: Stride = 1
    classify_kernel: int = 3
    join: Join = "concat"
    inputs: int = 1
    subpixel: int = 1
    fine: int = 16


@dataclass(frozen=True)
class StepConfig:
    """Configuration of RegNet, one registration step.

    Attributes:
        channels: channels of each encoder level; the first works at the features' size.
        strides: step into each level after the first.
        entry_stride: step into the first level, where full resolution is not worth its cost.
        control_level: the level at the size of the control grid. A deeper encoder has a decoder
            with skip connections back to it.
        box: width of the spline's mean filters, in px of the field's grid; one number or one
            per axis (D, H, W).
        down: ``"max"`` pools between levels (the paper), ``"stride"`` lets convolutions step.
        join: see `FeatureConfig`.
    """

    channels: tuple[int, ...] = (16, 32, 64, 128, 256)
    strides: tuple[Stride, ...] = (2, 2, 2, 2)
    entry_stride: Stride = 1
    control_level: int = 4
    box: BoxFilterWidths = 19
    down: Literal["max", "stride"] = "max"
    join: Join = "concat"


@dataclass(frozen=True)
class ModelConfig:
    """Configuration of a semantically guided registration model.

    Attributes:
        kind: ``"face"`` or ``"heart"``: what the classes are parts of; or ``"heart-slices"``, a
            part network of single slices, or ``"face-occlusion"``, a network of what hides a face.
        classes: names of the parts, background first.
        grid_shape: the grid of fields and points (the face crop).
        spacing_mm: size of its voxels along x, y, z; empty where nothing is measured in mm.
        input_shape: size of the network's input; the image is averaged down to it.
        field_shape: grid on which steps are composed; results are resized to ``grid_shape``.
        features: the semantic U-Net.
        steps: registration steps, coarse to fine; empty for a part network alone.
        guidance: what the steps read: part probabilities, or their logarithms (logits that add
            up to one).
        combine: fields of successive steps are composed, or added (the paper also tries it).
        reach: how far an output of 1 of a registration network moves, px of the features' grid:
            the greater, the sooner far displacements are learnt at a given learning rate.
        border: how splines end, see ``spline_matrix``.
        shared: all steps share the first step's weights.
        diffeomorphic: steps predict stationary velocities, integrated by scaling and squaring.
        guided: the logits were trained as a segmentation; without, they are plain features.
    """

    kind: str = "face"
    classes: tuple[str, ...] = ()
    grid_shape: Shape = (320, 260)
    spacing_mm: tuple[float, ...] = ()
    input_shape: Shape = (320, 260)
    field_shape: Shape = (160, 130)
    features: FeatureConfig = FeatureConfig()
    steps: tuple[StepConfig, ...] = (StepConfig(box=19), StepConfig(box=11))
    guidance: Literal["probabilities", "logits"] = "logits"
    combine: Literal["compose", "add"] = "compose"
    reach: float = 1.0
    border: Literal["edge", "zero"] = "edge"
    shared: bool = False
    diffeomorphic: bool = False
    guided: bool = True

    @property
    def ndim(self) -> int:
        """2 for images, 3 for volumes."""
        return len(self.grid_shape)

    @property
    def feature_shape(self) -> Shape:
        """Size of PartNet's output, the class probabilities."""
        features = self.features
        down = len(features.channels) - 1 - len(features.decoder)
        shape = self.input_shape
        for stride in (features.entry_stride, *features.strides[:down]):
            steps = (stride,) * len(shape) if isinstance(stride, int) else stride
            shape = tuple(-(-size // step) for size, step in zip(shape, steps, strict=True))
        return tuple(size * features.subpixel for size in shape)

    @property
    def field_spacing(self) -> tuple[float, ...]:
        """Size of the field grid's voxels along x, y, z, mm; empty without ``spacing_mm``."""
        ratios = zip(self.spacing_mm, self.grid_shape[::-1], self.field_shape[::-1], strict=False)
        return tuple(size * grid / field for size, grid, field in ratios)

    @property
    def n_classes(self) -> int:
        """Number of parts, background included."""
        return len(self.classes)

    @property
    def grain(self) -> Shape:
        """Factors that the sides of a grid must be multiples of, see `on_grid`."""
        inner = zip(self.grid_shape, self.input_shape, self.field_shape, strict=True)
        return tuple(math.lcm(*(g // math.gcd(g, n) for n in (i, f))) for g, i, f in inner)

    def on_grid(self, shape: Shape) -> "ModelConfig":
        """Return the configuration on a grid of another size, with pixels of the same size.

        Raises:
            ValueError: the size does not shrink to whole numbers as ``grid_shape`` does.
        """

        def scaled(inner: Shape) -> Shape:
            whole = [
                divmod(n * i, g) for n, i, g in zip(shape, inner, self.grid_shape, strict=True)
            ]
            if any(rest for _, rest in whole):
                raise ValueError(f"a model on {self.grid_shape} does not fit {tuple(shape)}")
            return tuple(n for n, _ in whole)

        return dataclasses.replace(
            self,
            grid_shape=tuple(shape),
            input_shape=scaled(self.input_shape),
            field_shape=scaled(self.field_shape),
        )

    def to_json(self) -> str:
        """Return the configuration as JSON, as stored in weights files."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "ModelConfig":
        """Read what `to_json` wrote.

        Raises:
            TypeError: a key is unknown.
            KeyError: one is missing.
            ValueError: it is no JSON, or a value is out of its bounds, see `config_checks`.
        """
        try:
            raw: dict[str, Any] = _tuples(json.loads(text))
        except RecursionError as error:
            raise ValueError("the configuration is nested too deeply") from error
        raw["features"] = FeatureConfig(**raw["features"])
        raw["steps"] = tuple(StepConfig(**step) for step in raw["steps"])
        config = cls(**raw)
        check_config(config)
        return config


def _tuples(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_tuples(item) for item in value)
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return value
