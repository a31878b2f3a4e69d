#!/usr/bin/env bash
# Labels that were computed as floats, saved by nibabel under the header of the reference labels, which are uint8.
#
# One would guess: nibabel writes 0, 1, 2 ... as bytes, since that is what the header says and they all fit.
# What happens: floats under an integer header are spread over the type's whole range with a slope. Read back
# they are 0.99999 or 2.00000004, and astype(int), or a cast by SimpleITK, cuts the first to 0. It depends on the
# highest label: up to 3 (ACDC) all are right; up to 2 label 1 is gone, up to 4 label 2 has become 1, up to 6
# all odd ones are one less.
# What follows: Dice and volumes of such a file are wrong after a cast, and a part can be missing. Write labels
# as integers (np.uint8), and round what is read before it is cast, as we do.
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

print("nibabel", nib.__version__, "SimpleITK", sitk.Version_VersionString())
found = {}
for highest in range(1, 8):
    labels = np.arange(highest + 1).reshape(-1, 1, 1)
    reference = nib.Nifti1Image(labels.astype(np.uint8), np.eye(4))
    nib.save(nib.Nifti1Image(labels.astype(np.float64), reference.affine, reference.header), "labels.nii.gz")
    values = nib.load("labels.nii.gz").get_fdata()
    by_itk = sitk.GetArrayFromImage(sitk.ReadImage("labels.nii.gz", sitk.sitkUInt8)).ravel().tolist()
    found[highest] = values.astype(np.uint8).ravel().tolist()
    print(f"0 to {highest}: cast {found[highest]}, by SimpleITK {by_itk}")
    assert by_itk == found[highest]
    assert np.array_equal(np.rint(values), labels)
wrong = {n: sum(a != b for a, b in enumerate(cast)) for n, cast in found.items()}
sys.exit(0 if wrong == {1: 0, 2: 1, 3: 0, 4: 2, 5: 0, 6: 3, 7: 3} else 1)
PY
