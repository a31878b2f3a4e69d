#!/usr/bin/env bash
# The gradient of one image whose axes are turned in space, by ITK 5.4.7 and by SimpleITK 2.5.7.
#
# One would guess: the same vectors. SimpleITK wraps ITK's filters, with the same names of options, and vectors that
# belong to an image are in physical space, as displacement fields are.
# What happens: ITK turns gradients into physical space (UseImageDirection is on), SimpleITK leaves them along the
# index axes (useImageDirection=False), in Gradient as in GradientRecursiveGaussian. With diag(-1, -1, 1), which is
# how ITK reads most NIfTI files, x and y have the opposite sign; with an identity direction, as in tests, all agree.
# What follows: forces, normals and normal strain made of SimpleITK's gradient and a displacement field, whose vectors
# are physical, go the wrong way in two axes of three for most patients. Say useImageDirection=True.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "itk-filtering==5.4.7" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import itk
import numpy as np
import SimpleITK as sitk

z, y, x = np.mgrid[:24, :24, :24].astype(np.float32)
DIRECTIONS = {
    "identity": np.eye(3),
    "diag(-1, -1, 1)": np.diag([-1.0, -1, 1]),
    "90 degrees": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
}
SPACING = (2.0, 2.0, 8.0)
WAY = np.array([0.3, 0.2, 0.1])  # what the brightness gains a mm of patient along x, y and z
print("ITK", itk.Version.GetITKVersion(), "SimpleITK", sitk.Version_VersionString())
for name, direction in DIRECTIONS.items():
    along = (direction.T @ WAY) * SPACING  # a voxel along each index axis
    array = (along[0] * x + along[1] * y + along[2] * z).astype(np.float32)
    ours = sitk.GetImageFromArray(array)
    ours.SetSpacing(SPACING)
    ours.SetDirection(direction.ravel())
    theirs = itk.image_from_array(array)
    theirs.SetSpacing(SPACING)
    theirs.SetDirection(itk.matrix_from_array(direction))
    # that the image is what is said of it
    places = [np.array(ours.TransformIndexToPhysicalPoint(i)) for i in ((3, 4, 5), (9, 2, 6))]
    assert np.isclose((places[1] - places[0]) @ WAY, array[6, 2, 9] - array[5, 4, 3], atol=1e-4)
    of_itk = itk.array_from_image(itk.gradient_image_filter(theirs))[12, 12, 12]
    assert np.allclose(of_itk, WAY, atol=1e-3)
    for wrapped in (sitk.Gradient, sitk.GradientRecursiveGaussian):
        as_is = sitk.GetArrayFromImage(wrapped(ours))[12, 12, 12]
        turned = sitk.GetArrayFromImage(wrapped(ours, useImageDirection=True))[12, 12, 12]
        print(f"{name:16} {wrapped.__name__:26} ITK {of_itk.round(2)} SimpleITK {as_is.round(2)}")
        assert np.allclose(turned, WAY, atol=1e-3)
        assert np.allclose(as_is, direction.T @ WAY, atol=1e-3)
PY
