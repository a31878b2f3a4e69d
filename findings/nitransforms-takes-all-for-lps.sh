#!/usr/bin/env bash
# A displacement field of intent 1006 (displacement), by SimpleITK and by NiTransforms 25.1 with fmt="itk".
#
# One would guess: fmt="itk" reads a file as ITK does.
# What happens: NiTransforms takes the vectors of every file for LPS. ITK does so with intent 1007 (vector), which is
# what it writes, but takes those of 1006 for RAS. One file moves a point by 5 mm along x by SimpleITK, and
# by 5 mm the other way by NiTransforms. Without fmt NiTransforms takes every file for RAS.
# What follows: fields of intent 1006 (ours, and those that 3D Slicer loads without a warning) are read by
# DenseFieldTransform(path), those that ITK or ANTs wrote by fmt="itk"; the wrong one is a registration that
# points the other way in two axes and says nothing.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nitransforms==25.1.0" "nibabel==5.4.2" "SimpleITK==2.5.7" "scipy==1.17.1" \
    "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nitransforms.nonlinear import DenseFieldTransform

print("NiTransforms", version("nitransforms"), "SimpleITK", sitk.Version_VersionString())
place = np.array([[15.0, 15.0, 80.0]])  # a voxel's center, RAS mm
same = True
for intent, meant in ((1006, "RAS"), (1007, "LPS")):
    vectors = np.zeros((20, 20, 20, 1, 3), np.float32)
    vectors[..., 0, :] = (5, 2, -1) if meant == "RAS" else (-5, -2, -1)  # the same motion in both
    image = nib.Nifti1Image(vectors, np.diag([1.5, 1.5, 8.0, 1.0]))
    image.header.set_intent(intent)
    nib.save(image, "field.nii.gz")
    itk = np.array(sitk.ReadImage("field.nii.gz")[10, 10, 10]) * (-1, -1, 1)
    by_itk = (DenseFieldTransform.from_filename("field.nii.gz", fmt="itk").map(place) - place)[0]
    plain = (DenseFieldTransform("field.nii.gz").map(place) - place)[0]
    print(f"intent {intent}, {meant}: SimpleITK {itk}, fmt='itk' {by_itk}, without fmt {plain}  (RAS mm)")
    assert np.allclose(itk, (5, 2, -1))
    turned, right = (plain, by_itk) if meant == "LPS" else (by_itk, plain)
    same = same and np.allclose(right, (5, 2, -1)) and np.allclose(turned, (-5, -2, -1))
sys.exit(0 if same else 1)
PY
