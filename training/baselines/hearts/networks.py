"""Baseline networks on hearts, trained on images without labels."""

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
from facewarp.training.baselines.network_family import NetworkFamily
from facewarp.training.baselines.network_training import BaselineSettings, Terms
from facewarp.training.config.presets import PRESETS
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.heart_data import HeartData, heart_training_data

HeartNetwork = VoxelMorph | KrebsAutoencoder
VIEW = (16, 96, 96)  # VoxelMorph, fully convolutional, is trained on views; Krebs on the whole grid


def build(name: str, settings: Mapping[str, Any]) -> HeartNetwork:
    """Build a network from its name and the settings that its weights were saved with."""
    return VoxelMorph(**settings) if name == "voxelmorph" else KrebsAutoencoder(**settings)


def new_network(name: str, settings: BaselineSettings, width: int | None = None) -> HeartNetwork:
    """Build a network to be trained, on the grid of the preset ``acdc``.

    Raises:
        FacewarpError: a width is given: these networks have their own.
    """
    if width is not None:
        raise FacewarpError(f"{name} takes no --width", "--width", "Leave it out.")
    torch.manual_seed(settings.seed)
    shape: Shape = PRESETS["acdc"].model.grid_shape
    return build(name, {"shape": shape} if name == "krebs" else {})


def read_data(folder: Path) -> HeartData:
    """Read the patients that `heart_training_data` finds, without any held out."""
    return heart_training_data(folder, PRESETS["acdc"].model, hold_out=False)


def train_config(name: str, settings: BaselineSettings) -> TrainConfig:
    """Return the configuration of a training, on the patients and views of our own preset."""
    view = VIEW if name == "voxelmorph" else ()
    # Trained on images alone: noise of its own in each phase is no help.
    return settings.train_config(name, replace(PRESETS["acdc"], augment=0.6, view_shape=view))


def objective(net: HeartNetwork, batches: Batches) -> Terms:
    """Return the loss terms of a network; each pair is registered in a random direction."""

    def of_pair(batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        fixed, moving = batch["fixed"], batch["moving"]
        swapped = torch.rand(len(fixed), generator=random).reshape(-1, 1, 1, 1, 1) < 0.5
        fixed, moving = torch.where(swapped, moving, fixed), torch.where(swapped, fixed, moving)
        return net.terms(fixed, moving, random)

    return of_pair


HEART_NETWORKS = NetworkFamily(
    names=("voxelmorph", "krebs"),
    defaults=BaselineSettings(steps=5000, batch=1, lr=6e-3, optimizer="muon"),
    build=build,
    new_network=new_network,
    read_data=read_data,
    train_config=train_config,
    objective=objective,
)
