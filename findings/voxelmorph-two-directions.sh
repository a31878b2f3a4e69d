#!/usr/bin/env bash
# One affine matrix, given to VoxelMorph 0.3 as it is and as the displacements that it makes of it.
#
# One would guess: spatial_transform(image, matrix) and spatial_transform(image, affine_to_disp(matrix)) are the
# same, and so is what compose makes of the matrix and a field of zeros. A matrix of 2 x 3 is taken, as written.
# What happens: spatial_transform inverts a matrix and nothing else, so a translation by 5 px moves the picture
# by 5 px to the right, and as displacements, or composed with nothing, by 5 px to the left. The matrices of
# 2 x 3 that compose returns cannot be given to it: linalg.inv raises.
# What follows: an affine registration followed by a deformable one starts from the inverse of the first where
# the two ways meet. Turn every matrix into displacements first, and compare once with a shift.
# With us a field always points from the fixed grid into the moving image.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "voxelmorph==0.3.4" "neurite==0.3.4" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import torch
import voxelmorph as vxm

height, width = 40, 60
y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
blob = torch.exp(-((x - 30) ** 2 + (y - 18) ** 2) / 8)
matrix = torch.tensor([[1, 0, 0], [0, 1, 5], [0, 0, 1.0]])
still = torch.zeros(2, height, width)


def column(picture):
    return float((picture * x).sum() / picture.sum())


ways = {
    "nothing": blob,
    "the matrix": vxm.spatial_transform(blob, matrix),
    "affine_to_disp(matrix)": vxm.spatial_transform(blob, vxm.affine_to_disp(matrix, shape=(height, width))),
    "compose([matrix, zeros])": vxm.spatial_transform(blob, vxm.compose([matrix, still])),
}
print("VoxelMorph", vxm.__version__)
for name, picture in ways.items():
    print(f"{name}: a point of column 30 is at {column(picture):.1f}")
composed = vxm.compose([matrix, matrix])
try:
    vxm.spatial_transform(blob, composed)
    refused = False
except RuntimeError as error:
    refused = True
    print(f"compose([matrix, matrix]), {' x '.join(map(str, composed.shape))}:", error)
sys.exit(0 if [round(column(p)) for p in ways.values()] == [30, 35, 25, 25] and refused else 1)
PY
