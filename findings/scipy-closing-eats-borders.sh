#!/usr/bin/env bash
# Small holes of a mask closed, where the mask touches the edge of the array, by four packages.
#
# One would guess: closing (dilation, then erosion) only adds: what was in the mask is in it afterwards. That is what
# makes it a closing.
# What happens: scikit-image, OpenCV and SimpleITK keep the mask. scipy.ndimage.binary_closing erodes from outside
# the array (border_value=0 serves both steps), so that a rim as wide as the element's half is gone wherever the mask
# reaches the edge; with border_value=1 it is kept, but a mask that ends near the edge is drawn out to it.
# Its closing of gray values, grey_closing, is right.
# What follows: the first and last slices of a heart, or the chin of a face that the frame cuts off, are taken out of
# the labels by a "clean-up": of a part seen in 8 slices both ends. Pad first, or say closed | mask. Ours closes
# only on a ring that it has laid three times round.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "scipy==1.17.1" "scikit-image==0.26.0" "opencv-contrib-python==5.1.0.95" \
  "SimpleITK==2.5.7" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import cv2
import numpy as np
import scipy
import SimpleITK as sitk
import skimage
from scipy import ndimage

mask = np.zeros((40, 40), bool)
mask[10:30, :20] = True  # reaches the left edge
mask[18:20, 5:8] = False  # a hole
box = np.ones((7, 7), bool)
image = sitk.GetImageFromArray(mask.astype(np.uint8))
closed = {
    "scipy binary_closing": ndimage.binary_closing(mask, box),
    "scipy, border_value=1": ndimage.binary_closing(mask, box, border_value=1),
    "scipy grey_closing": ndimage.grey_closing(mask.astype(np.uint8), footprint=box) > 0,
    "scikit-image closing": skimage.morphology.closing(mask, box),
    "OpenCV MORPH_CLOSE": cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, box.astype(np.uint8)) > 0,
    "SimpleITK": sitk.GetArrayFromImage(sitk.BinaryMorphologicalClosing(image, [3, 3], sitk.sitkBox)) > 0,
}
print("scipy", scipy.__version__, "scikit-image", skimage.__version__, "opencv", cv2.__version__,
      "SimpleITK", sitk.Version_VersionString())
found = {}
hole = np.zeros_like(mask)
hole[18:20, 5:8] = True
for name, now in closed.items():
    found[name] = lost, outside = int((mask & ~now).sum()), int((now & ~mask & ~hole).sum())
    print(f"{name}: hole filled {bool(now[hole].all())}, {lost} of {int(mask.sum())} lost, {outside} added outside")
stack = np.zeros((8, 32, 32), bool)
stack[:, 8:24, 8:24] = True  # a part that is seen in all slices
near = np.zeros_like(mask)
near[10:30, 2:20] = True  # ends two pixels from the edge
drawn = int(ndimage.binary_closing(near, box, border_value=1)[:, :2].sum())
print("scipy, border_value=1, a mask two pixels from the edge:", drawn, "pixels added before it")
slices = ndimage.binary_closing(stack, np.ones((3, 3, 3), bool)).any((1, 2))
print("slices of 8 that still hold the part after a closing by 3 x 3 x 3:", int(slices.sum()))
ok = found["scipy binary_closing"] == (60, 0) and drawn > 20 and slices.sum() == 6
ok = ok and all(found[name] == (0, 0) for name in list(found)[1:]) and all(now[hole].all() for now in closed.values())
sys.exit(0 if ok else 1)
PY
