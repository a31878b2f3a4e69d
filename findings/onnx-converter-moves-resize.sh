#!/usr/bin/env bash
# A model of opset 9 or 10 that enlarges (Upsample, Resize), raised to a newer opset by onnx's own converter (1.23.2).
#
# One would guess: onnx.version_converter.convert_version keeps what the model computes; that is what it is for, and where
# it can't, it says so ("unsupported conversion").
# What happens: up to opset 10 pixel x of the result is looked up at x / scale ("asymmetric"); from 11 on an attribute
# says where, and its default is another, "half_pixel". The converter leaves the attribute out. Everything that was
# enlarged moves by (scale - 1) / 2 px of the result to the right and down, 1.5 px at four times; nearest
# neighbors change where the scale is not whole. The model loads, passes the checker and has the same shapes.
# What follows: old detectors, mattes and landmark networks, whose exporters wrote Upsample, miss by pixels after an
# upgrade that runs, quantizers and mobile converters ask for. Set coordinate_transformation_mode="asymmetric"
# (and nearest_mode="floor") on each Resize, and compare outputs before and after.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "onnx==1.23.2" "onnxruntime==1.32.0" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper, version_converter

SIZE = 24
y, x = np.mgrid[:SIZE, :SIZE]
blob = np.exp(-((x - 11) ** 2 + (y - 9) ** 2) / 18.0).astype(np.float32)[None, None]


def model(operator, opset, mode, scale):
    """A network of one operator that enlarges rows and columns."""
    scales = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), "scales")
    shapes = {"picture": blob.shape, "result": (1, 1, int(SIZE * scale), int(SIZE * scale))}
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    node = helper.make_node(operator, ["picture", "scales"], ["result"], mode=mode)
    graph = helper.make_graph([node], "enlarges", info[:1], info[1:], [scales])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def result(network):
    onnx.checker.check_model(network)
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": blob})[0][0, 0]


def middle(picture):
    rows, columns = np.indices(picture.shape)
    return np.array([(picture * columns).sum(), (picture * rows).sum()]) / picture.sum()


print("onnx", onnx.__version__, "ONNX Runtime", onnxruntime.__version__)
ok = True
for operator, opset in (("Upsample", 9), ("Resize", 10)):
    for mode, scale in (("linear", 2), ("linear", 4), ("nearest", 2), ("nearest", 1.75)):
        old = model(operator, opset, mode, scale)
        new = version_converter.convert_version(old, 19)
        before, after = result(old), result(new)
        shift, changed = middle(after) - middle(before), float(np.abs(after - before).max())
        resize = next(node for node in new.graph.node if node.op_type == "Resize")
        said = [attribute.name for attribute in resize.attribute]
        for key, value in (("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")):
            resize.attribute.append(helper.make_attribute(key, value))
        mended = float(np.abs(result(new) - before).max())
        print(
            f"{operator} of opset {opset}, {mode}, {scale} times: moved by {shift.round(2)} px, values by {changed:.2f};"
            f" attributes {said}; with asymmetric and floor values by {mended:.2f}"
        )
        ok = ok and said == ["mode"] and mended < 1e-5
        if mode == "linear":
            ok = ok and bool(np.allclose(shift, (scale - 1) / 2, atol=0.06))
        else:
            ok = ok and (changed > 0.02) == (scale == 1.75)
sys.exit(0 if ok else 1)
PY
