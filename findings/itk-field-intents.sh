#!/usr/bin/env bash
# How SimpleITK reads the same five-axis NIfTI vectors (X, Y, Z, 1, 3) under different intent codes.
#
# One would guess: three components a voxel as they are stored, whatever the intent.
# What happens: 1007 (vector): as stored. 1006 (displacement): x and y change their sign, because ITK
# takes these for RAS and turns them into its own LPS. 0 (none): no vectors at all, an image of five
# axes with one component.
# What follows: a displacement field for ITK is either RAS mm under 1006 or LPS mm under 1007; LPS under
# 1006 or RAS under 1007 moves points the wrong way in x and y, and nothing says so.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "nibabel==5.4.2"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import nibabel as nib
import numpy as np
import SimpleITK as sitk

vectors = np.broadcast_to(np.array([1.0, 2.0, 3.0], np.float32), (4, 5, 6, 1, 3))
expected = {1007: (1.0, 2.0, 3.0), 1006: (-1.0, -2.0, 3.0), 0: None}
same = True
print("SimpleITK", sitk.Version_VersionString())
for code, guess in expected.items():
    image = nib.Nifti1Image(vectors, np.diag([2.0, 2.0, 8.0, 1.0]))
    image.header["intent_code"] = code
    nib.save(image, "field.nii")
    read = sitk.ReadImage("field.nii")
    count, axes = read.GetNumberOfComponentsPerPixel(), read.GetDimension()
    found = read.GetPixel(1, 1, 1) if (count, axes) == (3, 3) else None
    print(f"intent {code}: {axes} axes of {count} components; stored (1, 2, 3), read {found}")
    same &= found == guess
sys.exit(0 if same else 1)
PY
