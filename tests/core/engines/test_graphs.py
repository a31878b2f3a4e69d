"""Exported programs are rewritten in operators that converters know, or left to PyTorch."""

import pytest
import torch
from torch import nn
from torch.export import ExportedProgram

from facewarp.core.engines.graphs import (
    GRAPHS,
    core_program,
    decomposed,
    exported_program,
    lean,
    ready_for_onnx,
    without_copy_warning,
)


class Halves(nn.Module):
    """A convolution whose result is used before and after it is changed in place."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)

    def forward(self, x):
        x = self.conv(x)
        corner = x[:, :, :1, :1]  # a view, which changes with it
        nn.functional.leaky_relu(x, 0.1, inplace=True)
        return x + corner


class Plain(nn.Module):
    """An operator that no rule is for."""

    def forward(self, x):
        return torch.erfinv(x).softmax(1)


@pytest.mark.parametrize("module", [Halves, Plain])
@pytest.mark.parametrize("rewritten", [decomposed, ready_for_onnx])
def test_what_no_rule_is_for_is_left_to_torch(module, rewritten):
    x = torch.rand(1, 1, 5, 5) / 2 - 0.5
    net = module().eval()
    with torch.no_grad(), without_copy_warning():
        wanted = net(x)
        program = torch.export.export(net, (x,))
        found = rewritten(program).run_decompositions().module()(x)
    torch.testing.assert_close(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{}, {"combine": "add", "border": "zero"}, {"guidance": "logits", "diffeomorphic": True}],
    ids=["plain", "paper", "diffeomorphic of logits"],
)
def test_networks_are_rewritten_without_tracing_them_anew(changes, small, stirred, monkeypatch):
    net = lean(stirred(small(**changes)))
    program = exported_program(net, "both_ways")

    def trace(*args, **options):
        raise AssertionError("traced anew")

    monkeypatch.setattr(ExportedProgram, "run_decompositions", trace)
    assert ready_for_onnx(program).run_decompositions({}) is program
    assert len(core_program(net, "both_ways").graph.nodes) > 50


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_graph_names_each_layer_once(graph, small, stirred):
    net = lean(stirred(small()))
    layers = GRAPHS[graph](net).named_parameters(remove_duplicate=False)
    assert sorted(name for name, _ in layers) == sorted(
        f"net.{n}" for n, _ in net.named_parameters()
    )


def test_a_learnt_slope_is_one_operator(small, stirred):
    """OpenVINO's reader has no rule for ``prelu``: comparisons and choices came of it."""
    pytest.importorskip("openvino")
    from facewarp.core.engines.openvino_engine import convert

    net = stirred(small())
    slopes = [layer for layer in net.modules() if isinstance(layer, nn.PReLU)]
    for index, layer in enumerate(slopes):
        nn.init.constant_(layer.weight, 0.3 + 0.1 * index)
    parts = torch.rand(2, net.config.n_classes, *net.config.feature_shape).softmax(1)
    plain = lean(net)
    with torch.no_grad():
        wanted, found = (one.register(parts, parts.flip(0))[0][-1] for one in (net, plain))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)
    assert slopes
    kinds = {node.get_type_name() for node in convert(plain, "fields").get_ops()}
    assert "PRelu" in kinds
    assert not kinds & {"Greater", "Select"}
