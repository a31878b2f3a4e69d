"""The paper's variants as presets: each is the preset ``paper`` with a setting or two changed.

Ha, Wilms, Heinrich 2020, Table 1: the method with and without semantic loss, with one registration
network for both steps or one each, in one step, with a U-Net trained beforehand, and with
velocities in place of displacements.
"""

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from facewarp.core.config import ModelConfig, StepConfig
from facewarp.core.geometry import Shape
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.config.train_config import TrainConfig

SINGLE_CHANNELS = (24, 48, 90, 180, 362)  # of one step, for the parameters that two have
SIZES = {"full": 1, "half": 2, "quarter": 4}


def unguided(paper: "TrainConfig") -> "TrainConfig":
    """Return the preset without semantic loss: the registration loss alone trains the features."""
    return replace(
        paper,
        preset=f"{paper.preset}-unguided",
        model=replace(paper.model, guided=False),
        loss=replace(paper.loss, part_ce=0.0, part_dice=0.0),
    )


def paper_variants(paper: "TrainConfig") -> dict[str, "TrainConfig"]:
    """Return the variants of the paper's table of faces by name, from its preset."""
    model, loss = paper.model, paper.loss
    wide = StepConfig(channels=SINGLE_CHANNELS, box=model.steps[-1].box)
    variants = {
        "unguided": unguided(paper),
        "shared": replace(paper, model=replace(model, shared=True)),
        "single": replace(
            paper, model=replace(model, steps=(wide,)), loss=replace(loss, step_weights=(1.0,))
        ),
        "pretrained": replace(paper, parts_first=1 / 3, parts_after="freeze"),
        "diffeomorphic": replace(paper, model=replace(model, diffeomorphic=True)),
    }
    named = {f"{paper.preset}-{name}": config for name, config in variants.items()}
    return {name: replace(config, preset=name) for name, config in named.items()}


def at_size(model: ModelConfig, size: str) -> ModelConfig:
    """Return the network for a coarser image, with as many control points and parameters.

    Images are averaged down before the first layer, fields are predicted on a coarser grid, the
    registration networks have fewer pooling levels, and mean filters are narrower. Fields
    still come back on ``grid_shape``.

    Args:
        model: a network with its control points at its registration networks' deepest level.
        size: ``"full"``, ``"half"`` or ``"quarter"``.

    Raises:
        FacewarpError: no such size, or the network can't be made smaller so.
    """
    if size not in SIZES:
        raise FacewarpError(f"there is no size {size!r}", "--size", f"Give {', '.join(SIZES)}.")
    factor = SIZES[size]
    if factor == 1:
        return model
    if any(step.control_level != len(step.channels) - 1 for step in model.steps):
        what = "only networks that are read out at their deepest level can be made smaller"
        raise FacewarpError(what, "--size", "Choose a preset of the paper, or leave --size out.")
    less = factor.bit_length() - 1

    def shrunk(shape: Shape) -> Shape:
        return tuple(math.ceil(n / factor) for n in shape)

    steps = []
    for step in model.steps:
        if not isinstance(step.box, int) or len(step.strides) < less:
            raise FacewarpError("the network has too few levels for that", "--size")
        strides = (*step.strides[: len(step.strides) - less], *[1] * less)
        steps.append(replace(step, strides=strides, box=_odd(step.box / factor)))
    return replace(
        model,
        input_shape=shrunk(model.input_shape),
        field_shape=shrunk(model.field_shape),
        reach=model.reach / factor,
        steps=tuple(steps),
    )


def _odd(width: float) -> int:
    """Return the nearest odd number."""
    return max(1, 2 * round((width - 1) / 2) + 1)
