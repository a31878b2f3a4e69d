#!/usr/bin/env bash
# The last slices of a stack, and a stack turned over, by nibabel's slicer (5.4.2), which crops and keeps the place.
#
# One would guess: image.slicer[:, :, -3:] and image.slicer[:, :, 3:6] of six slices are the same image, and
# image.slicer[::-1] has its first voxel where the last one was. The voxels come so, and the affine is adjusted.
# What happens: the affine takes the slice's start as a number, negative or left out as it is. With -3 the three slices
# lie six places too low, that is below the stack; with ::-1 the image is mirrored and lies a whole length beside
# itself. [3:6] and [5::-1] are right, and SimpleITK's slicing is in all of them.
# What follows: slices cut from the end, to leave out the apex or the base, or turned over because they were counted
# from the apex, no longer lie on their labels, on the long axes or on the patient. Sizes and voxels look right. Say
# where a slice begins, from zero: slicer[:, :, n - 3:], slicer[n - 1::-1].
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nibabel==5.4.2" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import nibabel as nib
import numpy as np
import SimpleITK as sitk

columns, rows, slices = 8, 7, 6
affine = np.diag([1.5, 1.5, 8.0, 1.0])
affine[:3, 3] = [40, -30, 20]
place = affine[2, 3] + 8.0 * np.arange(slices)  # each voxel says how high it lies, mm
stack = np.broadcast_to(place, (columns, rows, slices)).astype(np.float32)
nib.save(nib.Nifti1Image(stack, affine), "stack.nii.gz")
image, itk = nib.load("stack.nii.gz"), sitk.ReadImage("stack.nii.gz")
ways = {
    "3:6": slice(3, 6), "-3:": slice(-3, None), "-3:-1": slice(-3, -1),
    "5::-1": slice(5, None, -1), "::-1": slice(None, None, -1), "::-2": slice(None, None, -2),
}
print("nibabel", nib.__version__, "SimpleITK", sitk.Version_VersionString())
off, other = {}, {}
for name, cut in ways.items():
    part = image.slicer[:, :, cut]
    voxels = part.get_fdata()[0, 0]
    assert (voxels == place[cut]).all()
    told = part.affine[2, 3] + part.affine[2, 2] * np.arange(len(voxels))
    off[name] = (told - voxels).round(6).tolist()
    same = itk[:, :, cut]
    corner = same.TransformIndexToPhysicalPoint((0, 0, same.GetSize()[2] - 1))[2]
    other[name] = float(corner - same[0, 0, same.GetSize()[2] - 1])
    print(f"[:, :, {name}]: slices of {voxels.tolist()} mm, their header says {told.tolist()};"
          f" SimpleITK is off by {other[name]}")
wrong = {"3:6": 0, "-3:": -48, "-3:-1": -48, "5::-1": 0, "::-1": -40, "::-2": -40}
same = all(set(off[name]) == {wrong[name]} for name in ways) and not any(other.values())
sys.exit(0 if same else 1)
PY
