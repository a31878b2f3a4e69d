#!/usr/bin/env bash
# kornia's remap with the map that leaves every pixel where it is.
#
# One would guess: kornia.geometry.transform.remap does what cv2.remap does, whose names and maps in pixels it
# takes over, so that map_x = column and map_y = row give the same picture.
# What happens: by default it scales pixels to -1 ... 1 by corners that are pixel centers and samples with
# corners that are pixel edges. The picture is stretched about its middle by n / (n - 1): up to 0.5 px at
# the sides, and the outermost rows and columns are half black. align_corners=True gives the picture back.
# warp_affine, rotate and elastic_transform2d of the same package are right with either.
# What follows: a displacement field or an ST map applied by it moves everything by up to half a pixel more, and
# a field learnt through it has that error in it. Say align_corners=True, and try the identity once.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "kornia==0.9.0" "opencv-contrib-python==5.1.0.95" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import cv2
import kornia
import numpy as np
import torch
from kornia.geometry.transform import remap

height, width = 31, 41
y, x = np.mgrid[:height, :width].astype(np.float32)
columns, rows, picture = (torch.from_numpy(a)[None] for a in (x, y, x))  # each pixel says its column
ways = {
    "cv2.remap": cv2.remap(x, x, y, cv2.INTER_LINEAR),
    "kornia": remap(picture[None], columns, rows)[0, 0].numpy(),
    "kornia, align_corners=True": remap(picture[None], columns, rows, align_corners=True)[0, 0].numpy(),
}
print("kornia", kornia.__version__, "OpenCV", cv2.__version__)
off = {}
for name, found in ways.items():
    off[name] = (found - x)[height // 2, [1, 10, 20, 30, 39]]
    print(f"{name}: columns 1, 10, 20, 30, 39 are taken {np.round(off[name], 3) + 0.0} px further")
half_black = float(ways["kornia"][15, 40]) / 40
print(f"the last column has {half_black:.2f} of its brightness")
wrong = [bool(np.abs(values).max() > 1e-3) for values in off.values()]
stretched = np.allclose(off["kornia"], (np.array([1, 10, 20, 30, 39]) - 20) / 40, atol=1e-3)
sys.exit(0 if wrong == [False, True, False] and stretched and abs(half_black - 0.5) < 0.01 else 1)
PY
