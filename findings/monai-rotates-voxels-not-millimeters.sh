#!/usr/bin/env bash
# A stack of slices 8 mm apart (pixels of 1.5 mm), turned by 30 degrees about one of its own columns by MONAI's Rotate
# (1.6.1).
#
# One would guess: a turn. MONAI knows the affine, and so the size of voxels, so that distances in millimeters stay;
# the affine that comes out is the old one turned.
# What happens: the grid is turned as if voxels were cubes, and Affine, RandRotate and RandAffine do likewise. In
# voxels of 1.5 x 1.5 x 8 mm, which is what a network takes them for, two places 44 mm apart are 99 mm apart, two
# others 49. The affine that comes with it says so honestly: its columns are 4.2 and 7.0 mm long and not at right
# angles, as no scanner makes them. nibabel writes it and gives other voxel sizes than before; ITK refuses the file
# ("only supports orthonormal direction cosines"). A turn about the slices' own axis is right.
# What follows: hearts of other shapes than any patient's in training, worst for the thickest slices, and volumes by
# spacing from before are right while lengths, strain and thickness are not. Turn thick slices only about their own
# axis, or go to equal voxels first (Spacing), or compute the turn by the affine.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "nibabel==5.4.2" "SimpleITK==2.5.7" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - "$work" 2>/dev/null <<'PY'
import sys

import nibabel
import numpy as np
import SimpleITK as sitk
import torch
from monai.data import MetaTensor
from monai.transforms import Rotate

SIZES, SHAPE, ANGLE = np.array([1.5, 1.5, 8.0]), (80, 80, 24), np.radians(30)
PLACES = {"base": (40, 40, 8), "apex": (40, 40, 16), "side": (40, 60, 12)}


def lengths(places, by):
    pairs = (("base", "apex"), ("base", "side"), ("apex", "side"))
    return [np.linalg.norm(by @ np.subtract(places[a], places[b])) for a, b in pairs]


def turned(angles):
    """Places of three blobs, in voxels, and the affine, after the turn."""
    indices, found = np.indices(SHAPE), {}
    for name, place in PLACES.items():
        away = (indices - np.reshape(place, (3, 1, 1, 1))) * SIZES.reshape(3, 1, 1, 1)
        blob = np.exp(-(away**2).sum(0) / 2 / 9**2).astype(np.float32)
        image = MetaTensor(torch.from_numpy(blob)[None], affine=torch.diag(torch.tensor([*SIZES, 1.0])))
        image = Rotate(angle=angles, keep_size=True, padding_mode="zeros")(image)
        array = image[0].numpy()
        found[name] = [(array * axis).sum() / array.sum() for axis in indices]
    return found, image


def line(name, numbers):
    print(f"{name:38}", *(f"{number:6.1f}" for number in numbers))


before = lengths(PLACES, np.diag(SIZES))
about_row, image = turned((ANGLE, 0, 0))
affine = image.affine.numpy()
tipped = lengths(about_row, np.diag(SIZES))
line("base-apex, base-side, apex-side, mm", before)
line("turned about a column, by voxel size", tipped)
line("turned about a column, by its affine", lengths(about_row, affine[:3, :3]))
in_plane = lengths(turned((0, 0, ANGLE))[0], np.diag(SIZES))
line("turned about the slices' axis", in_plane)
nibabel.save(nibabel.Nifti1Image(image[0].numpy(), affine), f"{sys.argv[1]}/turned.nii")
zooms = nibabel.load(f"{sys.argv[1]}/turned.nii").header.get_zooms()
line("voxel sizes of the file, by nibabel", zooms)
columns = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
print(f"angle of its 2nd and 3rd axis: {np.degrees(np.arccos(columns[:, 1] @ columns[:, 2])):.0f} degrees")
refusal = ""
try:
    sitk.ReadImage(f"{sys.argv[1]}/turned.nii")
except RuntimeError as error:
    refusal = str(error).splitlines()[-1]
print("SimpleITK:", refusal or "reads it")
assert np.allclose(in_plane, before, atol=1)
assert tipped[2] > 1.8 * before[2] and tipped[1] > 1.08 * before[1] and tipped[0] < 0.9 * before[0]
assert abs(columns[:, 1] @ columns[:, 2]) > 0.3 and abs(zooms[1] - 1.5) > 2
assert "orthonormal" in refusal
PY
