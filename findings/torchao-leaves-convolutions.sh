#!/usr/bin/env bash
# A small network of convolutions quantized by torchao 0.18 (quantize_), as it is and with convolutions asked for.
#
# One would guess: the weights become 8 or 4 bits, as those of a network of linear layers do, or somebody says that they
# don't; and a filter that chooses convolutions quantizes them, or is refused.
# What happens: as it is, all five ways leave every weight as it was, without a word: outputs are the same to the bit,
# and the file has the same size. Asked for convolutions (filter_fn), Int4 still does nothing; Int8 and Float8
# replace the weights, and the network fails when it is first run; IntX alone quantizes and runs.
# What follows: "quantized" registration networks and detectors were measured in float: no loss of accuracy, no gain of
# time. Look whether parameters have changed their class. For convolutions on processors take the 8 bits of OpenVINO
# (NNCF) or ONNX Runtime, or torch.export with a quantizer (pt2e).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "numpy==2.4.6"
"$work/venv/bin/pip" install -q --no-deps "torchao==0.18.0"
"$work/venv/bin/python" -W ignore - <<'PY'
import io
import logging
import sys

logging.disable(logging.CRITICAL)
import torch
import torchao
import torchao.quantization as ways
from torch import nn


def network(layer):
    torch.manual_seed(0)
    return nn.Sequential(layer(16, 64), nn.ReLU(), layer(64, 2)).eval()


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def size(net):
    """Bytes of its file."""
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    return file.tell()


def tried(config, layer, given, **options):
    """The parameters' classes, and "same", "other" or "fails" for the output."""
    net = network(layer)
    before, bytes_before = net(given), size(net)
    ways.quantize_(net, getattr(ways, config)(), **options)
    kinds = "/".join(sorted({type(value).__name__ for value in net.parameters()}))
    try:
        with torch.no_grad():
            after = net(given)
    except (RuntimeError, NotImplementedError, AssertionError):
        return kinds, "fails"
    same = torch.equal(before, after)
    assert same == (size(net) == bytes_before)
    return kinds, "same" if same else "other"


configs = (
    "Int8WeightOnlyConfig", "Int8DynamicActivationInt8WeightConfig", "Int4WeightOnlyConfig",
    "Float8WeightOnlyConfig", "IntxWeightOnlyConfig",
)
picture = torch.rand(1, 16, 64, 64)
print("torchao", torchao.__version__, "torch", torch.__version__)
linear = tried("Int8WeightOnlyConfig", nn.Linear, torch.rand(4, 16))
print(f"linear layers, Int8WeightOnlyConfig: {linear[0]}, output {linear[1]}")
default, asked = {}, {}
for config in configs:
    default[config] = tried(config, conv, picture)
    asked[config] = tried(config, conv, picture, filter_fn=lambda module, _: isinstance(module, nn.Conv2d))
    print(f"convolutions, {config}: {default[config][0]}, output {default[config][1]};"
          f" asked for: {asked[config][0]}, output {asked[config][1]}")
outputs = [asked[config][1] for config in configs]
same = all(result == ("Parameter", "same") for result in default.values()) and linear[1] == "other"
same = same and outputs == ["fails", "fails", "same", "fails", "other"]
sys.exit(0 if same and asked["Int4WeightOnlyConfig"][0] == "Parameter" else 1)
PY
