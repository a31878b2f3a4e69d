"""Copies of networks, and batch norms folded into convolutions."""

import copy

import pytest
import torch

from facewarp.core.networks.layers import conv_block, copied, fold_batch_norms


@pytest.fixture
def block():
    torch.manual_seed(3)
    layers = torch.nn.Sequential(conv_block(2, 3, 4), torch.nn.ModuleList([conv_block(2, 4, 2)])[0])
    layers(torch.randn(4, 3, 8, 8))  # statistics that are not those of the start
    layers[0][0].weight.requires_grad_(False)
    return layers.eval()


def test_a_copy_is_equal_and_shares_no_weights(block):
    images = torch.randn(2, 3, 8, 8)
    expected, before = block(images), copy.deepcopy(block.state_dict())
    other = copied(block)
    assert type(other) is type(block)
    assert torch.equal(other(images), expected)
    pairs = zip(block.parameters(), other.parameters(), strict=True)
    assert all(a.requires_grad == b.requires_grad for a, b in pairs)
    with torch.no_grad():
        for value in (*other.parameters(), *other.buffers()):
            value.zero_()
    other.train()
    other[1] = torch.nn.Identity()
    other.to(torch.bfloat16).requires_grad_(False)
    assert not block.training
    assert block[1][0].weight.requires_grad
    after = block.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert torch.equal(block(images), expected)


def test_folded_batch_norms_change_nothing_and_leave_the_network_alone(block):
    images = torch.randn(2, 3, 8, 8)
    expected = block(images)
    folded = fold_batch_norms(block)
    torch.testing.assert_close(folded(images), expected, atol=1e-5, rtol=1e-5)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded.modules())
    assert sum(isinstance(layer, torch.nn.BatchNorm2d) for layer in block.modules()) == 2
    assert torch.equal(block(images), expected)
