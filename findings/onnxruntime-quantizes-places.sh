#!/usr/bin/env bash
# A network that finds displacements and warps a picture by them, in 8 bits by ONNX Runtime 1.32 and by NNCF 3.4.
#
# One would guess: quantize_static makes the convolutions 8-bit, and costs displacements about what 8 bits of them are:
# 0.03 px, if they reach from -4 to 4.
# What happens: it also quantizes Add and Mul, and so the sums that turn displacements into places of the whole
# picture, on the way to GridSample. Places then come in 255 steps from one edge to the other, and in several such
# roundings one after the other: in a picture 1024 wide every pixel is sampled up to 4.5 px off. The displacements
# themselves, if they are an output too, are right, and nothing is said. NNCF leaves these sums in float.
# What follows: 8-bit registration (and optical flow, and resampling by computed places) looks as if the network did
# not bear 8 bits. op_types_to_quantize=["Conv"] keeps places exact, and is where the time is.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "onnx==1.23.2" "onnxruntime==1.32.0" "openvino==2026.4.1" "nncf==3.4.0" "numpy==2.4.6"
cd "$work"
export ORT_DISABLE_TELEMETRY=1
"$work/venv/bin/python" -W ignore - <<'PY' 2>/dev/null
import sys

sys.modules["openvino_telemetry"] = None
import nncf
import numpy as np
import onnx
import onnxruntime as ort
import openvino as ov
from onnx import TensorProto, helper
from onnx.numpy_helper import from_array
from onnxruntime.quantization import CalibrationDataReader, quantize_static

height, width = 64, 1024
y, x = np.mgrid[:height, :width].astype(np.float32)
weight = np.zeros((2, 2, 3, 3), np.float32)
weight[[0, 1], [0, 1], 1, 1] = 4  # features of -1 to 1 are displacements of -4 to 4 px
constants = {
    "weight": weight, "at": np.stack([x, y])[None], "two": np.float32(2), "one": np.float32(1),
    "size": np.array([width, height], np.float32).reshape(1, 2, 1, 1),
}
nodes = [  # places = pixels + displacements; grid = (2 places + 1) / size - 1
    helper.make_node("Conv", ["features", "weight"], ["displacements"], pads=[1, 1, 1, 1]),
    helper.make_node("Add", ["at", "displacements"], ["places"]),
    helper.make_node("Mul", ["places", "two"], ["doubled"]),
    helper.make_node("Add", ["doubled", "one"], ["halves"]),
    helper.make_node("Div", ["halves", "size"], ["share"]),
    helper.make_node("Sub", ["share", "one"], ["centered"]),
    helper.make_node("Transpose", ["centered"], ["grid"], perm=[0, 2, 3, 1]),
    helper.make_node("GridSample", ["picture", "grid"], ["warped"], padding_mode="border", align_corners=0),
]
tensors = {"features": [1, 2, height, width], "picture": [1, 1, height, width]}
inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors.items()]
outputs = [
    helper.make_tensor_value_info("warped", TensorProto.FLOAT, [1, 1, height, width]),
    helper.make_tensor_value_info("displacements", TensorProto.FLOAT, [1, 2, height, width]),
]
initializers = [from_array(value, name) for name, value in constants.items()]
graph = helper.make_graph(nodes, "register", inputs, outputs, initializers)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
onnx.checker.check_model(model)
onnx.save(model, "register.onnx")


def feed(seed):
    """Features of -1 to 1, and a picture whose pixels say their column, px."""
    features = np.random.default_rng(seed).uniform(-1, 1, (1, 2, height, width)).astype(np.float32)
    return {"features": features, "picture": x[None, None]}


class Examples(CalibrationDataReader):
    def __init__(self):
        self.feeds = iter([feed(seed) for seed in range(4)])

    def get_next(self):
        return next(self.feeds, None)


def by_onnxruntime(path):
    return ort.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feed(9))


def by_openvino(model):
    results = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(feed(9))
    return results[0], results[1]


quantize_static("register.onnx", "default.onnx", Examples())
quantize_static("register.onnx", "conv.onnx", Examples(), op_types_to_quantize=["Conv"])
floats = ov.Core().read_model("register.onnx")
eights = nncf.quantize(ov.Core().read_model("register.onnx"), nncf.Dataset([feed(seed) for seed in range(4)]))
ways = {
    "float, ONNX Runtime": by_onnxruntime("register.onnx"),
    "float, OpenVINO": by_openvino(floats),
    "8 bits, quantize_static": by_onnxruntime("default.onnx"),
    '8 bits, quantize_static, ["Conv"]': by_onnxruntime("conv.onnx"),
    "8 bits, NNCF and OpenVINO": by_openvino(eights),
}
print("onnxruntime", ort.__version__, "nncf", nncf.__version__, "openvino", ov.__version__.split("-")[0])
exact = 4 * feed(9)["features"]
inner = np.s_[0, 0, 8:-8, 8:-8]  # places outside are drawn in by the border
off, moved = {}, {}
for name, (warped, displacements) in ways.items():
    moved[name] = float(np.abs(displacements - exact).max())
    off[name] = float(np.abs(warped[inner] - (x[None, None] + displacements[:, :1])[inner]).max())
    print(f"{name}: displacements up to {moved[name]:.3f} px off, sampled up to {off[name]:.3f} px beside them")
default = off.pop("8 bits, quantize_static")
same = all(value < 0.1 for value in moved.values()) and all(value < 0.01 for value in off.values())
sys.exit(0 if same and 3 < default < 8 else 1)
PY
