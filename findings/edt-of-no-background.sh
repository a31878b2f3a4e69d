#!/usr/bin/env bash
# Distances to an empty mask, as surface distances of segmentations are computed in a few lines.
#
# One would guess: scipy.ndimage.distance_transform_edt(~mask) is infinite, or NaN, or an error where
# the mask is empty and there is nothing to be distant from.
# What happens: finite, plausible numbers: the distances to a voxel before the first corner of the
# array, at index -1 of the first axis. A Hausdorff distance or an HD95 against a part that a model
# has missed is then some millimetres, depends on where the heart lies in the array, and lowers the
# mean. The two other transforms say it: the chamfer one is -1 everywhere, the brute-force one huge.
# What follows: ask mask.any() first, and decide openly what a missed part counts.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q scipy==1.17.1 numpy==2.4.6
"$work/venv/bin/python" - <<'PY'
import numpy as np
import scipy
from scipy import ndimage

spacing = (10.0, 1.5, 1.5)
missed = np.zeros((8, 60, 60), bool)
print("SciPy", scipy.__version__)
hausdorff = {}
for corner in (2, 40):
    true = np.zeros_like(missed)
    true[1:4, corner : corner + 12, corner : corner + 12] = True
    away = ndimage.distance_transform_edt(~missed, sampling=spacing)
    hausdorff[corner] = float(away[true].max())
    print(f"a part at {corner}, missed: {hausdorff[corner]:.1f} mm from nothing")
assert all(np.isfinite(value) for value in hausdorff.values())
z, y, x = np.mgrid[:8, :60, :60]
to_corner = np.sqrt(((z + 1) * 10.0) ** 2 + (y * 1.5) ** 2 + (x * 1.5) ** 2)
np.testing.assert_allclose(ndimage.distance_transform_edt(~missed, sampling=spacing), to_corner)
assert hausdorff[40] > 2 * hausdorff[2]
assert (ndimage.distance_transform_cdt(~missed[0]) == -1).all()
assert ndimage.distance_transform_bf(~missed[0, :9, :9]).min() > 1e100
PY
