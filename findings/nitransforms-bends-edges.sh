#!/usr/bin/env bash
# Points carried by a displacement field that is the same everywhere, by NiTransforms 25.1.
#
# One would guess: a field of 5 mm along x, interpolated at any place, moves every point by 5 mm along x.
# What happens: at voxel centers it does. Between them the mapped coordinates, not the displacements, are
# interpolated, by a cubic spline that takes them for mirrored at the ends of the grid: there they go on rising,
# so the spline overshoots. Between the first two slices of a stack of 8 mm a point is moved by 1.3 mm along z,
# where the field has nothing, between the next two by 0.3 mm the other way, and so on inwards.
# ITK moves it by 5 mm along x.
# What follows: contours and landmarks near the first and last slices are carried wrongly, by a sixth of a slice,
# and pictures resampled to another grid too. Pad the field by five voxels each side, or carry points with ITK.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nitransforms==25.1.0" "nibabel==5.4.2" "SimpleITK==2.5.7" "scipy==1.17.1" \
    "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import nibabel as nib
import numpy as np
import SimpleITK as sitk
from nitransforms.nonlinear import DenseFieldTransform

SHAPE, AFFINE = (40, 40, 10), np.diag([1.5, 1.5, 8.0, 1.0])
moves = np.zeros((*SHAPE, 3), np.float32)
moves[..., 0] = 5  # RAS mm
by_nitransforms = DenseFieldTransform(nib.Nifti1Image(moves, AFFINE))
turned = np.float64(moves) * (-1, -1, 1)  # LPS mm
field = sitk.GetImageFromArray(turned.transpose(2, 1, 0, 3), isVector=True)
field.SetSpacing((1.5, 1.5, 8.0))
field.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
by_itk = sitk.DisplacementFieldTransform(field)

print("NiTransforms", version("nitransforms"))
off = {}
for slice_number in (0, 0.5, 1.5, 2.5, 4.5, 8.5):
    point = np.array([30.0, 30.0, 8.0 * slice_number])
    found = by_nitransforms.map(point[None])[0] - point
    itk = (np.array(by_itk.TransformPoint((point * (-1, -1, 1)).tolist())) * (-1, -1, 1)) - point
    assert np.allclose(itk, (5, 0, 0), atol=1e-4)
    off[slice_number] = float(found[2])
    print(f"slice {slice_number}: moved by {np.round(found, 2) + 0.0} mm, by ITK {np.round(itk, 2) + 0.0}")
seen = [off[0], off[4.5], abs(off[0.5]), abs(off[8.5]), abs(off[1.5])]
sys.exit(0 if np.allclose(seen, [0, 0, 1.27, 1.27, 0.34], atol=0.02) else 1)
PY
