#!/usr/bin/env bash
# One and the same NumPy array, laid in memory by rows or by columns, as an image of ITK 5.4.7 (itk, also itk-elastix).
#
# One would guess: itk.image_from_array makes an image of what NumPy shows, axes reversed, as SimpleITK's
# GetImageFromArray does; how the array lies in memory changes nothing, or is refused.
# What happens: an array by columns (Fortran order) becomes the transposed image: its first axis is the image's first,
# not its last, and array_from_image(image_from_array(a)) is a.T. A slice of it, which is neither, is right. Nothing
# is said, and where all axes are equally long no shape shows it.
# What follows: nibabel's get_fdata() is by columns, and stays so through most arithmetic; what TIFF, DICOM, PyTorch
# or np.pad give is by rows. A moving image from one and labels, a mask or a displacement field from the other are
# mirrored about the diagonal to each other. Hand over np.ascontiguousarray(array), always, or read files by ITK.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "itk-core==5.4.7" "itk-io==5.4.7" "itk-numerics==5.4.7" "SimpleITK==2.5.7" \
  "nibabel==5.4.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import itk
import nibabel as nib
import numpy as np
import SimpleITK as sitk

rows = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
columns = np.asfortranarray(rows)
assert (rows == columns).all()  # one array
print("ITK", itk.Version.GetITKVersion(), "SimpleITK", sitk.Version_VersionString(), "nibabel", nib.__version__)
sizes = {}
for name, array in (("by rows", rows), ("by columns", columns), ("slice of it", columns[:, 1:])):
    image = itk.image_from_array(array)
    back = itk.array_from_image(image)
    same = back.shape == array.shape and bool((back == array).all())
    sizes[name] = tuple(itk.size(image)), tuple(itk.size(itk.image_view_from_array(array))), same
    simple = sitk.GetImageFromArray(array)
    print(f"{name} {array.shape}: ITK's image {sizes[name][0]}, view {sizes[name][1]}, back as it was: {same};"
          f" SimpleITK's image {simple.GetSize()}")
    assert simple.GetSize() == array.shape[::-1] and (sitk.GetArrayFromImage(simple) == array).all()
assert (itk.array_from_image(itk.image_from_array(columns)) == columns.T).all()
nib.save(nib.Nifti1Image(rows, np.eye(4)), "scan.nii.gz")
voxels = nib.load("scan.nii.gz").get_fdata(dtype=np.float32)
moved = 2 * voxels + 1
scan = tuple(itk.size(itk.image_from_array(moved)))
padded = tuple(itk.size(itk.image_from_array(np.pad(moved, 1)[1:-1, 1:-1, 1:-1].copy())))
print("a NIfTI file's voxels, doubled:", scan, "- the same, padded and cropped:", padded)
ok = sizes["by rows"] == ((6, 5, 4), (6, 5, 4), True) and sizes["by columns"] == ((4, 5, 6), (4, 5, 6), False)
ok = ok and sizes["slice of it"] == ((6, 4, 4), (6, 4, 4), True) and (scan, padded) == ((4, 5, 6), (6, 5, 4))
sys.exit(0 if ok else 1)
PY
