"""Optimizer of a run, its learning rate schedule, and the moving average of weights."""

import math

import torch
from torch import nn

from facewarp.training.config.train_config import TrainConfig
from facewarp.training.muon import Muon

_FEWEST = 16  # rows and columns of a kernel that Muon turns
_ADAM_LR = 5e-3  # of what it doesn't turn, at most


def make_optimizer(config: TrainConfig, net: nn.Module) -> torch.optim.Optimizer:
    """Make Muon, AdamW or Adam; weight decay applies to kernels, not to vectors (biases, norms)."""
    if config.optimizer == "muon":
        return _make_muon(config, net)
    kernels = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr)


@torch.no_grad()
def update_ema(average: nn.Module, net: nn.Module, decay: float) -> None:
    """Update an exponential moving average of weights: towards the network by ``1 - decay``."""
    pairs = zip(average.state_dict().values(), net.state_dict().values(), strict=True)
    for mean, value in pairs:
        if mean.is_floating_point():
            mean.lerp_(value, 1 - decay)
        else:
            mean.copy_(value)


def _make_muon(config: TrainConfig, net: nn.Module) -> Muon:
    """Make Muon: it steps inner kernels; Adam steps first and last layers, and vectors.

    A layer with one input channel or few outputs has no directions to equalize.
    """
    kernels: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in net.parameters():
        is_wide = parameter.ndim > 2 and min(parameter.shape[:2]) > 1
        is_wide = is_wide and min(len(parameter), parameter[0].numel()) >= _FEWEST
        (kernels if is_wide else others).append(parameter)
    scale = min(1.0, _ADAM_LR / config.lr) if config.lr else 1.0
    return Muon(
        kernels,
        others,
        config.lr,
        weight_decay=config.weight_decay,
        others_scale=scale,
        precision=getattr(torch, config.precision),
    )


def learning_rate(config: TrainConfig, step: int) -> float:
    """Return the learning rate: linear warm-up, then cosine decay, or decay by epochs (Adam).

    Where the features learn first, both stages have a schedule of their own.

    Args:
        config: of the run.
        step: number of the step, from 0.
    """
    first = config.first_steps
    decay = config.decay ** (config.epochs / config.steps)  # per step
    step, steps = (step, first) if step < first else (step - first, config.steps - first)
    if step < config.warmup:
        return config.lr * (step + 1) / config.warmup
    if config.optimizer != "adam":
        done = (step - config.warmup) / max(steps - config.warmup, 1)
        return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return config.lr * decay**step
