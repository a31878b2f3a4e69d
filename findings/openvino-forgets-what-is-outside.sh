#!/usr/bin/env bash
# Two small attributes of ONNX in OpenVINO 2026.4.1, beside ONNX Runtime 1.32 and ONNX's reference (onnx 1.23.2): exclude_outside of a
# cubic Resize, and RoiAlign without sampling_ratio.
#
# One would guess: an attribute is honored or the model refused, and one that is left out has the standard's default.
# What happens: exclude_outside=1 (weights outside the picture are 0, the others scaled up) does nothing: the first column of a
# ramp enlarged twofold is -0.105 instead of -0.136. RoiAlign without sampling_ratio takes one sample a bin, as if it
# were 1, where the standard says 0, as many as the bin is large; written out as 0 it is right.
# What follows: borders of a picture that was enlarged for a network, and features of a face cut out for a second network, are others
# than where the model was made, by up to a third of 1 in a picture of noise, with the same model file and no message.
# Write attributes out, and pad before Resize.
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


def three(picture, op, more, **attributes):
    names = [name for name, _ in more]
    held = [numpy_helper.from_array(value, name) for name, value in more if name]
    node = helper.make_node(op, ["picture", *names], ["result"], **attributes)
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, picture.shape)
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    model = helper.make_model(helper.make_graph([node], "one", [given], [result], held),
                              opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.save(model, "one.onnx")
    session = onnxruntime.InferenceSession("one.onnx", providers=["CPUExecutionProvider"])
    return (
        session.run(None, {"picture": picture})[0],
        ReferenceEvaluator(model).run(None, {"picture": picture})[0],
        openvino.compile_model("one.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([picture])[0],
    )


ramp = np.tile(np.arange(10, dtype=np.float32), (1, 1, 6, 1))
size = [("", None), ("", None), ("size", np.array([1, 1, 6, 20]))]
ok = True
firsts = {}
for outside in (1, 0):
    results = three(ramp, "Resize", size, mode="cubic", exclude_outside=outside)
    firsts[outside] = [round(float(r[0, 0, 0, 0]), 3) for r in results]
    print(f"exclude_outside={outside}: first column by ONNX Runtime, reference, OpenVINO: {firsts[outside]}")
ok &= firsts == {1: [-0.136, -0.136, -0.105], 0: [-0.105] * 3}

noise = np.random.default_rng(0).random((1, 2, 9, 12), np.float32)
face = [("face", np.array([[1, 1, 8, 6]], np.float32)), ("of", np.array([0]))]
bins = {"output_height": 3, "output_width": 3}
left = three(noise, "RoiAlign", face, **bins)
written = three(noise, "RoiAlign", face, sampling_ratio=0, **bins)
single = three(noise, "RoiAlign", face, sampling_ratio=1, **bins)
apart = float(np.abs(left[0] - left[2]).max())
print(f"RoiAlign: without sampling_ratio OpenVINO differs by {apart:.2f}; written out as 0 by "
      f"{np.abs(written[0] - written[2]).max():.6f}; from ratio 1 by {np.abs(left[2] - single[0]).max():.6f}")
ok &= apart > 0.1 and np.allclose(left[0], left[1], atol=1e-5) and np.allclose(left[2], single[0], atol=1e-5)
ok &= np.allclose(written[0], written[2], atol=1e-5) and np.allclose(written[0], left[0])
sys.exit(0 if ok else 1)
PY
