#!/usr/bin/env bash
# TorchIO's RandomAnisotropy (1.2.1), which imitates thick slices: does what it blurs stay where it is?
#
# One would guess: along the chosen axis the picture becomes coarse, and everything in it stays in its place, since the
# result has the same grid and affine, and labels beside it are left as they are.
# What happens: where the number of slices and the factor are even, the whole picture moves by half a voxel towards the
# beginning of the axis, 4 mm in a stack of slices of 8 mm; labels stay. Coarse voxels then have their centers halfway
# between two slices, "nearest" always takes the later one, and nothing is averaged.
# What follows: images and labels part by half a voxel or not, as the size of each volume has it, always in the same
# direction. Move the labels along by scalars_only=False, blur and resample by Resample (linear) to the thick grid
# and back, or take an odd factor and an odd number of slices.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "torchio==1.2.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
import torch
import torchio as tio

SPACING = (1.5, 1.5, 8.0)


def shift(slices, factor):
    """Where the picture says it is, minus where it lies, voxels along the slices; whether the labels stayed."""
    place = torch.arange(slices, dtype=torch.float32).expand(1, 24, 20, slices).clone()  # each voxel tells its slice
    affine = np.diag([*SPACING, 1.0])
    subject = tio.Subject(
        image=tio.ScalarImage(tensor=place, affine=affine), label=tio.LabelMap(tensor=(place > 5).short(), affine=affine)
    )
    coarse = tio.RandomAnisotropy(axes=(2,), downsampling=(factor, factor))(subject)
    assert coarse.image.shape == place.shape and np.allclose(coarse.image.affine, affine)
    same = bool((coarse.label.data == subject.label.data).all())
    middle = slice(slices // 4, -(slices // 4))
    return float((coarse.image.data - place)[0, 12, 10, middle].mean()), same


print("TorchIO", tio.__version__, "torch", torch.__version__)
ok = True
for slices in (32, 33):
    for factor in (2, 3, 4):
        moved, same = shift(slices, factor)
        print(f"{slices} slices, factor {factor}: {moved:+.2f} voxels, {moved * SPACING[2]:+.1f} mm; labels as before: {same}")
        ok = ok and same and abs(moved - (0.5 if slices % 2 == factor % 2 == 0 else 0)) < 0.01
sys.exit(0 if ok else 1)
PY
