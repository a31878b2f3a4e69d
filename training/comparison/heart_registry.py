"""Registry of the methods on hearts: names, and the files they need."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.motion.model_grid import Array3
from facewarp.core.model import load
from facewarp.core.weights import WEIGHTS, file_sha256
from facewarp.errors import FacewarpError, shell_word
from facewarp.training.baselines.hearts import elastix
from facewarp.training.baselines.hearts.lcc_demons import lcc_demons, velocity_field
from facewarp.training.baselines.hearts.networks import HEART_NETWORKS
from facewarp.training.baselines.hearts.voxelmorph import INSTALL
from facewarp.training.comparison.base import MethodRegistry, SkippedMethod
from facewarp.training.config.presets import PRESETS
from facewarp.training.dataloading.heart_data import heart_grid
from facewarp.training.evaluation.heart_methods import (
    OURS,
    BaselineMethod,
    GuidedMethod,
    HeartMethod,
)

VARIANTS = tuple(name for name in PRESETS if name.startswith("acdc-paper"))
ALL = (
    *("unregistered", "lcc-demons", "elastix"),
    *(*HEART_NETWORKS.names, *sorted(VARIANTS, reverse=True), OURS),
)
Volume = NDArray[np.float32]


@dataclass(frozen=True)
class HeartSources:
    """Sources of the methods' learnt parameters.

    Attributes:
        runs: holds the folders of ``facewarp train``: a preset's by its name, ``baseline-NAME``.
        model: of the method ``facewarp``.
    """

    runs: Path = Path("runs")
    model: str = "heart"


def _check_name(name: str) -> None:
    known = {*ALL, *(name for name, p in PRESETS.items() if p.model.kind == "heart")}
    if name not in known:
        fix = f"Give all, or some of {', '.join(ALL)}."
        raise FacewarpError(f"there is no method {name!r} on hearts", "--methods", fix)


def _method(name: str, sources: HeartSources) -> HeartMethod | SkippedMethod:
    if name == OURS:
        return GuidedMethod(load(sources.model))
    if name in PRESETS:
        path = sources.runs / name / WEIGHTS
        if not path.is_file():
            command = (
                f"facewarp train acdc --data DIR --preset {name} --out {shell_word(path.parent)}"
            )
            return SkippedMethod.untrained(name, command)
        return GuidedMethod(load(path), name)
    if name == "unregistered":
        return BaselineMethod(name, _rest)
    if name == "lcc-demons":
        return BaselineMethod(name, _demons)
    if name == "elastix":
        if not elastix.is_installed():
            return SkippedMethod(name, "itk-elastix is not installed", elastix.INSTALL)
        return BaselineMethod(name, _elastix)
    return _trained(name, sources)


def _trained(name: str, sources: HeartSources) -> HeartMethod | SkippedMethod:
    path = sources.runs / f"baseline-{name}" / WEIGHTS
    if name == "voxelmorph" and find_spec("monai") is None:
        return SkippedMethod(name, "MONAI is not installed", INSTALL)
    if not path.is_file():
        command = f"facewarp train baseline {name} --data DIR --out {shell_word(path.parent)}"
        return SkippedMethod.untrained(name, command)
    net = HEART_NETWORKS.load(path, name)

    @torch.inference_mode()
    def find(fixed: Volume, moving: Volume, spacing_mm: Array3, both: bool) -> list[Volume]:
        first, second = (torch.from_numpy(one)[None, None] for one in (fixed, moving))
        pairs = [(first, second), (second, first)][: 1 + both]
        return [net(*pair)[0].numpy() for pair in pairs]

    size = sum(p.numel() for p in net.parameters())
    return BaselineMethod(name, find, heart_grid(PRESETS["acdc"].model), size, file_sha256(path))


def _rest(fixed: Volume, moving: Volume, spacing_mm: Array3, both: bool) -> list[Volume]:
    return [np.zeros((3, *fixed.shape), np.float32)] * (1 + both)


def _demons(fixed: Volume, moving: Volume, spacing_mm: Array3, both: bool) -> list[Volume]:
    velocity = lcc_demons(fixed, moving, spacing_mm)
    signs = (1, -1)[: 1 + both]
    return [velocity_field(sign * velocity)[0].numpy() for sign in signs]


def _elastix(fixed: Volume, moving: Volume, spacing_mm: Array3, both: bool) -> list[Volume]:
    pairs = [(fixed, moving), (moving, fixed)][: 1 + both]
    return [elastix.elastix_field(*pair, spacing_mm) for pair in pairs]


HEART_METHODS = MethodRegistry(ALL, _check_name, _method)
