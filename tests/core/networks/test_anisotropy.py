"""Thick slices: kernels that stay in them, splines of a width per axis, grids of other sizes."""

import dataclasses

import pytest
import torch

from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.networks.part_net import PartNet

STRIDE = (1, 2, 2)


def test_flat_levels_see_one_slice_and_the_others_see_more():
    torch.manual_seed(0)
    volume = torch.rand(1, 1, 6, 16, 16)
    changed = volume.clone()
    changed[:, :, 3] = torch.rand(16, 16)
    features = FeatureConfig((4, 6, 8), (STRIDE, STRIDE), (6,), refine=1, flat=3)
    for flat, reach in ((3, 0), (2, 2)):
        net = PartNet(dataclasses.replace(features, flat=flat), 3, ndim=3).eval()
        with torch.no_grad():
            touched = (net(volume) - net(changed)).abs().amax((0, 1, 3, 4)) > 1e-7
        assert touched.nonzero().flatten().tolist() == list(range(3 - reach, 3 + reach + 1))


def test_two_dimensional_networks_have_no_slices_to_stay_in():
    plain, flat = (PartNet(FeatureConfig(flat=n), 3) for n in (0, 2))
    assert [p.shape for p in plain.parameters()] == [p.shape for p in flat.parameters()]


def test_spline_widths_per_axis_smooth_that_axis_alone(small):
    step = StepConfig((6, 8), (STRIDE,), control_level=0, box=(1, 1, 5))
    net = GuidedRegistration(small(3, steps=(step,)))
    control = torch.zeros(1, 3, 8, 32, 24)
    control[0, 0, 4, 16, 12] = 1.0
    depth, height, width = net._splines(control, step.box)
    assert torch.equal(depth, torch.eye(8))
    assert torch.equal(height, torch.eye(32))
    assert (width[:, 12] > 0).sum() == 13  # three filters of 5


def test_a_network_on_another_grid_is_the_same_network(small, stirred):
    config = small(3).on_grid((8, 64, 64))
    net = stirred(config)
    wide = GuidedRegistration(config.on_grid((8, 128, 128))).eval()
    wide.load_state_dict(net.state_dict())
    torch.manual_seed(1)
    image = torch.rand(1, 1, 8, 128, 128)
    with torch.no_grad():
        parts = wide.features(image)  # at half the size within the slices
        cut = net.features(image[:, :, :, 32:96, 32:96])
    assert torch.allclose(parts[:, :, :, 28:36, 28:36], cut[:, :, :, 12:20, 12:20], atol=1e-5)


def test_other_grids_keep_the_proportions_of_the_inner_grids():
    config = ModelConfig(
        classes=("a", "b"),
        grid_shape=(16, 128, 128),
        input_shape=(16, 128, 128),
        field_shape=(16, 64, 64),
        spacing_mm=(1.8, 1.8, 10.0),
    )
    view = config.on_grid((12, 96, 80))
    assert (view.grid_shape, view.input_shape, view.field_shape) == (
        (12, 96, 80),
        (12, 96, 80),
        (12, 48, 40),
    )
    assert config.field_spacing == view.field_spacing == (3.6, 3.6, 10.0)
    with pytest.raises(ValueError, match="does not fit"):
        config.on_grid((12, 95, 80))
    assert config.grain == (1, 2, 2)


@pytest.mark.parametrize("inner", [(64, 128, 128), (32, 64, 64), (16, 96, 64)])
def test_every_multiple_of_the_grain_is_a_grid(inner):
    config = ModelConfig(
        classes=("a", "b"), grid_shape=(64, 128, 128), input_shape=(32, 64, 64), field_shape=inner
    )
    shape = tuple(3 * n for n in config.grain)
    assert config.on_grid(shape).grid_shape == shape
    for axis, n in enumerate(config.grain):
        for less in range(1, n):
            off = tuple(size - less * (axis == i) for i, size in enumerate(shape))
            with pytest.raises(ValueError, match="does not fit"):
                config.on_grid(off)


def test_spacing_and_widths_survive_the_weights_file():
    config = ModelConfig(
        classes=("a", "b"),
        grid_shape=(4, 8, 8),
        input_shape=(4, 8, 8),
        field_shape=(4, 8, 8),
        spacing_mm=(1.0, 2.0, 9.0),
        features=FeatureConfig((2, 4), (STRIDE,), (), 0, flat=1),
        steps=(StepConfig((2, 4), (STRIDE,), control_level=0, box=(1, 3, 3)),),
    )
    assert ModelConfig.from_json(config.to_json()) == config
