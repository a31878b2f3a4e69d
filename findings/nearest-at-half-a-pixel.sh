#!/usr/bin/env bash
# A label map moved by exactly half a pixel, as between two grids of which one is twice as fine or has one row more, by
# nearest neighbor, in eight ways.
#
# One would guess: every label moves to one side or to the other; all labels do so alike.
# What happens: SciPy, SimpleITK, scikit-image and OpenCV's warpAffine round half up: all labels move to one side.
# PyTorch's grid_sample and OpenCV's remap and warpPerspective round half to even: even columns come twice, odd ones not
# at all (0 2 2 4 4 6 6). warpAffine did so too in OpenCV 5.0; in 5.1 it differs from warpPerspective. With
# align_corners=True grid_sample does either, from pixel to pixel, by the last bit of its float.
# What follows: parts of one pixel (a thin wall, the line between lips) vanish or are doubled by where they lie, and a
# test on large parts sees nothing. Add a thousandth of a pixel to such places, or move probabilities linearly and take
# the largest. Fields of registrations seldom hit the half; changes of grid do.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "opencv-contrib-python==5.1.0.95" "scipy==1.17.1" \
  "SimpleITK==2.5.7" "scikit-image==0.26.0" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import cv2
import numpy as np
import scipy
import SimpleITK as sitk
import skimage
import torch
from scipy import ndimage
from skimage.transform import AffineTransform, warp
from torch.nn.functional import grid_sample

n = 16
labels = np.tile(np.arange(n, dtype=np.uint8), (n, 1))  # each column has a label of its own
y, x = np.mgrid[:n, :n].astype(np.float32)
matrix = np.float32([[1, 0, 0.5], [0, 1, 0], [0, 0, 1]])
flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP


def by_torch(corners):
    """The labels half a pixel to the right of each, by grid_sample."""
    u, v = ((2 * q + (0 if corners else 1)) / (n - 1 if corners else n) - 1 for q in (x + 0.5, y))
    grid = torch.from_numpy(np.stack([u, v], -1))[None].float()
    picture = torch.from_numpy(labels)[None, None].float()
    return grid_sample(picture, grid, mode="nearest", padding_mode="border", align_corners=corners)[0, 0].numpy()


def by_sitk():
    """The same by SimpleITK."""
    image = sitk.GetImageFromArray(labels)
    shift = sitk.TranslationTransform(2, (0.5, 0.0))
    return sitk.GetArrayFromImage(sitk.Resample(image, image, shift, sitk.sitkNearestNeighbor))


ways = {
    "scipy map_coordinates": ndimage.map_coordinates(labels, [y, x + 0.5], order=0, mode="nearest"),
    "SimpleITK Resample": by_sitk(),
    "scikit-image warp": warp(labels, AffineTransform(matrix), order=0, preserve_range=True, mode="edge"),
    "OpenCV warpAffine": cv2.warpAffine(labels, matrix[:2], (n, n), flags=flags),
    "OpenCV warpPerspective": cv2.warpPerspective(labels, matrix, (n, n), flags=flags),
    "OpenCV remap": cv2.remap(labels, x + 0.5, y, cv2.INTER_NEAREST),
    "PyTorch grid_sample": by_torch(False),
    "PyTorch, align_corners": by_torch(True),
}
print("torch", torch.__version__, "opencv", cv2.__version__, "scipy", scipy.__version__, "scikit-image",
      skimage.__version__, "SimpleITK", sitk.Version_VersionString())
kinds = {}
for name, found in ways.items():
    row = [int(label) for label in found[5]][:-2]
    if row == list(range(1, n - 1)):
        kinds[name] = "all up"
    elif row == [2 * ((column + 1) // 2) for column in range(n - 2)]:
        kinds[name] = "to even"
    else:
        kinds[name] = "mixed"
    print(f"{name:24s} {kinds[name]:8s}", *row)
expected = ["all up"] * 4 + ["to even"] * 3 + ["mixed"]
sys.exit(0 if list(kinds.values()) == expected else 1)
PY
