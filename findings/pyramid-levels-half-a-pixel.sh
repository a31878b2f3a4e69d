#!/usr/bin/env bash
# A blob one and more levels up a Gaussian pyramid, by OpenCV 5.1 (pyrDown) and scikit-image 0.26 (pyramid_gaussian).
#
# One would guess: a level is the picture at half the size, so that a point found there goes to full size by
# (x + 1/2) 2 - 1/2, as everywhere where pictures are resized; and both packages agree.
# What happens: scikit-image's levels (and kornia's) lie so. OpenCV keeps every second pixel from the first on, so that
# x becomes x / 2: a quarter of a pixel of the level further right and down, 0.5 px of full size after one level,
# 1.5 after two, 3.5 after three. pyrUp fits pyrDown and not resize, by half a pixel the other way.
# What follows: motion or points found on one package's levels and carried to the other's, or to cv2.resize's, are off
# by (2^n - 1) / 2 px, always to the same side. From OpenCV's level n a point goes by x 2^n.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "opencv-contrib-python==5.1.0.95" "scikit-image==0.26.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import cv2
import numpy as np
from skimage.transform import pyramid_expand, pyramid_gaussian

row, column = np.mgrid[:256, :320]
picture = np.exp(-((column - 141) ** 2 + (row - 121) ** 2) / 800)


def middle(picture):
    """Column of the center of gravity."""
    return float((picture * np.arange(picture.shape[1])).sum() / picture.sum())


opencv, levels = picture, list(pyramid_gaussian(picture, max_layer=3, downscale=2))
print("OpenCV", cv2.__version__)
off = []
for level in (1, 2, 3):
    opencv = cv2.pyrDown(opencv)
    resized = cv2.resize(picture, opencv.shape[::-1], interpolation=cv2.INTER_AREA)
    places = [(middle(way) + 0.5) * 2**level - 0.5 for way in (opencv, levels[level], resized)]
    off.append([place - 141 for place in places])
    print(f"level {level}, brought to full size: OpenCV's pyrDown {off[-1][0]:+.2f} px, scikit-image {off[-1][1]:+.2f}, "
          f"OpenCV's resize {off[-1][2]:+.2f}")
up = [middle(cv2.pyrUp(picture)) - 282.5, middle(pyramid_expand(picture, 2)) - 282.5]
print(f"enlarged twice: OpenCV's pyrUp {up[0]:+.2f} px, scikit-image {up[1]:+.2f}")
expected = [[0.5, 0, 0], [1.5, 0, 0], [3.5, 0, 0]]
sys.exit(0 if np.allclose(off, expected, atol=0.02) and np.allclose(up, [-0.5, 0], atol=0.02) else 1)
PY
