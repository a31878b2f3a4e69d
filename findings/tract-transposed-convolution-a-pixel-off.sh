#!/usr/bin/env bash
# A decoder that doubles its map by a transposed convolution whose size is told by output_shape, by tract 0.23.9, ONNX Runtime
# 1.32 and OpenVINO 2026.4.1.
#
# One would guess: output_shape tells the size, and where things lie follows from the standard: of an odd rest of padding the first
# side takes the larger half, unless auto_pad is SAME_UPPER.
# What happens: ONNX Runtime and OpenVINO do so. tract gives the size that was asked for with its content one pixel farther right
# and down, the rest being cut off at the other side. Told by pads or output_padding instead, it is equal by all.
# What follows: a segmentation or field from such a decoder lies one pixel beside, two decoders by three pixels of the picture,
# in a tool that is chosen because it runs anywhere; shapes agree, and so do scores on large parts.
# Ours enlarge by Resize. Compare places, not shapes, once.
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
from onnx import TensorProto, helper, numpy_helper

onnxruntime.set_default_logger_severity(3)
point = np.zeros((1, 1, 5, 5), np.float32)
point[..., 2, 2] = 1
kernel = np.zeros((1, 1, 3, 3), np.float32)
kernel[..., 1, 1] = 1  # puts each pixel where its middle falls


def where(**how):
    """Row and column of the point after doubling, and the size, by three."""
    node = helper.make_node("ConvTranspose", ["map", "kernel"], ["doubled"], strides=[2, 2], **how)
    given = helper.make_tensor_value_info("map", TensorProto.FLOAT, point.shape)
    result = helper.make_tensor_value_info("doubled", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "decoder", [given], [result], [numpy_helper.from_array(kernel, "kernel")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "decoder.onnx")
    results = {
        "ONNX Runtime": onnxruntime.InferenceSession("decoder.onnx", providers=["CPUExecutionProvider"]).run(
            None, {"map": point})[0],
        "OpenVINO": openvino.compile_model("decoder.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([point])[0],
        "tract": tract.onnx().load("decoder.onnx").into_model().into_runnable().run([point])[0].to_numpy(),
    }
    return {name: (np.argwhere(r[0, 0] == 1).tolist(), r.shape[2:]) for name, r in results.items()}


found = {
    "output_shape=[10, 10]": where(output_shape=[10, 10]),
    "pads=[1, 1, 0, 0]": where(pads=[1, 1, 0, 0]),
    "pads=[1, 1, 1, 1], output_padding=[1, 1]": where(pads=[1, 1, 1, 1], output_padding=[1, 1]),
}
for how, of in found.items():
    print(f"{how}: the point (2, 2) of 5 x 5 becomes {of}")
at = {"ONNX Runtime": [[4, 4]], "OpenVINO": [[4, 4]], "tract": [[4, 4]]}
told = {name: place for name, (place, _) in found["output_shape=[10, 10]"].items()}
ok = told == at | {"tract": [[5, 5]]} and all(size == (10, 10) for of in found.values() for _, size in of.values())
ok = ok and all({n: p for n, (p, _) in of.items()} == at for how, of in found.items() if how[0] == "p")
sys.exit(0 if ok else 1)
PY
