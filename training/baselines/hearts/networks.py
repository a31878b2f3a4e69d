"""Rivals on hearts that are networks, taught by images alone."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from facewarp.core.geometry import Shape
from facewarp.errors import FacewarpError
from facewarp.training.baselines.hearts.krebs import KrebsAutoencoder
from facewarp.training.baselines.hearts.voxelmorph import VoxelMorph
from facewarp.training.baselines.network_training import (
    BaselineSettings,
    Terms,
    read_network,
    train_baseline_network,
)
from facewarp.training.config.presets import PRESETS
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch
from facewarp.training.dataloading.heart_data import HeartData, heart_training_data

HeartNetwork = VoxelMorph | KrebsAutoencoder
NETWORKS = ("voxelmorph", "krebs")
VIEW = (16, 96, 96)  # what VoxelMorph, all convolutions, is trained on; Krebs sees the whole grid
DEFAULTS = BaselineSettings(steps=5000, batch=1, lr=6e-3, optimizer="muon")


def build(name: str, settings: Mapping[str, Any]) -> HeartNetwork:
    """A rival's network by its name, and the settings its weights were saved with."""
    return VoxelMorph(**settings) if name == "voxelmorph" else KrebsAutoencoder(**settings)


def new_network(name: str, settings: BaselineSettings, width: int | None = None) -> HeartNetwork:
    """A network to be trained, on the grid of the preset ``acdc``; the seed draws its weights.

    Raises:
        FacewarpError: a width is given: these networks have their own.
    """
    if width is not None:
        raise FacewarpError(f"{name} takes no --width", "--width", "Leave it out.")
    torch.manual_seed(settings.seed)
    shape: Shape = PRESETS["acdc"].model.grid_shape
    return build(name, {"shape": shape} if name == "krebs" else {})


def read_data(folder: Path) -> HeartData:
    """The patients that `heart_training_data` finds, without any held out."""
    return heart_training_data(folder, PRESETS["acdc"].model, hold_out=False)


def train_config(name: str, settings: BaselineSettings) -> TrainConfig:
    """The training as our own trainer has it: patients and views are those of ours."""
    view = VIEW if name == "voxelmorph" else ()
    # Images alone teach them: noise of its own in each phase is no help.
    return settings.train_config(name, replace(PRESETS["acdc"], augment=0.6, view_shape=view))


def train(
    net: HeartNetwork,
    name: str,
    data: HeartData,
    folder: Path,
    settings: BaselineSettings,
    *,
    workers: int = 1,
    **options: Any,
) -> Path:
    """Train a rival; see `train_baseline_network`, which takes the ``options``."""
    config = train_config(name, settings)
    about = {"training_data": data.description}
    batches = data.batches(config, workers)
    return train_baseline_network(net, objective(net), batches, folder, config, about, **options)


def objective(net: HeartNetwork) -> Terms:
    """A network's own objective; each pair is registered in a direction drawn at random."""

    def of_pair(batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        fixed, moving = batch["fixed"], batch["moving"]
        turned = torch.rand(len(fixed), generator=random).reshape(-1, 1, 1, 1, 1) < 0.5
        fixed, moving = torch.where(turned, moving, fixed), torch.where(turned, fixed, moving)
        return net.terms(fixed, moving, random)

    return of_pair


def load(path: Path, name: str) -> HeartNetwork:
    """Read a rival's weights.

    Raises:
        FacewarpError: no such file, of something else, or MONAI is missing and it needs it.
    """
    return read_network(path, name, build)
