#!/usr/bin/env bash
# Voxel size of a NIfTI file whose affine is the identity and whose pixdim is not, as all files of the
# cardiac challenge ACDC are.
#
# One would guess: every reader gives the same millimetres, or one of them refuses.
# What happens: nibabel's affine says 1 mm and its own header.get_zooms() 1.5 x 1.5 x 10 mm, in
# silence; SimpleITK and TorchIO say 1.5 x 1.5 x 10 (ITK warns of "unexpected scales in sform").
# What follows: volumes worked out from nibabel's affine are 22.5 times too small, and two tools
# in a row disagree by that. Decide by rule, say so, and write the decision into what is written.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nibabel==5.4.2" "SimpleITK==2.5.7" "torch==2.13.0" "torchio==1.2.1"
cd "$work"
"$work/venv/bin/python" -W ignore - 2>&1 <<'PY'
import sys

import nibabel as nib
import numpy as np
import SimpleITK as sitk
import torchio

true = (1.5, 1.5, 10.0)
image = nib.Nifti1Image(np.ones((32, 32, 6), np.int16), None)
image.set_sform(np.eye(4), 1)
image.set_qform(np.eye(4), 1)
image.header["pixdim"][1:4] = true
nib.save(image, "heart.nii.gz")

again = nib.load("heart.nii.gz")
found = {
    "nibabel, affine": nib.affines.voxel_sizes(again.affine),
    "nibabel, get_zooms": again.header.get_zooms(),
    "SimpleITK": sitk.ReadImage("heart.nii.gz").GetSpacing(),
    "TorchIO": torchio.ScalarImage("heart.nii.gz").spacing,
}
for reader, size in found.items():
    print(f"{reader:20} {' x '.join(f'{mm:g}' for mm in size)} mm")
same = [bool(np.allclose(size, true)) for size in found.values()]
sys.exit(0 if same == [False, True, True, True] else 1)
PY
