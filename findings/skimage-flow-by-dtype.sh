#!/usr/bin/env bash
# How far one picture has moved (2 px to the right), by scikit-image 0.26's two optical flows, by the type of its numbers.
#
# One would guess: 2 px, whether it is stored as floats from 0 to 1, floats from 0 to 255, bytes, or the 16 bits of a scanner:
# brightness has no unit, and both functions convert what they get ("img_as_float" and the like) by themselves.
# What happens: integers become shares of their type's range. A cine's values, 0 to 1000 of uint16's 65,535, become 0 to 0.015,
# beside which the smoothness that is asked for is everything: optical_flow_tvl1 says 1.0 px, half the motion,
# optical_flow_ilk 1.7 with a scatter of 0.65. int16 says 1.93. Floats are taken as they are: tvl1 of 0 to 255 is 2.0 on the
# mean with a scatter of 0.5 px, of 0 to 1, and bytes, right to a thousandth.
# What follows: strain or motion of the same scan differs by a factor with the file's type, in tvl1 with its rescale slope too,
# and looks plausible each time. Scale to 0 to 1 in floats first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "scikit-image==0.26.0" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import skimage
from scipy import ndimage
from skimage.registration import optical_flow_ilk, optical_flow_tvl1

noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(80, 80)), 3)
still = (noise - noise.min()) / np.ptp(noise)
moved = ndimage.shift(still, (0, 2.0), order=3, mode="nearest").clip(0, 1)
TYPES = {
    "float, 0 to 1": lambda picture: picture,
    "float, 0 to 255": lambda picture: picture * 255,
    "uint8, 0 to 255": lambda picture: (picture * 255).round().astype(np.uint8),
    "int16, 0 to 1000": lambda picture: (picture * 1000).round().astype(np.int16),
    "uint16, 0 to 1000": lambda picture: (picture * 1000).round().astype(np.uint16),
}
found = {}
print("scikit-image", skimage.__version__, "- 2 px to the right, mean and scatter over the middle")
for name, way in TYPES.items():
    row = []
    for flow in (optical_flow_tvl1, optical_flow_ilk):
        along = flow(way(still), way(moved))[1][20:60, 20:60]
        row += [float(along.mean()), float(along.std())]
    found[name] = row
    print(f"{name:18} tvl1 {row[0]:.3f} +- {row[1]:.3f}   ilk {row[2]:.3f} +- {row[3]:.3f}")
right = all(abs(found[name][i] - 2) < 0.02 and found[name][i + 1] < 0.02
            for name in ("float, 0 to 1", "uint8, 0 to 255") for i in (0, 2))
wrong = abs(found["uint16, 0 to 1000"][0] - 1) < 0.1 and found["uint16, 0 to 1000"][2] < 1.9
wrong &= found["float, 0 to 255"][1] > 0.2 and abs(found["int16, 0 to 1000"][0] - 1.93) < 0.03
sys.exit(0 if right and wrong else 1)
PY
