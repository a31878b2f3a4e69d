#!/usr/bin/env bash
# What SimpleITK makes of a numpy array of four axes, such as a cine.
#
# One would guess: an array (phases, slices, rows, columns) becomes an image of four axes, as arrays of
# two and three do.
# What happens: an image of THREE axes whose voxels are vectors: the columns become components. Size,
# spacing and origin then belong to other axes than one thinks, SetSpacing of four numbers raises,
# and one who sets three of them writes a file that no viewer shows as a cine.
# isVector=False gives the four axes; reading a file of four axes and GetArrayFromImage keep them.
# What follows: always say isVector, and look at GetSize() once.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import numpy as np
import SimpleITK as sitk

cine = np.zeros((20, 9, 64, 48), np.float32)  # phases, slices, rows, columns
guess, told = sitk.GetImageFromArray(cine), sitk.GetImageFromArray(cine, isVector=False)
print("SimpleITK", sitk.Version_VersionString())
for name, image in (("as it is", guess), ("isVector=False", told)):
    size, parts = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    print(f"{name}: {image.GetDimension()} axes {size}, {parts} components a voxel")
assert (guess.GetSize(), guess.GetNumberOfComponentsPerPixel()) == ((64, 9, 20), 48)
assert (told.GetSize(), told.GetNumberOfComponentsPerPixel()) == ((48, 64, 9, 20), 1)
sitk.WriteImage(told, "cine.nii.gz")
again = sitk.ReadImage("cine.nii.gz")
assert again.GetSize() == (48, 64, 9, 20)
assert sitk.GetArrayFromImage(again).shape == cine.shape
assert sitk.GetImageFromArray(sitk.GetArrayFromImage(again)).GetDimension() == 3  # and back
PY
