#!/usr/bin/env bash
# A warp by cubic interpolation whose places reach over the border (GridSample, mode "cubic", padding "border"): ONNX's reference
# evaluator (onnx 1.23.2), tract 0.23.9, ONNX Runtime 1.32 and OpenVINO 2026.4.1.
#
# One would guess: the picture is continued by its border pixels and the cubic goes through the four pixels around a place; and
# what ONNX's own reference says is right.
# What happens: ONNX Runtime and OpenVINO do that, as PyTorch does. The reference and tract move the place itself to the
# border first: with align_corners=1 all beyond the outer pixel's center has that pixel's value, with 0 all beyond half
# a pixel, so that the result jumps there. Places inside, and padding by zeros or reflection, are equal by all.
# What follows: the two ways differ by a tenth of the step between the outer two pixels: a port tested against the reference
# is told wrong, and one in tract differs from the model that was trained. Take linear at the border, as ours do.
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
height, width = 6, 10
picture = np.tile(np.arange(width, dtype=np.float32), (1, 1, height, 1))  # each pixel tells its column
columns = np.array([-1.6, -0.75, -0.25, 0, 0.25, 4.5, 8.75, 9.25, 9.75], np.float32)


def sampled(padding, corners):
    """What four make of the places."""
    places = np.zeros((1, 1, len(columns), 2), np.float32)
    places[0, 0, :, 0] = 2 * columns / (width - 1) - 1 if corners else (2 * columns + 1) / width - 1
    node = helper.make_node("GridSample", ["picture", "places"], ["warped"], mode="cubic", padding_mode=padding,
                            align_corners=corners)
    given = {"picture": picture, "places": places}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in given.items()]
    result = helper.make_tensor_value_info("warped", TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph([node], "warp", inputs, [result]),
                              opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, "warp.onnx")
    runnable = tract.onnx().load("warp.onnx").into_model().into_runnable()
    results = {
        "ONNX Runtime": onnxruntime.InferenceSession("warp.onnx", providers=["CPUExecutionProvider"]).run(None, given)[0],
        "OpenVINO": openvino.compile_model("warp.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([picture, places])[0],
        "reference": ReferenceEvaluator(model).run(None, given)[0],
        "tract": runnable.run([picture, places])[0].to_numpy(),
    }
    return {name: np.asarray(r, np.float64).ravel() for name, r in results.items()}


print("columns:", columns.tolist())
ok = True
for corners in (0, 1):
    for padding in ("border", "zeros", "reflection"):
        found = sampled(padding, corners)
        one, other = found["ONNX Runtime"], found["reference"]
        ok &= bool(np.allclose(one, found["OpenVINO"], atol=1e-4) and np.allclose(other, found["tract"], atol=1e-4))
        if padding == "border":
            print(f"align_corners={corners}: ONNX Runtime and OpenVINO {np.round(one, 2).tolist()}, reference and tract "
                  f"{np.round(other, 2).tolist()}")
            apart = np.abs(one - other) > 0.01
            far = 0.5 if not corners else 0
            ok &= bool((apart == ((columns < -far) & (columns > -1) | (columns > 9 + far) & (columns < 10))).all())
        else:
            ok &= bool(np.allclose(one, other, atol=1e-4))
sys.exit(0 if ok else 1)
PY
