#!/usr/bin/env bash
# Pictures resized and cut out by MNN.cv (MNN 3.6.1), whose functions, names and arguments are OpenCV's.
#
# One would guess: "cv2 for phones": 8 bits differ by a rounding, floats are taken or refused.
# What happens: (1) a float picture's BYTES are taken for pixels: a ramp of 20 to 206 comes out of resize as 0, 47, 30, 62,
# with the right shape and type float32. (2) INTER_CUBIC is taken by resize and gives the nearest
# pixel: steps of up to half a pixel. (3) getRectSubPix, "with sub-pixel accuracy", cuts half a pixel further right and
# down than OpenCV does, where a side is even: the patch's middle is put between two other pixels.
# INTER_LINEAR of 8 bits, pyrDown and solvePnP agree with OpenCV.
# What follows: faces and patches prepared for a network by it are torn, in steps or half a pixel off from those that it was
# trained on, and nothing is said. Keep to 8 bits and INTER_LINEAR, make floats of the result, cut by warpAffine.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "MNN==3.6.1" "opencv-contrib-python==5.1.0.95" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import cv2
import MNN.cv as mnn
import MNN.expr as expr
import numpy as np

ramp = np.tile(20 + 6 * np.arange(32), (24, 1))  # 6 levels a column
bytes_, floats = (np.repeat(ramp[..., None], 3, 2).astype(kind) for kind in (np.uint8, np.float32))


def given(array):
    kind = expr.uint8 if array.dtype == np.uint8 else expr.float
    array = np.ascontiguousarray(array)
    return expr.const(array, list(array.shape), expr.NHWC, kind)


def back(variable):
    array = np.array(variable.read()).astype(np.float64)
    return array.reshape(array.shape[0], array.shape[1], -1)[..., 0]


size, inside = (64, 48), np.s_[4:-4, 8:-8]


def apart(mine, theirs):
    """The largest difference in pixels of the source, where no border is near."""
    return float(np.abs(back(mine) - theirs[..., 0].astype(np.float64))[inside].max()) / 6


found = {
    "8 bits, INTER_LINEAR": apart(mnn.resize(given(bytes_), size), cv2.resize(bytes_, size)),
    "8 bits, INTER_CUBIC": apart(
        mnn.resize(given(bytes_), size, interpolation=mnn.INTER_CUBIC),
        cv2.resize(bytes_, size, interpolation=cv2.INTER_CUBIC),
    ),
    "8 bits, INTER_CUBIC, beside OpenCV's INTER_NEAREST": apart(
        mnn.resize(given(bytes_), size, interpolation=mnn.INTER_CUBIC),
        cv2.resize(bytes_, size, interpolation=cv2.INTER_NEAREST),
    ),
    "floats, INTER_LINEAR": apart(mnn.resize(given(floats), size), cv2.resize(floats, size)),
}
for name, pixels in found.items():
    print(f"resize to twice the size, {name}: up to {pixels:.2f} px apart")
made = mnn.resize(given(floats), size)
print("a row of the float ramp, enlarged by MNN:", np.array(made.read())[20, 20:28, 0], np.array(made.read()).dtype)
print("by OpenCV:", cv2.resize(floats, size)[20, 20:28, 0])

gray = bytes_[..., :1].copy()
cut = {}
for width in (9, 10):
    mine = back(mnn.getRectSubPix(given(gray), (width, width), (15.0, 12.0)))
    theirs = cv2.getRectSubPix(gray[..., 0], (width, width), (15.0, 12.0)).astype(np.float64)
    cut[width] = float((mine - theirs).mean()) / 6
    print(f"getRectSubPix, {width} px wide: {cut[width]:.2f} px to the right of OpenCV's")
linear, cubic, nearest, bare = found.values()
ok = linear < 0.2 and cubic > 0.25 and nearest == 0 and bare > 3 and abs(cut[10] - 0.5) < 0.1
sys.exit(0 if ok else 1)
PY
