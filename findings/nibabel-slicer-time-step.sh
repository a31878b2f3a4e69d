#!/usr/bin/env bash
# Every second phase of a cine, by nibabel's slicer and by SimpleITK.
#
# One would guess: both double the time step, as they double the voxel when every second column is taken.
# What happens: nibabel's slicer doubles the voxel and leaves pixdim[4] as it is: 25 phases 40 ms apart
# become 13 phases 40 ms apart, a heartbeat of 0.52 s. SimpleITK's slicing says 80 ms. Joining volumes again
# with nibabel's concat_images gives 1 s a phase, unit and all.
# What follows: a heart rate from such a file is twice the true one, and plausible (115 for 60 beats a
# minute); nothing in it shows that. Write the step after slicing: header["pixdim"][4] *= 2; with us,
# --time-step 80.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nibabel==5.4.2" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import nibabel as nib
import numpy as np
import SimpleITK as sitk

cine = nib.Nifti1Image(np.zeros((8, 8, 4, 25), np.int16), np.diag([1.5, 1.5, 8.0, 1.0]))
cine.header.set_xyzt_units("mm", "sec")
cine.header["pixdim"][4] = 0.04
nib.save(cine, "cine.nii")


def step(image):
    return round(float(image.header.get_zooms()[3]), 3)


halved, columns = cine.slicer[..., ::2], cine.slicer[::2]
joined = nib.concat_images(nib.four_to_three(cine))
itk = sitk.ReadImage("cine.nii")[:, :, :, ::2]
print(f"nibabel {nib.__version__}: every second column is {columns.header.get_zooms()[0]} mm wide")
print(f"nibabel: {halved.shape[3]} of 25 phases, {step(halved)} s apart")
print(f"SimpleITK {sitk.Version_VersionString()}: {itk.GetSize()[3]} phases, {itk.GetSpacing()[3]:.3f} s")
print(f"nibabel, split and joined: {step(joined)} {joined.header.get_xyzt_units()[1]}")
same = columns.header.get_zooms()[0] == 3 and step(halved) == 0.04 and step(joined) == 1.0
sys.exit(0 if same and round(itk.GetSpacing()[3], 3) == 0.08 else 1)
PY
