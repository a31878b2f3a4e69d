#!/usr/bin/env bash
# A feature map halved by average pooling (kernel 3, stride 2, padding 1, ceil_mode, count_include_pad=1, which is PyTorch's
# default): OpenVINO 2026.4.1, ONNX Runtime 1.32, tract 0.23.9 and ONNX's reference (onnx 1.23.2).
#
# One would guess: a mean of ones inside is 1, at the padding less, and equal by all, pooling being the oldest operator there is.
# What happens: where the size is even, ceil_mode lets the last window hang over beyond the padding. Three of them divide by
# the pixels that are inside picture and padding, as PyTorch does; OpenVINO divides by the whole kernel. The last column
# is 2/3, the last row likewise, the corner 4/9 of what it should be. count_include_pad=0 is right, and so are odd sizes.
# What follows: features at the right and lower border are a third too low. A comparison on odd sizes says that all is well.
# Write count_include_pad=False, or pad beforehand. Ours pool without ceil_mode.
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
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)


def pooled(height, width, counted):
    """Ones, pooled by four; the last row and column of each."""
    ones = np.ones((1, 1, height, width), np.float32)
    node = helper.make_node("AveragePool", ["map"], ["pooled"], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
                            ceil_mode=1, count_include_pad=counted)
    given = helper.make_tensor_value_info("map", TensorProto.FLOAT, ones.shape)
    result = helper.make_tensor_value_info("pooled", TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph([node], "pool", [given], [result]),
                              opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
    onnx.save(model, "pool.onnx")
    return {
        "ONNX Runtime": onnxruntime.InferenceSession("pool.onnx", providers=["CPUExecutionProvider"]).run(
            None, {"map": ones})[0][0, 0],
        "tract": tract.onnx().load("pool.onnx").into_model().into_runnable().run([ones])[0].to_numpy()[0, 0],
        "reference": ReferenceEvaluator(model).run(None, {"map": ones})[0][0, 0],
        "OpenVINO": openvino.compile_model("pool.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([ones])[0][0, 0],
    }


ok = True
for height, width, counted in ((6, 8, 1), (6, 8, 0), (7, 9, 1)):
    results = pooled(height, width, counted)
    print(f"{height} x {width}, count_include_pad={counted}: middle row "
          + ", ".join(f"{name} {np.round(r[1], 3).tolist()}" for name, r in results.items()))
    first = results["ONNX Runtime"]
    ok &= all(np.allclose(first, results[name]) for name in ("tract", "reference"))
    other = results["OpenVINO"]
    if (height, counted) == (6, 1):
        share = np.ones_like(first)
        share[:, -1] *= 2 / 3
        share[-1] *= 2 / 3
        ok &= bool(np.allclose(other, first * share))
    else:
        ok &= bool(np.allclose(other, first))
sys.exit(0 if ok else 1)
PY
