#!/usr/bin/env bash
# A displacement field that moves every second column to the right and the others to the left, by 0.9 voxels, so that
# they change places: how smooth it is and whether it folds, by four packages.
#
# One would guess: the worst there is for a regularizer, and every measure of folds finds half of all voxels.
# What happens: MONAI's DiffusionLoss (1.6.1) is 0.0000, as for no motion at all: central differences compare a
# voxel's two neighbors and never the voxel with either. SimpleITK's Jacobian determinant (2.5.7), and det(I +
# numpy.gradient), which most tables of folds are made of, are 1.000 everywhere: no fold, SDlogJ 0. MONAI's
# BendingEnergyLoss sees it (4.32). digital_diffeomorphism 1.1.1 counts 0 % of the voxels, by central differences, and
# 40 % of the volume, by tetrahedra; but its ndv(field, is_disp=True) adds the identity to the array that it is given:
# a second call with the same array says 0 % of the volume, as of whatever comes after, and so it is of a field that
# mirrors everything.
# What follows: a network trained with DiffusionLoss may learn such ripples for free, and "0 % folds" by central
# differences doesn't show them. Take one-sided differences in both, and give ndv a copy. Ours counts one-sided ones.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "SimpleITK==2.5.7" "digital_diffeomorphism==1.1.1" \
    "numpy==1.26.4" "nibabel==4.0.2"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import SimpleITK as sitk
import torch
from digital_diffeomorphism.core import ndv
from monai.losses import BendingEnergyLoss, DiffusionLoss

N, SIZE = 16, 0.9
column = np.indices((N, N, N))[2]
field = np.zeros((N, N, N, 3), np.float32)  # components z, y, x, in voxels
field[..., 2] = SIZE * (1 - 2 * (column % 2))
moved = column + field[..., 2]
turned_over = (np.diff(moved, axis=2) <= 0).mean()
print(f"neighbors that change places: {100 * turned_over:.0f} %")

batch = torch.from_numpy(field).movedim(-1, 0)[None]
ramp = torch.zeros_like(batch)
ramp[:, 2] = 0.1 * torch.arange(N)
losses = {
    (name, kind.__name__): kind()(u).item()
    for name, u in (("alternating", batch), ("stretch by 1.1", ramp))
    for kind in (DiffusionLoss, BendingEnergyLoss)
}
for (name, kind), value in losses.items():
    print(f"MONAI {kind:18} of {name:15} {value:.4f}")
image = sitk.GetImageFromArray(np.ascontiguousarray(field[..., ::-1]), isVector=True)
determinants = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(image))
inside = determinants[1:-1, 1:-1, 1:-1]
by_numpy = 1 + np.gradient(field[..., 2], axis=2)[1:-1, 1:-1, 1:-1]
print(f"SimpleITK: determinants inside {inside.min():.3f} to {inside.max():.3f}")
print(f"numpy.gradient: determinants inside {by_numpy.min():.3f} to {by_numpy.max():.3f}")
given = field.copy()
(first, voxels), (second, _) = (ndv(given, is_disp=True)[1:5:3] for _ in range(2))
print(f"digital_diffeomorphism: {voxels:.0f} % of the voxels, {first:.0f} % of the volume")
print(f"asked again with the same array: {second:.0f} % of the volume")
print(f"what was given has changed by up to {np.abs(given - field).max():.0f} voxels")

assert 0.4 < turned_over < 0.6
assert losses["alternating", "DiffusionLoss"] < 1e-9 < 1e-3 < losses["stretch by 1.1", "DiffusionLoss"]
assert losses["alternating", "BendingEnergyLoss"] > 4
assert np.allclose(inside, 1, atol=1e-5) and np.allclose(by_numpy, 1, atol=1e-5)
assert voxels == 0 and first > 30 and second == 0 and np.abs(given - field).max() > 1
PY
