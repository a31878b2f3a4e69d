#!/usr/bin/env bash
# A warp whose outside is black (GridSample, padding "zeros", the default of ONNX and PyTorch), compiled by IREE 3.13 (iree-base-compiler)
# and run beside ONNX Runtime 1.32.
#
# One would guess: what is compiled without a word is right, or a padding that the compiler doesn't know is refused, as it
# refuses border and reflection ("failed to legalize operation").
# What happens: places inside, and up to a pixel beyond, are right. Farther out it doesn't give 0 but pixels from elsewhere: to the
# left of a row it takes the end of the row above, to the right the start of the row below, above and below the picture
# those of the channel beside.
# What follows: a face that has moved out of its crop shows the other side of the picture where it should fade out, and
# tests whose places lie inside see nothing. Multiply by a warped picture of ones, or clamp the places before the warp.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "iree-base-compiler==3.13.0" "iree-base-runtime==3.13.0" "onnx==1.23.2" "onnxruntime==1.32.0" \
    "numpy==2.4.6"
cd "$work"
PATH="$work/venv/bin:$PATH" ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" -W ignore - <<'PY'
import subprocess
import sys
from importlib.metadata import version

import iree.runtime
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

onnxruntime.set_default_logger_severity(3)
channels, height, width = 3, 6, 8
picture = np.zeros((1, channels, height, width), np.float32)
picture += 100 * np.arange(1, channels + 1)[:, None, None]  # a pixel tells channel, row and column: 212 is row 1, column 2 of 2
picture += 10 * np.arange(height)[:, None] + np.arange(width)
# in the middle channel, so that whatever is taken lies within the picture
columns = np.array([-3, -1.5, -0.5, 0, 3, 7, 7.5, 8.5, 9, 10, 3, 3], np.float32)
rows = np.array([2] * 10 + [-1.5, 7], np.float32)
places = np.stack([2 * columns / (width - 1) - 1, 2 * rows / (height - 1) - 1], -1)[None, None].astype(np.float32)


def compiled(mode, padding, opset):
    """What IREE and ONNX Runtime sample of the middle channel; None where it is refused."""
    node = helper.make_node("GridSample", ["picture", "places"], ["warped"], mode=mode, padding_mode=padding, align_corners=1)
    given = {"picture": picture, "places": places}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, array.shape) for name, array in given.items()]
    shape = [1, channels, 1, len(columns)]
    result = helper.make_tensor_value_info("warped", TensorProto.FLOAT, shape)
    model = helper.make_model(helper.make_graph([node], "warp", inputs, [result]),
                              opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.save(model, "warp.onnx")
    subprocess.run(["iree-import-onnx", "warp.onnx", "-o", "warp.mlir"], check=True)
    target = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
              "--iree-llvmcpu-target-cpu=host"]
    told = subprocess.run(["iree-compile", "warp.mlir", *target, "-o", f"{padding}.vmfb"], capture_output=True, text=True)
    if told.returncode:
        assert "failed to legalize operation" in told.stderr, told.stderr
        return None
    module = iree.runtime.load_vm_flatbuffer_file(f"{padding}.vmfb", driver="local-sync")
    mine = module.warp(picture, places).to_host().copy()[0, 1, 0]
    theirs = onnxruntime.InferenceSession("warp.onnx", providers=["CPUExecutionProvider"]).run(None, given)[0][0, 1, 0]
    return np.round(mine, 1).tolist(), np.round(theirs, 1).tolist()


print("IREE", version("iree-base-compiler"), "ONNX Runtime", onnxruntime.__version__)
mine, theirs = compiled("linear", "zeros", 20)
for column, row, one, other in zip(columns, rows, mine, theirs, strict=True):
    print(f"column {column}, row {row}: ONNX Runtime {other}, IREE {one}")
refused = [compiled("linear", padding, 20) for padding in ("border", "reflection")]
print("border and reflection:", refused)
inside = [one == other for one, other in zip(mine, theirs, strict=True)]
far = [bool(c <= -1 or c >= width or r <= -1 or r >= height) for c, r in zip(columns, rows, strict=True)]
ok = refused == [None] * 2 and inside == [not out for out in far]
ok = ok and all(other == 0 for other, out in zip(theirs, far, strict=True) if out)
sys.exit(0 if ok else 1)
PY
