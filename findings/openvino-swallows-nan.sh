#!/usr/bin/env bash
# A picture with NaN in it (outside of a scan's field of view, a division by an empty mask) through the steps of a network by OpenVINO
# 2026.4.1, ONNX Runtime 1.32 and ONNX's reference evaluator (onnx 1.23.2).
#
# One would guess: NaN stays NaN through Relu, Clip and Max, as in NumPy and PyTorch, reaches the output, and whoever looks
# at it sees that something is wrong.
# What happens: ONNX Runtime and the reference do so. In OpenVINO on a processor Relu and Max(x, 0) make 0 of it, and Clip the lower
# end. After a convolution and one Relu all is finite.
# What follows: a broken scan or a network that overflowed gives a plausible field or segmentation, and a test
# isfinite(output) passes. Ask isfinite(input) before the network, and compare an untrusted model by ONNX Runtime once.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "onnx==1.23.2" "onnxruntime==1.32.0" "openvino==2026.4.1" "numpy==2.4.6"
cd "$work"
ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)
picture = np.ones((1, 1, 5, 6), np.float32)
picture[..., 2, 3] = np.nan
number = np.float32
held = {"zero": number(0), "one": number(1), "kernel": np.full((1, 1, 3, 3), 1 / 9, number)}


def nans(*steps):
    """How many NaN come out of a chain of steps (operator, more inputs, attributes), by three."""
    nodes, before = [], "picture"
    for place, (op, more, attributes) in enumerate(steps):
        nodes.append(helper.make_node(op, [before, *more], [f"after{place}"], **attributes))
        before = f"after{place}"
    used = {name for node in nodes for name in node.input} & set(held)
    graph = helper.make_graph(
        nodes, "steps", [helper.make_tensor_value_info("picture", TensorProto.FLOAT, picture.shape)],
        [helper.make_tensor_value_info(before, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(held[name]), name) for name in sorted(used)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, "steps.onnx")
    results = {
        "ONNX Runtime": onnxruntime.InferenceSession("steps.onnx", providers=["CPUExecutionProvider"]).run(
            None, {"picture": picture})[0],
        "reference": ReferenceEvaluator(model).run(None, {"picture": picture})[0],
        "OpenVINO": openvino.compile_model("steps.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([picture])[0],
    }
    return {name: int(np.isnan(r).sum()) for name, r in results.items()}


convolution = ("Conv", ["kernel"], {"pads": [1, 1, 1, 1]})
found = {
    "convolution": nans(convolution),
    "Relu": nans(("Relu", [], {})),
    "Max with 0": nans(("Max", ["zero"], {})),
    "Clip to 0..1": nans(("Clip", ["zero", "one"], {})),
    "convolution, Relu": nans(convolution, ("Relu", [], {})),
}
for name, of in found.items():
    print(f"{name}: NaN in the result: {of}")
expected = {"convolution": 9, "Relu": 1, "Max with 0": 1, "Clip to 0..1": 1, "convolution, Relu": 9}
ok = all(found[name]["ONNX Runtime"] == found[name]["reference"] == count for name, count in expected.items())
ok = ok and {name for name, of in found.items() if of["OpenVINO"] == 0} == set(expected) - {"convolution"}
sys.exit(0 if ok and found["convolution"]["OpenVINO"] == 9 else 1)
PY
