from dataclasses import replace

import pytest
import torch
from torch import nn

from facewarp.core import fields
from facewarp.core.config import FeatureConfig, ModelConfig, StepConfig
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.core.networks.part_net import PartNet
from facewarp.core.networks.reg_net import RegNet
from facewarp.training.config.presets import PRESETS


def convolutions(net):
    return [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def test_the_paper_preset_has_the_papers_layers():
    parts = PartNet(FeatureConfig(), 8)
    assert [c.out_channels for c in convolutions(parts)] == [
        5,
        16,
        16,
        32,
        32,
        64,
        64,
        32,
        32,
        32,
        8,
    ]
    assert parts.eval()(torch.rand(1, 1, 320, 260)).shape == (1, 8, 160, 130)
    step = RegNet(StepConfig(), 16)
    assert [c.out_channels for c in convolutions(step)][:-2:2] == [16, 32, 64, 128, 256]
    assert step.eval()(torch.rand(1, 8, 160, 130), torch.rand(1, 8, 160, 130)).shape == (
        1,
        2,
        10,
        8,
    )
    assert 2 * parameters(step) == pytest.approx(2.3e6, rel=0.06)
    assert [s.box for s in ModelConfig().steps] == [19, 11]


@pytest.mark.parametrize("ndim", [2, 3])
def test_forward_gives_a_field_per_step_in_2d_and_3d(ndim, small, stirred):
    config = small(ndim)
    net = stirred(config)
    fixed, moving = torch.rand(2, 2, 1, *config.grid_shape)
    with torch.no_grad():
        found = net(fixed, moving)
    assert [f.shape for f in found.fields] == [(2, ndim, *config.field_shape)] * 2
    assert found.logits_fixed.shape[:2] == (2, 3)
    assert found.fields[-1].abs().max() > 0.01


def test_an_untrained_network_starts_as_the_identity(small):
    net = GuidedRegistration(small()).eval()
    with torch.no_grad():
        found = net(torch.rand(1, 1, 32, 24), torch.rand(1, 1, 32, 24))
    assert found.fields[-1].abs().max() < 0.1


def test_steps_are_composed_by_default_and_added_when_asked(small, stirred):
    config = small()
    net = stirred(config)
    image = torch.rand(2, 1, 1, 32, 24)
    with torch.no_grad():
        found = net(*image)
        first, total = found.fields
        second = fields.spline_field(found.controls[1], net._splines(found.controls[1], 3))
        torch.testing.assert_close(total, fields.compose(first, second))
        net.config = replace(config, combine="add")
        torch.testing.assert_close(net(*image).fields[-1], first + second)


def test_outputs_count_what_they_reach(small, stirred):
    net = stirred(small(2))
    far = GuidedRegistration(replace(net.config, reach=7.0)).eval()
    far.load_state_dict(net.state_dict())
    pair = torch.rand(2, 2, 1, *net.config.grid_shape)
    with torch.no_grad():
        torch.testing.assert_close(far(*pair).fields[0], 7 * net(*pair).fields[0])


def test_diffeomorphic_steps_do_not_fold(small, stirred):
    config = small(diffeomorphic=True)
    net = stirred(config)
    nn.init.normal_(net.steps[0].head[-1].bias, std=3.0)
    image = torch.rand(2, 1, 1, 32, 24)
    with torch.no_grad():
        first = net(*image).fields[0]
    assert fields.jacobian_determinant(first).min() > 0


def test_shared_steps_have_one_set_of_weights(small):
    same = (small().steps[0],) * 2
    shared = GuidedRegistration(small(steps=same, shared=True))
    apart = GuidedRegistration(small(steps=same))
    one = parameters(shared) - parameters(shared.parts)
    assert parameters(apart) - parameters(apart.parts) == 2 * one


def test_any_number_of_steps(small, stirred):
    for count in (1, 4):
        config = small(steps=(small().steps[0],) * count)
        found = stirred(config)(torch.rand(1, 1, 32, 24), torch.rand(1, 1, 32, 24))
        assert len(found.fields) == count


def test_fields_are_in_pixels_of_the_field_grid(small, stirred):
    """The same control points in feature pixels move twice as far on a grid twice as fine."""
    config = small()
    coarse = stirred(config)
    fine = stirred(replace(config, field_shape=(64, 48)))
    image = torch.rand(2, 1, 1, 32, 24)
    with torch.no_grad():
        a, b = coarse(*image).controls[0], fine(*image).controls[0]
    torch.testing.assert_close(b, 2 * a)


def test_every_weight_is_reached_by_the_gradient(small, stirred):
    net = stirred(small()).train()
    found = net(torch.rand(2, 1, 32, 24), torch.rand(2, 1, 32, 24))
    found.fields[-1].square().sum().backward()
    missing = [n for n, p in net.named_parameters() if p.grad is None]
    assert not missing


@pytest.mark.parametrize("ndim", [2, 3])
def test_added_skips_have_fewer_multiply_adds(ndim, small, stirred):
    concat = small(ndim)
    added = replace(
        concat,
        features=replace(concat.features, join="add"),
        steps=tuple(replace(step, join="add") for step in concat.steps),
    )
    net = stirred(added).train()
    before = GuidedRegistration(concat)
    assert net.parts.up[0][0].weight.shape[1] < before.parts.up[0][0].weight.shape[1]
    images = torch.rand(2, 1, *added.input_shape)
    found = net(images, images.flip(0))
    assert found.fields[-1].shape == (2, ndim, *added.field_shape)
    torch.stack([field.square().sum() for field in found.fields]).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    assert net.parts.narrow[0].weight.grad.abs().sum() > 0


def test_a_wide_first_step_shrinks_the_features(small, stirred):
    config = small()
    features = replace(config.features, entry_kernel=7, entry_stride=4, classify_kernel=1)
    net = stirred(replace(config, features=features, field_shape=(8, 6)))
    assert net.features(torch.rand(1, 1, 32, 24)).shape[2:] == (4, 3)
    assert net.parts.entry[0].weight.shape[2:] == (7, 7)
    assert net.parts.classify.weight.shape[2:] == (1, 1)
    assert net(torch.rand(1, 1, 32, 24), torch.rand(1, 1, 32, 24)).fields[-1].shape == (1, 2, 8, 6)


@pytest.mark.parametrize("name", ["face", "paper", "acdc", "acdc-paper", "acdc-slices"])
def test_the_size_of_the_features_is_known_beforehand(name):
    config = PRESETS[name].model
    with torch.device("meta"):
        net = GuidedRegistration(config)
        features = net.features(torch.zeros(1, config.features.inputs, *config.grid_shape))
    assert tuple(features.shape[2:]) == config.feature_shape


@pytest.mark.parametrize("shape", [(32, 24), (31, 23), (17, 40)])
def test_odd_sizes_of_features_round_up(small, shape):
    config = replace(small(), grid_shape=shape, input_shape=shape, field_shape=shape)
    for strides in ((2, 2), (3, 2), (2, 4)):
        features = replace(config.features, strides=strides, decoder=(), entry_stride=2)
        net = GuidedRegistration(replace(config, features=features))
        found = net.features(torch.rand(1, 1, *shape)).shape[2:]
        assert tuple(found) == net.config.feature_shape


def test_config_survives_json(small):
    config = small(3, guidance="probabilities", border="zero")
    assert ModelConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "build",
    [
        lambda: PartNet(FeatureConfig(strides=(2,)), 8),
        lambda: RegNet(StepConfig(control_level=9), 16),
        lambda: GuidedRegistration(ModelConfig()),
    ],
)
def test_configurations_that_do_not_fit_are_refused(build):
    with pytest.raises(ValueError, match=r"fit|classes"):
        build()
