"""Bounds of a model's configuration: what a weights file may ask a program to build."""

import math
from typing import Any

PARTS_ALONE = ("face-details", "face-occlusion", "heart-slices")  # they register nothing

_MAX_CLASSES = 64
_MAX_SIDE = 4096  # of a grid, px or voxels
_MAX_POINTS = 1 << 26  # of a grid
_MAX_CHANNELS = 4096
_MAX_LEVELS = 8
_MAX_STRIDE = 8
_MAX_KERNEL = 15
_MAX_REFINE = 32
_MAX_INPUTS = 64
_MAX_BOX = 511
_MAX_STEPS = 16
_MAX_REACH = 1000.0
_MAX_SPACING_MM = 1000.0


def check_config(config: Any) -> None:
    """Refuse a configuration of values that no network of ours has.

    What a file claims is looked at before anything is built by it: a number of layers or channels
    in the millions would take the memory, or never end.

    Args:
        config: a `ModelConfig` as read, whatever its fields hold.

    Raises:
        ValueError: a value is of another type, not finite, or out of its bounds.
    """
    ndim = _shape("grid_shape", config.grid_shape, None)
    for name in ("input_shape", "field_shape"):
        _shape(name, getattr(config, name), ndim)
    _need(isinstance(config.kind, str), "kind", config.kind)
    classes = config.classes
    is_named = isinstance(classes, tuple) and all(isinstance(name, str) for name in classes)
    _need(is_named and 2 <= len(classes) <= _MAX_CLASSES, "classes", classes)
    spacing = config.spacing_mm
    has_spacing = isinstance(spacing, tuple) and len(spacing) in (0, ndim)
    _need(has_spacing and all(_is_real(s, _MAX_SPACING_MM) for s in spacing), "spacing_mm", spacing)
    _need(_is_real(config.reach, _MAX_REACH), "reach", config.reach)
    _one_of("guidance", config.guidance, ("probabilities", "logits"))
    _one_of("combine", config.combine, ("compose", "add"))
    _one_of("border", config.border, ("edge", "zero"))
    for name in ("shared", "diffeomorphic", "guided"):
        _need(isinstance(getattr(config, name), bool), name, getattr(config, name))
    _check_features(config.features, ndim)
    least = 0 if config.kind in PARTS_ALONE else 1
    _need(least <= len(config.steps) <= _MAX_STEPS, "steps", len(config.steps))
    for step in config.steps:
        _check_step(step, ndim)


def _check_features(features: Any, ndim: int) -> None:
    _channels("features.channels", features.channels, 1)
    _channels("features.decoder", features.decoder, 0)
    _strides("features.strides", features.strides, len(features.channels) - 1, ndim)
    _stride("features.entry_stride", features.entry_stride, ndim)
    _need(len(features.decoder) < len(features.channels), "features.decoder", features.decoder)
    _whole("features.refine", features.refine, 0, _MAX_REFINE)
    _whole("features.flat", features.flat, 0, _MAX_LEVELS)
    for name in ("entry_kernel", "classify_kernel"):
        kernel = getattr(features, name)
        _whole(f"features.{name}", kernel, 1, _MAX_KERNEL)
        _need(kernel % 2 == 1, f"features.{name}", kernel)
    _one_of("features.join", features.join, ("concat", "add"))
    _whole("features.inputs", features.inputs, 1, _MAX_INPUTS)
    _whole("features.subpixel", features.subpixel, 1, _MAX_STRIDE)
    _whole("features.fine", features.fine, 1, _MAX_CHANNELS)


def _check_step(step: Any, ndim: int) -> None:
    _channels("steps.channels", step.channels, 1)
    depth = len(step.channels) - 1
    _strides("steps.strides", step.strides, depth, ndim)
    _stride("steps.entry_stride", step.entry_stride, ndim)
    _whole("steps.control_level", step.control_level, 0, depth)
    for width in _per_axis("steps.box", step.box, ndim):
        _whole("steps.box", width, 1, _MAX_BOX)
    _one_of("steps.down", step.down, ("max", "stride"))
    _one_of("steps.join", step.join, ("concat", "add"))


def _shape(name: str, shape: Any, ndim: int | None) -> int:
    _need(isinstance(shape, tuple) and len(shape) in ((2, 3) if ndim is None else (ndim,)),
          name, shape)  # fmt: skip
    for side in shape:
        _whole(name, side, 1, _MAX_SIDE)
    _need(math.prod(shape) <= _MAX_POINTS, name, shape)
    return len(shape)


def _channels(name: str, channels: Any, least: int) -> None:
    is_short = isinstance(channels, tuple) and least <= len(channels) <= _MAX_LEVELS
    _need(is_short, name, channels)
    for count in channels:
        _whole(name, count, 1, _MAX_CHANNELS)


def _strides(name: str, strides: Any, count: int, ndim: int) -> None:
    _need(isinstance(strides, tuple) and len(strides) == count, name, strides)
    for stride in strides:
        _stride(name, stride, ndim)


def _stride(name: str, stride: Any, ndim: int) -> None:
    for step in _per_axis(name, stride, ndim):
        _whole(name, step, 1, _MAX_STRIDE)


def _per_axis(name: str, value: Any, ndim: int) -> tuple[Any, ...]:
    """One number for all axes, or one for each."""
    if not isinstance(value, tuple):
        return (value,)
    _need(len(value) == ndim, name, value)
    return value


def _whole(name: str, value: Any, least: int, most: int) -> None:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    _need(is_whole and least <= value <= most, name, value)


def _is_real(value: Any, most: float) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 < value <= most


def _one_of(name: str, value: Any, choices: tuple[str, ...]) -> None:
    _need(value in choices, name, value)


def _need(holds: bool, name: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{name} can't be {str(value)[:60]}")


def estimate_parameters(config: Any) -> int:
    """Estimate how many parameters a network of a configuration has, before it is built.

    0.9 to 1.5 times as many as there are in the networks of all training presets; up to 4 times
    where kernels of volumes stay within a slice.
    """
    ndim, features = config.ndim, config.features
    kernel: int = 3**ndim
    total: int = features.inputs * features.entry_kernel**ndim * features.channels[0]
    total += _chain(features.channels, features.inputs, kernel)
    climbed, below = features.channels[-2::-1], features.channels[-1]
    for width, skip in zip(features.decoder, climbed, strict=False):
        total += kernel * ((below + skip) * width + width * width)
        below = width
    total += features.refine * kernel * below * below
    total += features.classify_kernel**ndim * below * config.n_classes
    for step in config.steps[:1] if config.shared else config.steps:
        climbs = step.control_level < len(step.channels) - 1
        total += (1 + climbs) * _chain(step.channels, 2 * config.n_classes, kernel)
    return total


def _chain(channels: tuple[int, ...], inputs: int, kernel: int) -> int:
    """Parameters of an encoder with two convolutions a level."""
    pairs = zip((inputs, *channels), channels, strict=False)
    return sum(kernel * (before * after + after * after) for before, after in pairs)
