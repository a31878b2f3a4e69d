#!/usr/bin/env bash
# A picture resized by a scale with coordinate_transformation_mode="align_corners": ONNX's own reference evaluator (onnx
# 1.23.2), ONNX Runtime 1.32 and OpenVINO 2026.4.1.
#
# One would guess: the first and last pixels of the result are the first and last of the picture, which is what the mode is
# called by, and the reference, against which backends test themselves, says so.
# What happens: both runtimes do so, as PyTorch does. The reference divides by scale * size - 1 where the others divide by the
# whole number of pixels that there are, minus 1: ten columns at 1.75 end at column 8.73 of 9, at 0.45 at 7.71. Whole
# results (2.0), and sizes instead of scales, are equal by all. Its shape inference rounds otherwise, too: 10 columns
# at 2.3 are 22, and ONNX Runtime makes 23 of them.
# What follows: a comparison with the reference tells of a fault of the runtime that is none, and fields of displacements,
# which are enlarged by this mode, differ by a pixel at the right and lower borders. Export sizes, not scales.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "onnx==1.23.2" "onnxruntime==1.32.0" "openvino==2026.4.1" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

onnxruntime.set_default_logger_severity(3)
columns = np.tile(np.arange(10, dtype=np.float32), (1, 1, 4, 1))  # each pixel tells its column


def model(inputs, name, values):
    node = helper.make_node(
        "Resize", inputs, ["result"], mode="linear", coordinate_transformation_mode="align_corners"
    )
    info = helper.make_tensor_value_info("picture", TensorProto.FLOAT, columns.shape)
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "resizes", [info], [result], [numpy_helper.from_array(values, name)])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)


def last_columns(network):
    """How many columns there are, and what the last one shows, by the reference and by two runtimes."""
    onnx.save(network, "resizes.onnx")
    session = onnxruntime.InferenceSession("resizes.onnx", providers=["CPUExecutionProvider"])
    results = (
        ReferenceEvaluator(network).run(None, {"picture": columns})[0],
        session.run(None, {"picture": columns})[0],
        openvino.compile_model("resizes.onnx", "CPU")([columns])[0],
    )
    return [(result.shape[3], round(float(result[0, 0, 0, -1]), 2)) for result in results]


print("onnx", onnx.__version__, "ONNX Runtime", onnxruntime.__version__, "OpenVINO", openvino.__version__[:10])
found = {}
for scale in (1.75, 0.45, 2.3, 2.0):
    network = model(["picture", "", "scales"], "scales", np.array([1, 1, 1, scale], np.float32))
    inferred = shape_inference.infer_shapes(network).graph.output[0].type.tensor_type.shape.dim[3].dim_value
    found[scale] = (*last_columns(network), inferred)
    reference, one, other, inferred = found[scale]
    print(
        f"scale {scale}: columns and the last one's number: reference {reference}, ONNX Runtime {one}, OpenVINO {other};"
        f" shape inference says {inferred}"
    )
sizes = last_columns(model(["picture", "", "", "sizes"], "sizes", np.array([1, 1, 4, 17], np.int64)))
print("sizes, 17 columns:", sizes)
ok = all(case[1][1] == case[2][1] == 9 for case in found.values())
ok = ok and [found[scale][0][1] for scale in (1.75, 0.45, 2.0)] == [8.73, 7.71, 9] and sizes == [(17, 9.0)] * 3
sys.exit(0 if ok and found[2.3][3] == found[2.3][0][0] == 22 and found[2.3][1][0] == 23 else 1)
PY
