#!/usr/bin/env bash
# A picture made LARGER by PyTorch's bicubic interpolation (2.13.0), with antialias=False and with antialias=True.
#
# One would guess: the same numbers. Antialiasing is for making smaller: in an enlargement nothing can alias, and for bilinear
# the two are equal to the last bit but one.
# What happens: antialias also chooses another cubic: a = -0.5 (as Pillow) instead of -0.75 (as OpenCV). Noise from 0 to 1
# differs by up to 0.06 at twice the size, an edge from 0 to 1 overshoots by 0.05 instead of 0.08. torchvision's resize
# has antialias=True by default, torch's interpolate False; torchvision on tensors is so equal to Pillow to a rounding.
# What follows: a network trained on torchvision's or Pillow's enlargements and run with interpolate, or with OpenCV,
# sees other pictures (sharper ones), whatever the size. Say antialias in both places; linear is the same in all.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "numpy==2.4.6" "pillow==13.0.0" "opencv-python-headless==5.0.0.93"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import cv2
import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate


def larger(picture, mode, antialias):
    grown = interpolate(torch.from_numpy(picture)[None, None], scale_factor=2, mode=mode, antialias=antialias)
    return grown[0, 0].numpy()


noise = np.random.default_rng(0).random((24, 24), np.float32)
size = (48, 48)
edge = np.tile((np.arange(24) >= 12).astype(np.float32), (24, 1))
plain, blurred = larger(noise, "bicubic", False), larger(noise, "bicubic", True)
pillow = np.asarray(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC))
opencv = cv2.resize(noise, size, interpolation=cv2.INTER_CUBIC)
apart = lambda one, other: float(np.abs(one - other)[4:-4, 4:-4].max())  # edges are another matter
over = [float(larger(edge, "bicubic", antialias).max() - 1) for antialias in (False, True)]
linear = apart(larger(noise, "bilinear", False), larger(noise, "bilinear", True))
print("torch", torch.__version__, "- bicubic to twice the size, noise from 0 to 1")
print(f"antialias True beside False: up to {apart(plain, blurred):.3f}; bilinear {linear:.1e}")
print(f"antialias=False: from OpenCV {apart(plain, opencv):.1e}, from Pillow {apart(plain, pillow):.3f}")
print(f"antialias=True:  from OpenCV {apart(blurred, opencv):.3f}, from Pillow {apart(blurred, pillow):.1e}")
print(f"an edge overshoots by {over[0]:.3f} without, {over[1]:.3f} with antialias")
ok = 0.03 < apart(plain, blurred) < 0.1 and linear < 1e-6
ok = ok and apart(plain, opencv) < 1e-5 and apart(blurred, pillow) < 1e-5
ok = ok and over[0] > over[1] + 0.02
sys.exit(0 if ok else 1)
PY
