#!/usr/bin/env bash
# A warp in an ONNX model (GridSample), beside ONNX Runtime 1.32 and as MNN 3.6.1 converts and runs it.
#
# One would guess: the three modes and the three kinds of padding are attributes of the operator, so a converter that takes
# the model keeps them, or says that it can't, as it does for operators that it doesn't know.
# What happens: "Converted Success!", and cubic is linear, reflection is border, in all combinations and with either
# align_corners. Linear and nearest with zeros or border are right to the bit.
# What follows: a face registered by a network with reflection padding has its edge columns drawn out where it was mirrored,
# and cubic pictures are softer, with nothing said and no error in a test whose places lie inside. Keep to linear and
# border (ours do), or pad the picture beforehand. (The converter's own function is called, which stays offline: see
# mnnconvert-installs-a-package.sh.)
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "MNN==3.6.1" "onnx==1.23.2" "onnxruntime==1.32.0" "numpy==2.4.6"
cd "$work"
ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -W ignore - <<'PY'
import itertools
import subprocess
import sys

import MNN.expr as expr
import MNN.nn as nn
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

random = np.random.default_rng(0)
picture = random.random((1, 1, 9, 12), np.float32)
places = random.uniform(-1.3, 1.3, (1, 7, 8, 2)).astype(np.float32)
CONVERT = [sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv[1:])", "mnnconvert"]


def both(mode, padding, corners):
    node = helper.make_node(
        "GridSample", ["picture", "places"], ["warped"], mode=mode, padding_mode=padding, align_corners=corners
    )
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape)
             for name, array in (("picture", picture), ("places", places))]
    result = [helper.make_tensor_value_info("warped", TensorProto.FLOAT, [1, 1, 7, 8])]
    model = helper.make_model(
        helper.make_graph([node], "warp", given, result), opset_imports=[helper.make_opsetid("", 20)], ir_version=9
    )
    onnx.save(model, "warp.onnx")
    files = ["-f", "ONNX", "--modelFile", "warp.onnx", "--MNNModel", "warp.mnn", "--bizCode", "warp"]
    out = subprocess.run([*CONVERT, *files], capture_output=True, text=True, check=True).stdout
    assert "Converted Success!" in out, out
    theirs = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"picture": picture, "places": places})[0]
    net = nn.load_module_from_file("warp.mnn", ["picture", "places"], ["warped"])
    inputs = []
    for array in (picture, places):
        variable = expr.placeholder(list(array.shape), expr.NCHW)
        variable.write(array)
        inputs.append(variable)
    made = net.forward(inputs)
    made = expr.convert(made[0] if isinstance(made, list) else made, expr.NCHW)
    return theirs, np.array(made.read())


ok = True
for corners in (0, 1):
    results = {pair: both(*pair, corners) for pair in
               itertools.product(("linear", "nearest", "cubic"), ("zeros", "border", "reflection"))}
    for (mode, padding), (theirs, mine) in results.items():
        apart = float(np.abs(theirs - mine).max())
        like = {"cubic": "linear"}.get(mode, mode), {"reflection": "border"}.get(padding, padding)
        other = float(np.abs(results[like][0] - mine).max())
        print(f"align_corners={corners} {mode:7} {padding:10} differs by up to {apart:.2f} of 1"
              + (f"; from {' '.join(like)} by {other:.6f}" if like != (mode, padding) else ""))
        ok &= other < 1e-4 and (apart < 1e-4) == (like == (mode, padding))
sys.exit(0 if ok else 1)
PY
