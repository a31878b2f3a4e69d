#!/usr/bin/env bash
# The Jacobian determinant of a displacement field whose image is turned in space, by ITK.
#
# One would guess: DisplacementFieldJacobianDeterminantFilter (sitk.DisplacementFieldJacobianDeterminant)
# gives det(I + grad u) in physical space, so a motion and its field turned together with the image
# have the same determinant.
# What happens: the vectors are physical (LPS mm), but their derivatives are taken along the index
# axes: spacing counts, the direction matrix does not. A stretch of 1.5 in an image of direction
# diag(-1, -1, 1), which is how ITK reads most NIfTI files, or the same turned by 90 degrees, gives
# 0.5 or 1.0 instead, and 0.5 reads as shrinking.
# What follows: give it a field whose direction is the identity: multiply the vectors by the inverse
# of the direction first, and compare once with a linear map that is known.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import numpy as np
import SimpleITK as sitk

# Along the index axis i the tissue is stretched by 1.5, whichever way that axis lies in space.
SPACING, STRETCH = (2.0, 2.0, 8.0), 1.5
index = np.mgrid[:9, :9, :9].transpose(1, 2, 3, 0)[..., ::-1].astype(float)  # (z, y, x, xyz)
along = np.zeros_like(index)
along[..., 0] = (STRETCH - 1) * SPACING[0] * index[..., 0]  # mm along i, j, k


def determinant(direction, vectors):
    field = sitk.GetImageFromArray(vectors, isVector=True)
    field.SetSpacing(SPACING)
    field.SetDirection(direction.ravel())
    # what the field does to two neighbors along i, by ITK's own transform
    moved = sitk.DisplacementFieldTransform(sitk.Image(field))
    ends = [field.TransformIndexToPhysicalPoint((i, 4, 4)) for i in (3, 4)]
    length = np.linalg.norm(np.subtract(*map(moved.TransformPoint, ends))) / SPACING[0]
    found = sitk.GetArrayFromImage(sitk.DisplacementFieldJacobianDeterminant(field))[4, 4, 4]
    return length, found


turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
cases = {"identity": np.eye(3), "diag(-1, -1, 1)": np.diag([-1.0, -1, 1]), "90 degrees": turned}
print("SimpleITK", sitk.Version_VersionString())
told = {}
for name, direction in cases.items():
    length, told[name] = determinant(direction, along @ direction.T)
    print(f"direction {name}: the transform stretches by {length:.2f}, determinant {told[name]:.2f}")
    assert abs(length - STRETCH) < 1e-6
    assert abs(determinant(np.eye(3), along)[1] - STRETCH) < 1e-6  # what follows
assert abs(told["identity"] - 1.5) < 1e-6
assert abs(told["diag(-1, -1, 1)"] - 0.5) < 1e-6
assert abs(told["90 degrees"] - 1.0) < 1e-6
PY
