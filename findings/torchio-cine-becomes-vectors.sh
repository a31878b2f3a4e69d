#!/usr/bin/env bash
# A cine (X, Y, Z, T) read and saved by TorchIO, nothing done to it between.
#
# One would guess: the same axes come back.
# What happens: TorchIO takes phases for channels and saves them as components of a vector: five axes
# (X, Y, Z, 1, T) with the intent "vector", and a time step of 0. TorchIO itself reads that back as it was;
# SimpleITK sees one volume of 12 components, and programs that want four axes refuse it.
# What follows: cines that were augmented or resampled with TorchIO have their time along the fifth axis. We
# read these as cines and say so; their heart rate is lost (--time-step).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "torchio==1.2.1" "nibabel==5.4.2" "SimpleITK==2.5.7" \
    "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import nibabel as nib
import numpy as np
import SimpleITK as sitk
import torchio

cine = nib.Nifti1Image(np.zeros((8, 7, 6, 12), np.int16), np.diag([1.5, 1.5, 8.0, 1.0]))
cine.header.set_xyzt_units("mm", "sec")
cine.header["pixdim"][4] = 0.07
nib.save(cine, "cine.nii.gz")
torchio.ScalarImage("cine.nii.gz").save("again.nii.gz")
again = nib.load("again.nii.gz")
itk = sitk.ReadImage("again.nii.gz")
step, intent = float(again.header["pixdim"][4]), again.header.get_intent()[0]
print(f"TorchIO {torchio.__version__}: {cine.shape} becomes {again.shape}, intent {intent}, step {step} s")
print(f"SimpleITK: {itk.GetDimension()} axes, {itk.GetNumberOfComponentsPerPixel()} components")
same = again.shape == (8, 7, 6, 1, 12) and intent == "vector" and step == 0
sys.exit(0 if same and itk.GetNumberOfComponentsPerPixel() == 12 else 1)
PY
