#!/usr/bin/env bash
# A picture fitted into a square by ONNX's Resize with keep_aspect_ratio_policy (opset 18 on), by two runtimes.
#
# One would guess: OpenVINO keeps the aspect as ONNX Runtime does and as the standard wants, or refuses the attribute, as
# it refuses "half_pixel_symmetric" and "tf_crop_and_resize".
# What happens: OpenVINO 2026.4.1 reads the model and leaves the attribute out: 80 x 40 into 64 x 64 gives 64 x 64, twice
# as tall as it should be, where ONNX Runtime gives 64 x 32 ("not_larger") or 128 x 64 ("not_smaller"). It likewise
# leaves exclude_outside of a cubic Resize out, which is wrong along the edges, as if it were 0.
# What follows: a model that fits its pictures by itself sees squeezed faces, and finds worse or nothing; where padding
# follows, what it finds lies elsewhere. Fit pictures before the model, or write sizes that keep the aspect.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "onnx==1.23.2" "onnxruntime==1.32.0" "openvino==2026.4.1" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

picture = np.zeros((1, 1, 40, 80), np.float32)
picture[..., 10:30, 30:50] = 1  # a square of 20 px
noise = np.random.default_rng(0).normal(size=picture.shape).astype(np.float32)


def both(picture, sizes, **attributes):
    """The result by ONNX Runtime and by OpenVINO."""
    node = helper.make_node("Resize", ["picture", "", "", "sizes"], ["result"], axes=[2, 3], **attributes)
    info = helper.make_tensor_value_info("picture", TensorProto.FLOAT, picture.shape)
    result = helper.make_tensor_value_info("result", TensorProto.FLOAT, None)
    constant = numpy_helper.from_array(np.array(sizes, np.int64), "sizes")
    graph = helper.make_graph([node], "fits", [info], [result], [constant])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8), "fits.onnx")
    session = onnxruntime.InferenceSession("fits.onnx", providers=["CPUExecutionProvider"])
    return session.run(None, {"picture": picture})[0], openvino.compile_model("fits.onnx", "CPU")([picture])[0]


def square(result):
    """Width and height of the square, px."""
    inside = result[0, 0] > 0.5
    return int(inside.any(axis=0).sum()), int(inside.any(axis=1).sum())


print("onnx", onnx.__version__, "ONNX Runtime", onnxruntime.__version__, "OpenVINO", openvino.__version__[:10])
ok = True
for policy in ("stretch", "not_larger", "not_smaller"):
    one, other = both(picture, (64, 64), mode="linear", keep_aspect_ratio_policy=policy)
    shapes = one.shape[3:1:-1], other.shape[3:1:-1]
    print(f"{policy}: {shapes[0]} with a square of {square(one)}, OpenVINO {shapes[1]} with {square(other)}")
    squeezed = square(other)[1] > 1.8 * square(other)[0]
    kept = square(one)[0] == square(one)[1]
    ok = ok and shapes[1] == (64, 64) and squeezed and kept == (policy != "stretch")
for outside in (0, 1):
    one, other = both(noise, (24, 140), mode="cubic", exclude_outside=outside)
    gap = np.abs(one - other)[0, 0]
    edge, within = float(gap.max()), float(gap[4:-4, 4:-4].max())
    print(f"cubic, exclude_outside={outside}: they differ by {edge:.3f}, away from the edges by {within:.6f}")
    ok = ok and within < 1e-4 and (edge > 0.02) == bool(outside)
sys.exit(0 if ok else 1)
PY
