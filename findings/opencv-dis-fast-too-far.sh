#!/usr/bin/env bash
# How far a textured picture has moved, by the three presets of OpenCV's DIS optical flow.
#
# One would guess: PRESET_FAST and PRESET_ULTRAFAST are noisier than PRESET_MEDIUM; their errors differ in sign from
# place to place and average out, since each patch is fitted by itself.
# What happens: the mean is off, over the whole picture and in the direction of the motion. A shift of 1 px is seen as
# 1.12 by FAST and 1.05 to 1.08 by ULTRAFAST, one of 0.25 px as 0.32, one of 3 px as 2.89; multiples of 4 px are exact.
# Both stop at a quarter of the picture's size (finestScale 2), whose pixels are averages of blocks: moved by a
# part of a block they are no longer what linear interpolation makes of them. MEDIUM, at half the size, has the same at
# multiples of 2 (0.25 as 0.30), and setFinestScale(0) ends it: 0.26 and 1.00.
# What follows: slow motion adds up: a face that moves by 1 px a frame is 12 px ahead after 100 frames, and frame rates
# matter. Refine what the flow gives at full size (ours does, by Gauss-Newton), or take finestScale 0.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencv-contrib-python==5.1.0.95" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import cv2
import numpy as np
from scipy import ndimage

texture = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(256, 320)), 1.5)
texture = (texture - texture.min()) / np.ptp(texture) * 255
still = texture.round().astype(np.uint8)
middle = (slice(40, -40), slice(40, -40))
print("opencv", cv2.__version__, "- mean flow along columns")
presets = {"ultrafast": 0, "fast": 1, "medium": 2, "fast, finest scale 0": 1}
found = {}
for shift in (0.25, 0.5, 1.0, 2.0, 3.0, 4.0):
    moved = ndimage.shift(texture, (0, shift), order=5, mode="nearest").round().clip(0, 255).astype(np.uint8)
    for name, preset in presets.items():
        flow = cv2.DISOpticalFlow_create(preset)
        if name.endswith("0"):
            flow.setFinestScale(0)
        found[name, shift] = float(flow.calc(still, moved, None)[middle][..., 0].mean())
    print(f"true {shift:.2f}:", {name: round(found[name, shift], 3) for name in presets})
ok = 0.29 < found["fast", 0.25] < 0.36 and 1.09 < found["fast", 1.0] < 1.16 and 2.85 < found["fast", 3.0] < 2.93
ok = ok and 1.03 < found["ultrafast", 1.0] < 1.1 and abs(found["medium", 1.0] - 1) < 0.01
ok = ok and found["medium", 0.25] > 0.28
ok = ok and all(abs(found[name, 4.0] - 4) < 0.01 for name in presets)
ok = ok and all(abs(found["fast, finest scale 0", shift] - shift) < 0.02 for shift in (0.25, 0.5, 1.0, 2.0, 3.0, 4.0))
sys.exit(0 if ok else 1)
PY
