"""Baseline networks on faces: B-spline FlowNet by labels, FlowNets by known flows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.training.baselines.faces.flownet import FlowConfig, FlowNet
from facewarp.training.baselines.faces.spline_flownet import SplineFlowNet
from facewarp.training.baselines.faces.synthetic_flow import flow_loss
from facewarp.training.baselines.network_family import NetworkFamily
from facewarp.training.baselines.network_training import BaselineSettings, Terms
from facewarp.training.config.presets import FACE_CLASSES, PRESETS
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.batches import Batch, Batches
from facewarp.training.dataloading.face_data import FaceData, helen_training_data
from facewarp.training.losses import class_weights

FaceNetwork = FlowNet | SplineFlowNet
PAPER = PRESETS["paper-unguided"]
WIDTH = 16


def build(name: str, settings: Mapping[str, Any]) -> FaceNetwork:
    """Build a network from its name and the settings that its weights were saved with."""
    if name == "spline-flownet":
        return SplineFlowNet(**settings)
    return FlowNet(FlowConfig(**{"kind": name, **settings}))


def new_network(name: str, settings: BaselineSettings, width: int | None = None) -> FaceNetwork:
    """Build a network to be trained, with `width` channels in its first layer."""
    torch.manual_seed(settings.seed)
    return build(name, {"width": width or WIDTH})


def read_data(folder: Path) -> FaceData:
    """Read the photographs that `helen_training_data` finds, without any held out."""
    return helen_training_data(folder, hold_out=False)


def train_config(name: str, settings: BaselineSettings) -> TrainConfig:
    """Return the configuration of a training, on the views of the paper's variants."""
    return settings.train_config(name, TrainConfig(name, PAPER.model, views="tested"))


def objective(net: FaceNetwork, batches: Batches) -> Terms:
    """Return the loss terms of a network.

    Args:
        net: a FlowNet is trained on the fixed images of a batch alone, warped by random flows; a
            B-spline FlowNet on its pairs and their labels.
        batches: the labels of the first give the class weights.
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


FACE_NETWORKS = NetworkFamily(
    names=("spline-flownet", "flownets", "flownetc"),
    defaults=BaselineSettings(),
    build=build,
    new_network=new_network,
    read_data=read_data,
    train_config=train_config,
    objective=objective,
)
