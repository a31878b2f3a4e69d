#!/usr/bin/env bash
# A volume that nii2dcm turns from NIfTI into DICOM: where do its voxels lie?
#
# One would guess: where the NIfTI file's affine has them, with x and y turned round from RAS to LPS.
# What happens: nii2dcm 0.1.6 turns x, y and z of the directions within a slice round, leaves the positions of slices as they are
# in RAS, and writes the position of slice -1 for slice 0. A stack along the world's axes lies beside its place, by twice its x
# and y and a slice. An oblique one, as every short-axis stack of a heart is, is turned besides. Distances within it are right.
# What follows: what is drawn on such DICOM lies elsewhere on the scan that the NIfTI file came from, and so do series that were
# converted from several NIfTI files of one patient. Write DICOM with highdicom or SimpleITK, or check one voxel's place
# after the conversion.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nii2dcm==0.1.6" "numpy==1.23.2"
cd "$work"
PATH="$work/venv/bin:$PATH" python - <<'PY'
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom

LPS = np.diag([-1.0, -1.0, 1.0])
rng = np.random.default_rng(0)
SHAPE = (24, 20, 6)
voxels = rng.permutation(int(np.prod(SHAPE))).reshape(SHAPE).astype(np.int16)  # each value once: it tells its voxel


def turned(x, y):
    """Directions of a stack that is turned about x and y by some degrees."""
    (a, b), (c, d) = (np.cos(np.radians([x, y])), np.sin(np.radians([x, y])))
    return np.array([[1, 0, 0], [0, a, -c], [0, c, a]]) @ np.array([[b, 0, d], [0, 1, 0], [-d, 0, b]])


def apart_mm(name, directions):
    """Mm at most from a voxel's place by the NIfTI file to that by DICOM; degrees between the slices' directions; their distance."""
    affine = np.eye(4)
    affine[:3, :3] = directions @ np.diag([-1.5, -1.5, 8.0])
    affine[:3, 3] = [20, 35, -50]
    nib.save(nib.Nifti1Image(voxels, affine), f"{name}.nii.gz")
    Path(name).mkdir()
    subprocess.run(["nii2dcm", f"{name}.nii.gz", name, "--dicom_type", "MR"], check=True, capture_output=True)
    far, corners = 0.0, {}
    for path in Path(name).rglob("*.dcm"):
        data = pydicom.dcmread(path)
        row, column = np.array(data.ImageOrientationPatient, float).reshape(2, 3)
        corners[int(data.InstanceNumber)] = np.array(data.ImagePositionPatient, float)
        for (r, c), value in np.ndenumerate(data.pixel_array):
            at = np.array(data.ImagePositionPatient, float) + row * c * data.PixelSpacing[1] + column * r * data.PixelSpacing[0]
            (voxel,) = np.argwhere(voxels == value)
            far = max(far, float(np.linalg.norm(at - LPS @ (affine[:3, :3] @ voxel + affine[:3, 3]))))
    step, true = corners[2] - corners[1], LPS @ affine[:3, 2]
    cosine = step @ true / np.linalg.norm(step) / np.linalg.norm(true)
    return far, float(np.degrees(np.arccos(min(cosine, 1.0)))), float(np.linalg.norm(step))


found = {"along the world's axes": apart_mm("along", np.eye(3)), "oblique": apart_mm("oblique", turned(40, 30))}
for name, (far, angle, between) in found.items():
    print(f"nii2dcm 0.1.6, a stack {name}: voxels up to {far:.0f} mm off, slices {between:.1f} mm apart, turned by {angle:.0f} degrees")
(far, angle, between), (far_oblique, angle_oblique, between_oblique) = found.values()
same = min(far, far_oblique) > 20 and angle < 1 < angle_oblique and max(abs(between - 8), abs(between_oblique - 8)) < 1e-3
sys.exit(0 if same else 1)
PY
