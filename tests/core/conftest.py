"""Small networks to test with."""

import dataclasses

import pytest
import torch
from torch import nn

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.networks.guided_registration import GuidedRegistration

CLASSES = ("background", "a", "b")


def _small(ndim=2, **changes):
    """A network of two steps on a small grid, quick enough for tests."""
    shape = (32, 24) if ndim == 2 else (8, 32, 24)
    stride = 2 if ndim == 2 else (1, 2, 2)
    config = ModelConfig(
        classes=CLASSES,
        grid_shape=shape,
        input_shape=shape,
        field_shape=shape,
        features=FeatureConfig((4, 6, 8), (stride, stride), (6,), 0),
        steps=(
            StepConfig((6, 8), (stride,), control_level=1, box=3),
            StepConfig((6, 8), (stride,), control_level=0, box=3, down="stride"),
        ),
    )
    return dataclasses.replace(config, **changes)


def _stirred(config, seed=3):
    """A network whose steps do move: the last layer starts near zero."""
    torch.manual_seed(seed)
    net = GuidedRegistration(config).eval()
    for step in net.steps:
        nn.init.normal_(step.head[-1].weight, std=0.5)
    return net


@pytest.fixture
def small():
    return _small


@pytest.fixture
def stirred():
    return _stirred
