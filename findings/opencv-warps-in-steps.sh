#!/usr/bin/env bash
# How finely OpenCV moves a picture, release 4 against release 5.
#
# One would guess: remap and warpAffine interpolate at the place that they are given, and a newer
# release gives the same picture.
# What happens: up to 4.14 both round every place to 1/32 px, so that a shift of 0.01 px is none and
# one of 0.11 px is 0.125; from 5.x on they interpolate where they are told to. 8-bit pictures hide
# it, float pictures and everything that is measured in parts of a pixel do not.
# What follows: fields carried by these functions are off by up to 0.016 px with OpenCV 4, which is
# half of what a still face may jitter; figures below 0.05 px name the release.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
for release in 4.14.0.94 5.1.0.95; do
    python3 -m venv "$work/$release"
    "$work/$release/bin/pip" install -q "opencv-contrib-python==$release"
    "$work/$release/bin/python" - <<'PY'
import sys

import cv2
import numpy as np

ramp = np.tile(100 * np.arange(64, dtype=np.float32), (64, 1))
y, x = np.mgrid[:64, :64].astype(np.float32)


def moved(shift):
    by_map = cv2.remap(ramp, x + np.float32(shift), y, cv2.INTER_LINEAR)
    by_matrix = cv2.warpAffine(
        ramp, np.float32([[1, 0, shift], [0, 1, 0]]), (64, 64),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    return [float(picture[32, 32] - ramp[32, 32]) / 100 for picture in (by_map, by_matrix)]


error = max(abs(found - shift) for shift in np.linspace(0, 1, 101) for found in moved(shift))
print(f"OpenCV {cv2.__version__}: a shift of 0.01 px is {moved(0.01)[1]:.4f} px, "
      f"of 0.11 px {moved(0.11)[1]:.4f} px; off by at most {error:.4f} px")
steps = cv2.__version__.startswith("4.")
sys.exit(0 if (0.014 < error < 0.017) == steps and (error < 1e-4) != steps else 1)
PY
done
