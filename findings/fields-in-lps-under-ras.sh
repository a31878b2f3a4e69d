#!/usr/bin/env bash
# A displacement field (NIfTI, intent 1006, vectors in RAS mm), read by TorchIO 1.2.1 and by both readers of MONAI 1.6.1.
#
# One would guess: the affine and the vectors that come back are in the same axes. Both libraries promise RAS for the
# affine, whatever ITK has inside.
# What happens: MONAI's default reader (nibabel) gives both in RAS. With reader="ITKReader" the affine is the same, and
# the vectors are ITK's, in LPS: x and y have the other sign, and an axis is missing. TorchIO likewise: affine and
# orientation say RAS, vectors are LPS. What TorchIO saves of it says "vector" (1007), which ITK reads rightly and
# everybody else as RAS.
# What follows: points or voxels moved by affine and vectors of TorchIO, or of MONAI's ITKReader, go the wrong way along
# x and y. Turn the first two components round there; fields of ours are RAS mm, as nibabel gives them.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "torchio==1.2.1" "monai==1.6.1" "itk-io==5.4.7" "itk-core==5.4.7" \
    "itk-numerics==5.4.7" "itk-filtering==5.4.7" "itk==5.4.7" "nibabel==5.4.2" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import monai
import nibabel as nib
import numpy as np
import torchio
from monai.transforms import LoadImage

MOVED = np.array([3.0, 5.0, 7.0], np.float32)  # mm to the right, to the front, upwards
affine = np.diag([2.0, 2.0, 8.0, 1.0])
affine[:3, 3] = 10, 20, 30
field = nib.Nifti1Image(np.broadcast_to(MOVED, (6, 5, 4, 1, 3)).copy(), affine)
field.header.set_intent(1006)
field.set_sform(affine, 1)
field.set_qform(affine, 1)
nib.save(field, "field.nii.gz")

by_nibabel = LoadImage(reader="NibabelReader")("field.nii.gz")
by_itk = LoadImage(reader="ITKReader")("field.nii.gz")
by_torchio = torchio.ScalarImage("field.nii.gz")
found = {
    "MONAI, NibabelReader": (np.asarray(by_nibabel)[0, 0, 0].ravel(), by_nibabel.affine.numpy()),
    "MONAI, ITKReader": (np.asarray(by_itk)[0, 0, 0].ravel(), by_itk.affine.numpy()),
    "TorchIO": (by_torchio.numpy()[:, 0, 0, 0], by_torchio.affine),
}
print("MONAI", monai.__version__, "TorchIO", torchio.__version__, by_torchio.orientation)
for name, (vector, place) in found.items():
    print(f"{name}: a vector {vector.tolist()}, the first voxel at {place[:3, 3].tolist()}")
by_torchio.save("again.nii.gz")
again = nib.load("again.nii.gz")
saved = np.asarray(again.dataobj).reshape(-1, 3)[0]
print(f"saved by TorchIO: {again.header.get_intent()[0]}, {saved.tolist()}")
turned = MOVED * [-1, -1, 1]
same = all(np.allclose(place, affine) for _, place in found.values())
same &= np.allclose(found["MONAI, NibabelReader"][0], MOVED)
same &= all(np.allclose(found[name][0], turned) for name in ("MONAI, ITKReader", "TorchIO"))
same &= again.header.get_intent()[0] == "vector" and np.allclose(saved, turned)
sys.exit(0 if same and by_torchio.orientation == ("R", "A", "S") else 1)
PY
