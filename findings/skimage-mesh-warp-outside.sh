#!/usr/bin/env bash
# A face warped by its landmarks (PiecewiseAffineTransform of scikit-image 0.26), whose landmarks lie still: what is around them?
#
# One would guess: mode="edge" and mode="reflect" continue the picture where the warp leads out of it, as in warp with any other
# transform; around a face that does not move the picture stays, or is black.
# What happens: all that lies outside the landmarks' mesh is the place (-1, -1). By mode="constant" that is black, by "edge" and
# "reflect" the one pixel of the upper left corner, or its neighbor, in whole areas, by "wrap" that of the lower right. Points
# carried by the transform itself come back as (-1, -1), which its documentation tells, and which looks like a place.
# What follows: a background of one plausible color (sky, wall) around a warped face; means and losses over landmarks that count
# (-1, -1). Add the picture's corners, a pixel beyond, to both sets of points, and look for -1 among points.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "scikit-image==0.26.0" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import skimage
from skimage.transform import PiecewiseAffineTransform, warp

y, x = np.mgrid[:64, :64]
picture = 0.2 + 0.6 * np.exp(-((y - 30) ** 2 + (x - 34) ** 2) / 50)
picture[:8, :8], picture[-8:, -8:] = 1.0, 0.5  # the upper left and the lower right corner
landmarks = np.array([[16, 16], [48, 16], [48, 48], [16, 48], [32, 32]], float)
still = PiecewiseAffineTransform()
assert still.estimate(landmarks, landmarks) is not False
inside = (slice(18, 46), slice(18, 46))
outside = np.ones((64, 64), bool)
outside[16:49, 16:49] = False
print("scikit-image", skimage.__version__)
wanted = {"constant": 0.0, "edge": 1.0, "reflect": 1.0, "wrap": 0.5}
ok = True
for mode, value in wanted.items():
    warped = warp(picture, still, mode=mode)
    values = np.unique(warped[outside].round(6))
    print(f"{mode}: outside the mesh {values.tolist()}, in the picture {picture[outside].min():.2f} to {picture[outside].max():.2f}; "
          f"inside off by {np.abs(warped - picture)[inside].max():.0e}")
    ok &= values.tolist() == [value] and bool(np.abs(warped - picture)[inside].max() < 1e-6)
points = still(np.array([[30.0, 30.0], [10.0, 30.0]]))
print("points (30, 30) and (10, 30) become", points.tolist())
sys.exit(0 if ok and np.allclose(points, [[30, 30], [-1, -1]]) else 1)
PY
