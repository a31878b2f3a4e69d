#!/usr/bin/env bash
# MONAI's GridDistortion (1.6.1) with a distortion of nothing.
#
# One would guess: cells that are neither stretched nor squeezed (distort_steps of 1) leave every voxel where it is, and
# RandGridDistortion with a small limit is a small, continuous distortion.
# What happens: each cell's places are spread over its ends inclusive (linspace), so the last voxel of a cell is sampled
# from where the next cell begins: the shift grows from 0 to a whole voxel within every cell and jumps back, so
# that one voxel is seen twice at each border, half a voxel off on average. In a stack of slices 8 mm apart
# that is up to 8 mm, of phases a whole phase. Labels distorted together with the image stay beside it.
# What follows: images so augmented no longer lie where their affine says, and what is compared with something not
# augmented (a field, landmarks, a second image for registration) is off by up to a voxel along each axis.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import monai
import numpy as np
import torch
from monai.transforms import GridDistortion

index = np.stack(np.mgrid[:32, :40, :12]).astype(np.float32)  # every voxel holds where it is
cells = 5
nothing = GridDistortion(num_cells=cells, distort_steps=[[1.0] * (cells + 1)] * 3, mode="bilinear", padding_mode="border")
shift = np.asarray(nothing(torch.from_numpy(index))) - index
along = shift[0, :, 20, 6]
print("monai", monai.__version__)
print("shift along the first axis, voxels:", along[:14].round(2).tolist())
inner = shift[:, 8:24, 10:30, 3:9]
print("mean of the inner voxels along each axis:", inner.mean(axis=(1, 2, 3)).round(2).tolist())
jumps = int((np.diff(along) < -0.5).sum())
print("jumps back:", jumps)
sys.exit(0 if abs(shift.max() - 1) < 1e-3 and jumps >= cells - 1 and (inner.mean(axis=(1, 2, 3)) > 0.3).all() else 1)
PY
