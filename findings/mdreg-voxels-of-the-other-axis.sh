#!/usr/bin/env bash
# The deformation that mdreg 0.5.4 (over itk-elastix 0.25.4) gives for a motion of 2 voxels, by the voxels' size.
#
# One would guess: "the displacement vectors are measured in voxel units", so 2, whatever the millimeters; spacing only tells
# elastix how stiff the tissue is along each axis.
# What happens: millimeters are divided by the spacing of the other end: vectors are in the array's order of axes, the spacing
# has been turned round for ITK. With 1.5 x 1.5 mm it is 2. With 8 x 1.5 mm the same motion along the first axis is 10.8
# voxels, with 1.5 x 8 mm 0.4. The picture that comes back beside it is right.
# What follows: points, contours or strain taken along by the field of anisotropic data are off by the ratio of two
# spacings, 5 in a heart's short axis, where the registered picture shows nothing of it. Multiply each component by its
# wrong spacing and divide by its own, or leave spacing at 1.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "mdreg[elastix]==0.5.4" "itk-elastix==0.25.4" "itk==5.4.7" "scipy==1.17.1" "numpy==2.4.6" \
    "scikit-image==0.26.0" scikit-learn
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import mdreg.elastix
import numpy as np
from scipy import ndimage

noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(60, 90)), 3)
fixed = noise / noise.std() * 100 + 500
moving = ndimage.shift(fixed, (2.0, 0), order=3, mode="nearest")  # 2 voxels along the first axis
inner = (slice(20, 40), slice(30, 60))
found = {}
print("mdreg", version("mdreg"), "itk-elastix", version("itk-elastix"))
print(f"before: pictures differ by {np.abs(moving - fixed)[inner].mean():.0f}")
for spacing in ((1.5, 1.5), (8.0, 1.5), (1.5, 8.0)):
    picture, _, field = mdreg.elastix.coreg(moving, fixed, spacing=list(spacing), return_deformation=True)
    found[spacing] = field[inner].mean((0, 1))
    left = np.abs(picture - fixed)[inner].mean()
    print(f"{spacing} mm: field {found[spacing].round(2)} voxels, pictures differ by {left:.0f}")
ok = abs(found[1.5, 1.5][0] - 2) < 0.1
ok &= abs(found[8.0, 1.5][0] - 2 * 8 / 1.5) < 0.4 and abs(found[1.5, 8.0][0] - 2 * 1.5 / 8) < 0.05
sys.exit(0 if ok else 1)
PY
