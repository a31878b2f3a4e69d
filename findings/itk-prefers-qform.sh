#!/usr/bin/env bash
# Which of a NIfTI file's two affines ITK (SimpleITK) takes.
#
# One would guess: the sform where its code is set, as nibabel and the NIfTI standard's method 3 do.
# What happens: with sform_code 1 ITK takes the sform; with any other sform_code (2, 3, 4) and a
# qform that is set it takes the qform, without a message.
# What follows: where both differ, nibabel and ITK put the same file in two places, and an output that
# carries only one of them lies apart from the scan in one of the two worlds. Write both alike.
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

sform, qform = np.diag([2.0, 2.0, 8.0, 1.0]), np.diag([2.0, 2.0, 8.0, 1.0])
sform[:3, 3], qform[:3, 3] = (10, 20, 30), (-40, 20, 30)
expected = {(1, 1): "sform", (2, 1): "qform", (2, 2): "qform", (4, 1): "qform", (2, 0): "sform"}
same = True
print("SimpleITK", sitk.Version_VersionString())
for (s_code, q_code), guess in expected.items():
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.int16), None)
    image.set_sform(sform, s_code)
    image.set_qform(qform, q_code)
    nib.save(image, "a.nii")
    x = -sitk.ReadImage("a.nii").GetOrigin()[0]  # LPS
    taken = {10: "sform", -40: "qform"}.get(round(x), f"neither ({x:g})")
    by_nibabel = {10: "sform", -40: "qform"}[round(nib.load("a.nii").affine[0, 3])]
    print(f"sform_code {s_code}, qform_code {q_code}: ITK takes the {taken}, nibabel the {by_nibabel}")
    same &= taken == guess
sys.exit(0 if same else 1)
PY
