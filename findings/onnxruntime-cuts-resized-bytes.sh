#!/usr/bin/env bash
# A picture of bytes resized inside the model (ONNX's Resize of uint8, linear), as models with their own preprocessing do, by ONNX Runtime 1.32,
# OpenVINO 2026.4.1 and ONNX's reference evaluator (onnx 1.23.2).
#
# One would guess: what lies between two bytes is rounded, as OpenCV and Pillow do, and equal by all within a rounding of halves.
# What happens: OpenVINO and the reference round. ONNX Runtime cuts the fraction off: results are half a level too dark on average,
# and up to a whole level; of int8 they are cut towards 0, so that dark becomes lighter and light darker.
# What follows: a network quantized or checked on the other's pictures sees others; resized several times, as in a
# pyramid, the picture gets darker each time; thresholds at a byte's value move. Cast to float before Resize, and round after.
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
noise = np.random.default_rng(0).integers(0, 256, (1, 1, 40, 50))


def resized(picture):
    """By three, and by floats."""
    sizes = np.array([1, 1, 73, 87])
    kind = helper.np_dtype_to_tensor_dtype(picture.dtype)
    node = helper.make_node("Resize", ["picture", "", "", "sizes"], ["resized"], mode="linear")
    given = helper.make_tensor_value_info("picture", kind, picture.shape)
    result = helper.make_tensor_value_info("resized", kind, sizes.tolist())
    graph = helper.make_graph([node], "resize", [given], [result], [numpy_helper.from_array(sizes, "sizes")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, "resize.onnx")
    session = onnxruntime.InferenceSession("resize.onnx", providers=["CPUExecutionProvider"])
    results = {
        "ONNX Runtime": session.run(None, {"picture": picture})[0],
        "OpenVINO": openvino.compile_model("resize.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([picture])[0],
        "reference": ReferenceEvaluator(model).run(None, {"picture": picture})[0],
    }
    return {name: np.asarray(r, np.float64) for name, r in results.items()}


exact = resized(noise.astype(np.float32))["ONNX Runtime"]
found, ok = {}, True
for kind, shift in (("uint8", 0), ("int8", 128)):
    results = resized((noise - shift).astype(kind))
    off = {name: r - (exact - shift) for name, r in results.items()}
    mean = {name: round(float(error.mean()), 2) for name, error in off.items()}
    most = {name: round(float(np.abs(error).max()), 2) for name, error in off.items()}
    found[kind] = off
    print(f"{kind}: off on average {mean}, at most {most}")
    ok &= most["ONNX Runtime"] > 0.9 and most["OpenVINO"] <= 0.51 and most["reference"] <= 0.51
    ok &= max(abs(mean["OpenVINO"]), abs(mean["reference"])) < 0.05
ok &= bool(found["uint8"]["ONNX Runtime"].mean() < -0.4 and found["uint8"]["ONNX Runtime"].max() < 0.01)
below, error = exact - 128 < -1, found["int8"]["ONNX Runtime"]
print(f"int8 by ONNX Runtime: below zero {error[below].mean():+.2f}, above {error[~below].mean():+.2f}")
sys.exit(0 if ok and error[below].mean() > 0.3 and error[~below].mean() < -0.3 else 1)
PY
