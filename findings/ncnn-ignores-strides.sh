#!/usr/bin/env bash
# A picture of OpenCV given to ncnn 1.0.20261020 from Python: floats by ncnn.Mat(picture.transpose(2, 0, 1)), bytes by Mat.from_pixels.
#
# One would guess: the Mat holds what NumPy shows, since its shape is right, or the array is refused where it is a view.
# What happens: the shape is taken from the view and the numbers from memory in their order, without a word: transposed, the three
# channels are each a third of the picture with its colors side by side; a crop's rows are slanted. from_pixels with
# frame[..., ::-1] or a crop likewise. clone() doesn't mend it. And PIXEL_BGR2GRAY cuts off instead of rounding: gray is
# half a level darker than OpenCV's.
# What follows: a network on the phone's desktop twin finds nothing, or finds it elsewhere. Put numpy.ascontiguousarray around the
# array; facewarp's own pictures are contiguous.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "ncnn==1.0.20261020" "numpy==2.4.6" "opencv-python-headless==5.0.0.93"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import cv2
import ncnn
import numpy as np

# The picture lies in the middle of a larger block, so that nothing outside that is read.
block = np.random.default_rng(0).integers(0, 256, (48, 32, 3), np.uint8)
frame = block[16:32]
floats = block.astype(np.float32)[16:32]
print("ncnn", version("ncnn"))
views = {
    "channels first, contiguous": np.ascontiguousarray(floats.transpose(2, 0, 1)),
    "channels first": floats.transpose(2, 0, 1),
    "a crop of rows and columns": floats[2:10, 3:20, 0],
}
same = []
for name, view in views.items():
    mat = ncnn.Mat(view)
    held, copied = np.array(mat), np.array(mat.clone())
    same.append(bool(np.array_equal(held, view)))
    print(f"{name}: shape {held.shape} of {view.shape}, equal {same[-1]}, its clone {np.array_equal(copied, view)}")
    assert held.shape == view.shape and np.array_equal(held, copied)
pixels = {"bytes": frame, "bytes, channels turned round": frame[..., ::-1], "bytes, a crop": frame[2:10, 3:20]}
for name, view in pixels.items():
    height, width = view.shape[:2]
    held = np.array(ncnn.Mat.from_pixels(view, ncnn.Mat.PixelType.PIXEL_BGR, width, height))
    same.append(bool(np.array_equal(held, view.transpose(2, 0, 1))))
    print(f"{name}: equal {same[-1]}")
gray = np.array(ncnn.Mat.from_pixels(frame, ncnn.Mat.PixelType.PIXEL_BGR2GRAY, 32, 16))[0]
exact = frame @ np.array([0.114, 0.587, 0.299])
dark = float((gray - exact).mean()), float((cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY) - exact).mean())
print(f"gray beside the exact one, on average: ncnn {dark[0]:+.2f}, OpenCV {dark[1]:+.2f}")
ok = same == [True, False, False, True, False, False]
sys.exit(0 if ok and -0.7 < dark[0] < -0.3 and abs(dark[1]) < 0.1 else 1)
PY
