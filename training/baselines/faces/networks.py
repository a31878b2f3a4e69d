"""Rivals on faces that are networks: B-spline FlowNet by labels, FlowNets by known flows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.training.baselines.faces.flownet import FlowConfig, FlowNet
from facewarp.training.baselines.faces.spline_flownet import SplineFlowNet
from facewarp.training.baselines.faces.synthetic_flow import flow_loss
from facewarp.training.baselines.network_training import (
    BaselineSettings,
    Terms,
    read_network,
    train_baseline_network,
)
from facewarp.training.config.presets import FACE_CLASSES, PRESETS
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch
from facewarp.training.dataloading.face_batches import FaceBatches
from facewarp.training.dataloading.face_data import FaceData, helen_training_data
from facewarp.training.losses import class_weights

FaceNetwork = FlowNet | SplineFlowNet
NETWORKS = ("spline-flownet", "flownets", "flownetc")
PAPER = PRESETS["paper-unguided"]
DEFAULTS = BaselineSettings()
WIDTH = 16


def build(name: str, settings: Mapping[str, Any]) -> FaceNetwork:
    """A rival's network by its name, and the settings its weights were saved with."""
    if name == "spline-flownet":
        return SplineFlowNet(**settings)
    return FlowNet(FlowConfig(**{"kind": name, **settings}))


def new_network(name: str, settings: BaselineSettings, width: int | None = None) -> FaceNetwork:
    """A network to be trained; ``width`` channels are its first layer's, the seed draws weights."""
    torch.manual_seed(settings.seed)
    return build(name, {"width": width or WIDTH})


def read_data(folder: Path) -> FaceData:
    """The photographs that `helen_training_data` finds, without any held out."""
    return helen_training_data(folder, hold_out=False)


def train_config(name: str, settings: BaselineSettings) -> TrainConfig:
    """The training as our own trainer has it, with the views that the paper's variants see."""
    return settings.train_config(name, TrainConfig(name, PAPER.model, views="tested"))


def train(
    net: FaceNetwork,
    name: str,
    data: FaceData,
    folder: Path,
    settings: BaselineSettings,
    *,
    workers: int = 1,
    **options: Any,
) -> Path:
    """Train a rival; see `train_baseline_network`, which takes the ``options``."""
    config = train_config(name, settings)
    batches = data.batches(config, workers)
    about = {"training_data": data.description}
    return train_baseline_network(
        net, objective(net, batches), batches, folder, config, about, **options
    )


def objective(net: FaceNetwork, batches: FaceBatches) -> Terms:
    """What a network learns on a batch.

    Args:
        net: a FlowNet sees the fixed pictures of a batch alone, bent by flows drawn at random; a
            B-spline FlowNet its pairs and their labels.
        batches: whose first labels tell how rare each part is.
    """
    if isinstance(net, FlowNet):

        def by_flows(batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
            return {"flow": flow_loss(net, batch["fixed"], random)}

        return by_flows
    labels = batches.batch(0)["fixed_labels"].long()
    onehot = F.one_hot(labels, len(FACE_CLASSES)).movedim(-1, 1).float()
    weights = class_weights(onehot)

    def by_labels(batch: Batch, random: torch.Generator) -> dict[str, Tensor]:
        return net.terms(batch, weights)

    return by_labels


def load(path: Path, name: str) -> FaceNetwork:
    """Read a rival's weights; raises as `read_network` does."""
    return read_network(path, name, build)
