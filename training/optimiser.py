"""How weights are changed: the optimiser of a run, and its learning rate step by step."""

import math

import torch
from torch import nn

from facewarp.training.presets import TrainConfig


def make_optimizer(config: TrainConfig, net: nn.Module) -> torch.optim.Optimizer:
    """AdamW or Adam; kernels decay, vectors (biases, norms, slopes) don't."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    vectors = [p for p in net.parameters() if p.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=config.lr)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then cosine decay (AdamW) or decay by epochs (Adam).

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
    if config.optimizer == "adamw":
        done = (step - config.warmup) / max(steps - config.warmup, 1)
        return config.lr * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
    return config.lr * decay**step
