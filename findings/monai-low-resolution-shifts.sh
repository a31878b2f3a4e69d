#!/usr/bin/env bash
# MONAI's RandSimulateLowResolution (1.6.1), as it is.
#
# One would guess: it makes an image coarse, and everything in it stays where it is, beside its labels, which are left
# as they are.
# What happens: it takes the nearest voxel on the way down, which is the first of each block, and interpolates on the
# way up as if it had been the block's middle. All content moves towards the end of every axis by half a coarse
# voxel less half a fine one: 0.5 voxel at a zoom of 0.5, 1.5 at 0.25, always in the same direction. With
# downsample_mode="nearest-exact" it moves by half a voxel the other way, with "trilinear" it stays.
# What follows: a network trained so sees labels beside the edges that it should learn, at slices of 8 mm by 4 to 12
# mm through the stack. Say downsample_mode="trilinear" (or "area"), and do not shrink pictures by "nearest"
# elsewhere: Resize does the same.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import monai
import numpy as np
import torch
from monai.transforms import RandSimulateLowResolution

index = np.stack(np.mgrid[:32, :40, :24]).astype(np.float32)  # every voxel holds where it is


def content_moves(zoom, **options):
    """Voxels by which what is seen moves along each axis, away from the edges."""
    coarse = RandSimulateLowResolution(prob=1.0, zoom_range=(zoom, zoom), **options)
    seen = np.asarray(coarse(torch.from_numpy(index)))
    return (index - seen)[:, 8:24, 10:30, 6:18].mean(axis=(1, 2, 3)).round(3).tolist()


print("monai", monai.__version__, "- content moves by, voxels")
half, quarter = content_moves(0.5), content_moves(0.25)
exact = content_moves(0.5, downsample_mode="nearest-exact")
linear = content_moves(0.25, downsample_mode="trilinear")
print("zoom 0.5:", half, " zoom 0.25:", quarter)
print("zoom 0.5, nearest-exact:", exact, " zoom 0.25, trilinear:", linear)
expected = (([0.5] * 3, half), ([1.5] * 3, quarter), ([-0.5] * 3, exact), ([0.0] * 3, linear))
sys.exit(0 if all(np.allclose(one, found, atol=1e-2) for one, found in expected) else 1)
PY
