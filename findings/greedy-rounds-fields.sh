#!/usr/bin/env bash
# The field that Greedy (picsl-greedy 1.4) writes, and the Jacobian determinants that come of it.
#
# One would guess: the file holds the field that was found, in the precision of its 32-bit floats.
# What happens: every component is rounded to a tenth of a voxel before it is written (option -wp, 0.1 unless said
# otherwise), so that files pack well: 0.15 mm within slices and 0.8 mm between them in a stack of slices of
# 8 mm. A smooth field becomes steps, and its derivatives are 0 or jumps: determinants of the same
# registration reach twice as far from 1.
# What follows: strain, volume change and folds computed from the file are those of the rounding, and motion
# below 0.05 voxel is none. Say -wp -1 where derivatives count. Our fields are written as they are.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "picsl-greedy==1.4.0.3" "SimpleITK==2.5.7" "numpy==2.4.6" "scipy==1.17.1"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import SimpleITK as sitk
from picsl_greedy import Greedy3D
from scipy import ndimage

SPACING = (1.5, 1.5, 8.0)
picture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(20, 32, 40)), 2.0)
fixed = sitk.GetImageFromArray((picture / picture.std()).astype(np.float32))
fixed.SetSpacing(SPACING)
true = np.zeros((20, 32, 40, 3))
true[..., 0] = 0.3 * np.sin(np.arange(40) / 6)  # mm
true = sitk.GetImageFromArray(true, isVector=True)
true.CopyInformation(fixed)
sitk.WriteImage(fixed, "fixed.nii.gz")
sitk.WriteImage(sitk.Resample(fixed, fixed, sitk.DisplacementFieldTransform(true)), "moving.nii.gz")


def registered(options):
    """Different values of x, and the range of determinants away from the borders."""
    command = "-threads 1 -i fixed.nii.gz moving.nii.gz -o field.nii.gz -m SSD -n 40x40 -s 2vox 0.5vox -V 0"
    Greedy3D().execute(f"{command} {options}")
    field = sitk.ReadImage("field.nii.gz")
    values = np.unique(np.round(sitk.GetArrayFromImage(field)[..., 0], 5))
    field.SetDirection(np.eye(3).ravel().tolist())
    det = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))[3:-3, 4:-4, 4:-4]
    return values, float(det.min()), float(det.max())


print("picsl-greedy", version("picsl-greedy"))
steps, low, high = registered("")
print(f"as it is: x is {steps[:8].tolist()} mm, determinants {low:.3f} to {high:.3f}")
values, low_whole, high_whole = registered("-wp -1")
print(f"-wp -1: x has {len(values)} values, determinants {low_whole:.3f} to {high_whole:.3f}")
rounded = len(steps) < 20 and np.allclose(steps / 0.15, np.round(steps / 0.15), atol=1e-3)
sys.exit(0 if rounded and len(values) > 1000 and high - low > 1.5 * (high_whole - low_whole) else 1)
PY
