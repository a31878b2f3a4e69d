#!/usr/bin/env bash
# Which voxel size an array has after scipy.ndimage.zoom.
#
# One would guess: zoom(volume, 2) halves the voxels, and the new header's spacing is the old one over
# 2, with the first voxel's outer face where it was, as torch's interpolate and scikit-image's resize
# have it.
# What happens: the centers of the first and the last voxel stay, so the step is (n - 1) / (2 n - 1),
# not 1 / 2: in 10 slices of 10 mm it is 4.74 mm. Written with 5 mm the stack is 5 mm too long, and
# at the ends half an old voxel off from what torch makes of it. grid_mode=True is what one guesses.
# What follows: zoom(..., grid_mode=True, mode="grid-constant" or "nearest") for images with a place in
# space, with the affine moved by half a voxel; and one way of resampling in training and use.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q scipy==1.17.1 numpy==2.4.6 scikit-image==0.26.0
"$work/venv/bin/python" - <<'PY'
import numpy as np
import scipy
import skimage
from scipy import ndimage
from skimage.transform import resize

slices, size = 10, 10.0
at = size * np.arange(slices)  # a ramp: each voxel holds where its center is, mm
plain = ndimage.zoom(at, 2, order=1)
grid = ndimage.zoom(at, 2, order=1, grid_mode=True, mode="nearest")
resized = resize(at[:, None], (20, 1), order=1, mode="edge", anti_aliasing=False)[:, 0]
guessed = 5.0 * np.arange(20) - 2.5  # centers of halved voxels
step = float(np.diff(plain)[9])
print("SciPy", scipy.__version__, "scikit-image", skimage.__version__)
print(f"zoom: {step:.3f} mm a voxel, length {20 * step:.1f} mm of {slices * size:g}")
print(f"against halved voxels zoom is up to {np.abs(plain - guessed)[1:-1].max():.2f} mm off,")
print(f"grid_mode {np.abs(grid - guessed)[1:-1].max():.2f}, scikit-image {np.abs(resized - guessed)[1:-1].max():.2f}")
np.testing.assert_allclose(np.diff(plain), size * (slices - 1) / (2 * slices - 1))
np.testing.assert_allclose(grid[1:-1], guessed[1:-1])
np.testing.assert_allclose(resized[1:-1], guessed[1:-1])
assert np.abs(plain - guessed)[1:-1].max() > 2
PY
