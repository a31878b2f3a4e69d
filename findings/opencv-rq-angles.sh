#!/usr/bin/env bash
# OpenCV: the angles of `RQDecomp3x3` for a head that faces the camera are not one triple.
#
# Trackers that send head poses as three angles take them from `cv2.RQDecomp3x3`, and receivers have
# the upright head's triple built in. One would guess that a rotation has one answer. The signs of a
# decomposition are settled by what is exactly zero: a matrix of zeros and ones (a head that faces
# the camera, in axes by rows and columns) and the same matrix with errors of 1e-7 give different
# triples for the same rotation, (x, y, z) and (x + 180, 180 - y, z + 180), and OpenCV 4.6 and 5.0
# differ on the exact one.
#
# What follows: choose one of both triples oneself, such as the one with |y| <= 90, before anything is
# sent, smoothed or compared; or send quaternions.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cat > "$place/angles.py" <<'PY'
import json
import sys

import cv2
import numpy as np

upright = np.array([[0.0, -1, 0], [-1, 0, 0], [0, 0, -1]])
nearly = upright + 1e-7 * np.random.default_rng(0).normal(size=(3, 3))
exact, noisy = (np.rint(cv2.RQDecomp3x3(m)[0]).astype(int) % 360 for m in (upright, nearly))
print(f"OpenCV {cv2.__version__}: exact {exact.tolist()}, with errors of 1e-7 {noisy.tolist()}")


def turn(angles):
    x, y, z = np.radians(angles)
    c, s = np.cos, np.sin
    about_x = np.array([[1, 0, 0], [0, c(x), s(x)], [0, -s(x), c(x)]])
    about_y = np.array([[c(y), 0, -s(y)], [0, 1, 0], [s(y), 0, c(y)]])
    about_z = np.array([[c(z), s(z), 0], [-s(z), c(z), 0], [0, 0, 1]])
    return (about_x @ about_y @ about_z).T


for angles in (exact, noisy):
    assert np.abs(turn(angles) - upright).max() < 1e-6, "another rotation"
sys.exit(0 if exact.tolist() == json.loads(sys.argv[1]) and noisy.tolist() == [180, 0, 270] else 1)
PY
for case in "4.6.0.66 numpy<2 [180,0,270]" "5.0.0.93 numpy>=2 [0,180,90]"; do
  read -r version numpy angles <<< "$case"
  python3 -m venv "$place/$version"
  "$place/$version/bin/pip" --disable-pip-version-check install --quiet \
    "opencv-python-headless==$version" "$numpy"
  "$place/$version/bin/python" "$place/angles.py" "$angles"
done
