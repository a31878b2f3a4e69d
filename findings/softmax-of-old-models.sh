#!/usr/bin/env bash
# A network's last Softmax over the parts (axis=1) in a model of opset 7 to 12, of a picture: ONNX Runtime 1.32, tract 0.23.9,
# OpenVINO 2026.4.1 and ONNX's reference evaluator (onnx 1.23.2).
#
# One would guess: axis=1 means the channels, as it does everywhere today, and each pixel's parts sum up to 1; and all
# runtimes say the same.
# What happens: up to opset 12 "axis" is where the array is folded into a matrix: all from there on, parts, rows and columns,
# sum up to 1 together. ONNX Runtime and tract do so; OpenVINO and the reference take the one axis. Left out, it is 1, or
# the last axis by the reference. Raised to opset 13 by onnx's converter it is as ONNX Runtime has it.
# What follows: an older face parser that works in OpenVINO gives tiny probabilities in ONNX Runtime, or the other way round:
# argmax is the same, thresholds and soft mattes are not. Sum up one pixel. Ours are written in opset 18.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "onnx==1.23.2" "onnxruntime==1.32.0" "openvino==2026.4.1" "tract==0.23.9" "numpy==2.4.6"
cd "$work"
ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
import tract
from onnx import TensorProto, helper, version_converter
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)
shape = (1, 3, 4, 5)  # three parts, 20 pixels
scores = np.random.default_rng(0).normal(size=shape).astype(np.float32)


def sums(model):
    """The sum of the first pixel's parts, and of the whole, by four."""
    onnx.save(model, "parts.onnx")
    session = onnxruntime.InferenceSession("parts.onnx", providers=["CPUExecutionProvider"])
    results = {
        "ONNX Runtime": session.run(None, {"scores": scores})[0],
        "tract": tract.onnx().load("parts.onnx").into_model().into_runnable().run([scores])[0].to_numpy(),
        "OpenVINO": openvino.compile_model("parts.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([scores])[0],
        "reference": ReferenceEvaluator(model).run(None, {"scores": scores})[0],
    }
    return {name: (round(float(r[0, :, 0, 0].sum()), 2), round(float(r.sum()), 1)) for name, r in results.items()}


def model(opset, **attributes):
    node = helper.make_node("Softmax", ["scores"], ["parts"], **attributes)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("scores", "parts")]
    graph = helper.make_graph([node], "parts", values[:1], values[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=6)


found = {
    "opset 11, axis=1": sums(model(11, axis=1)),
    "opset 11, no axis": sums(model(11)),
    "opset 13, axis=1": sums(model(13, axis=1)),
    "opset 11, axis=1, raised to 13": sums(version_converter.convert_version(model(11, axis=1), 13)),
}
for name, of in found.items():
    print(f"{name}: sums of one pixel's parts, of all: {of}")
old = found["opset 11, axis=1"]
ok = old["ONNX Runtime"][1] == old["tract"][1] == 1 and old["OpenVINO"] == old["reference"] == (1, 20)
left = found["opset 11, no axis"]
ok = ok and left["ONNX Runtime"][1] == left["tract"][1] == 1 and left["OpenVINO"] == (1, 20)
ok = ok and left["reference"][0] != 1 and left["reference"][1] == 12  # by columns: of 3 x 4 rows
ok = ok and set(found["opset 13, axis=1"].values()) == {(1, 20)}
ok = ok and all(of[1] == 1 for of in found["opset 11, axis=1, raised to 13"].values())
sys.exit(0 if ok else 1)
PY
