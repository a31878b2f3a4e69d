#!/usr/bin/env bash
# How finely OpenCV 5 samples a picture, by its number of channels.
#
# One would guess: since release 5 remap interpolates where it is told to, whatever the picture.
# What happens: so it does for pictures of one, three and four channels. Those of two, such as a
# displacement field or complex numbers, and of five and more are still sampled at places rounded to
# 1/32 px, with an error of up to 1/64 px times the difference of neighboring values.
# What follows: a field is sampled as two pictures of one channel, which takes about as long and is
# exact; so are many maps, four channels at a time. An iteration that inverts a field otherwise
# stops hundredths of a px away, and Newton's method makes steps that the rounding has asked for.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q opencv-contrib-python==5.1.0.95
"$work/venv/bin/python" - <<'PY'
import sys

import cv2
import numpy as np

x = np.linspace(3, 40, 997, dtype=np.float32)[None]
y = np.full_like(x, 7.3)
errors = {}
for channels in (1, 2, 3, 4, 5, 8):
    ramp = np.tile(np.arange(64, dtype=np.float32)[None, :, None], (64, 1, channels))
    found = cv2.remap(ramp, x, y, cv2.INTER_LINEAR).reshape(-1, channels)
    errors[channels] = float(abs(found - x.T).max())
    print(f"OpenCV {cv2.__version__}, {channels} channels: off by at most {errors[channels]:.4f} px")
exact = all(errors[channels] < 1e-4 for channels in (1, 3, 4))
in_steps = all(0.014 < errors[channels] < 0.017 for channels in (2, 5, 8))
sys.exit(0 if exact and in_steps else 1)
PY
