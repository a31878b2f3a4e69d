#!/usr/bin/env bash
# The largest piece of a label map: two cubes that touch at a corner, and a wall one voxel thin along a diagonal.
#
# One would guess: what is one piece is the same for all packages, or they say by what neighbors they count.
# What happens: by their defaults scipy.ndimage.label and SimpleITK's ConnectedComponent count across faces and find two
# cubes, scikit-image's label and connected-components-3d count across corners, too, and find one. A diagonal wall of one
# voxel is one piece by the latter and as many as it has voxels by the former.
# What follows: "the largest piece" cuts off a ventricle's thin apex by two packages, and keeps a vessel that touches it
# at a corner by the others. In thick slices a corner is 8 mm away. Say the connectivity: structure=, fullyConnected,
# connectivity=.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "scipy==1.17.1" "SimpleITK==2.5.7" "scikit-image==0.26.0" \
    "connected-components-3d==4.1.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import cc3d
import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from skimage import measure

cubes = np.zeros((10, 30, 30), np.uint8)
cubes[2:5, 5:15, 5:15] = cubes[5:8, 15:25, 15:25] = 1
wall = np.zeros((10, 30, 30), np.uint8)
wall[5] = np.eye(30, dtype=np.uint8)
counts = {
    "scipy.ndimage.label": lambda mask: ndimage.label(mask)[1],
    "SimpleITK ConnectedComponent": lambda mask: int(
        sitk.GetArrayFromImage(sitk.ConnectedComponent(sitk.GetImageFromArray(mask))).max()
    ),
    "skimage.measure.label": lambda mask: int(measure.label(mask).max()),
    "cc3d.connected_components": lambda mask: int(cc3d.connected_components(mask).max()),
}
found = {name: (count(cubes), count(wall)) for name, count in counts.items()}
for name, (of_cubes, of_wall) in found.items():
    print(f"{name}: {of_cubes} cubes, wall in {of_wall} pieces")
assert list(found.values()) == [(2, 30), (2, 30), (1, 1), (1, 1)]
PY
