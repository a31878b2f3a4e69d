#!/usr/bin/env bash
# A NIfTI volume with a qform and a scaling, and a cine, by VTK's own reader.
#
# One would guess: voxels lie where the qform puts them and have the values that slope and intercept give,
# as in nibabel and ITK; of a cine all phases are read, or it is refused.
# What happens: vtkNIFTIImageReader puts the first voxel at (0, 0, 0), leaves the directions unturned though
# vtkImageData has a direction matrix, and returns the stored integers. Matrix, slope and intercept have to
# be asked for (GetQFormMatrix, GetRescaleSlope) and applied. Of 12 phases it gives the first.
# What follows: a scan opened by this reader lies elsewhere than surfaces made of it in world coordinates,
# by 37 mm here, and a threshold in true values cuts elsewhere.
# Overlay our meshes on the scan in 3D Slicer, or apply the matrix first.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "vtk==9.7.2" "nibabel==5.4.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import nibabel as nib
import numpy as np
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkVersion
from vtkmodules.vtkIOImage import vtkNIFTIImageReader


def read(path):
    reader = vtkNIFTIImageReader()
    reader.SetFileName(path)
    reader.Update()
    return reader, reader.GetOutput()


cosine, sine = np.cos(0.5), np.sin(0.5)
turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
affine = np.eye(4)
affine[:3, :3], affine[:3, 3] = turn @ np.diag([1.5, 2.0, 8.0]), (10, 20, 30)
stored = np.arange(120, dtype=np.int16).reshape(4, 5, 6)
volume = nib.Nifti1Image(stored, affine)
volume.set_qform(affine, 1)
volume.header.set_slope_inter(2, 5)
nib.save(volume, "volume.nii")
nib.save(nib.Nifti1Image(np.stack([stored + 1000 * t for t in range(12)], -1), affine), "cine.nii")

reader, image = read("volume.nii")
found = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(6, 5, 4).T
raw = np.asarray(nib.load("volume.nii").dataobj.get_unscaled())
true = nib.load("volume.nii").get_fdata()
matrix = image.GetDirectionMatrix()
directions = [matrix.GetElement(i, j) for i in range(3) for j in range(3)]
print(f"VTK {vtkVersion.GetVTKVersion()}: first voxel at {image.GetOrigin()}, true {affine[:3, 3].tolist()}")
print(f"directions turned: {directions != np.eye(3).ravel().tolist()}")
print(f"values up to {found.max()}, nibabel {true.max():g}; slope to be asked for: {reader.GetRescaleSlope():g}")
_, cine = read("cine.nii")
count = vtk_to_numpy(cine.GetPointData().GetScalars()).size // stored.size
print(f"phases of the cine read: {count} of 12")
same = image.GetOrigin() == (0, 0, 0) and directions == np.eye(3).ravel().tolist()
sys.exit(0 if same and np.array_equal(found, raw) and not np.allclose(found, true) and count == 1 else 1)
PY
