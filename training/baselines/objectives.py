"""What each rival network learns: by labels carried over, or by flows that are known."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from facewarp.training.baselines.flownet import FlowNet
from facewarp.training.baselines.spline_flownet import SplineFlowNet
from facewarp.training.baselines.synthetic_flow import flow_loss
from facewarp.training.batches import FaceBatches
from facewarp.training.losses import class_weights
from facewarp.training.presets import FACE_CLASSES

Batch = dict[str, Tensor]


def objective_of(
    net: FlowNet | SplineFlowNet, batches: FaceBatches, seed: int
) -> Callable[[Batch], Tensor]:
    """A network's loss on a batch.

    Args:
        net: a FlowNet sees the fixed pictures of a batch alone, bent; a B-spline FlowNet its
            pairs and their labels.
        batches: whose first labels tell how rare each part is.
        seed: of the flows.
    """
    if isinstance(net, FlowNet):
        random = torch.Generator().manual_seed(seed)
        return lambda batch: flow_loss(net, batch["fixed"], random)
    labels = batches.batch(0)["fixed_labels"].long()
    onehot = F.one_hot(labels, len(FACE_CLASSES)).movedim(-1, 1).float()
    weights = class_weights(onehot)
    return lambda batch: net.loss(batch, weights)
