#!/usr/bin/env bash
# The same two volumes registered by five demons filters of SimpleITK 2.5.7, in images that are turned in space.
#
# One would guess: what a registration finds does not depend on how the volume is turned in the scanner; fields turn
# with it. At the least the filters differ in speed alone.
# What happens: four of five do so. SymmetricForcesDemonsRegistrationFilter adds the gradient of the fixed image, turned
# into physical space, to that of the moving one, which is left along the index axes. With diag(-1, -1, 1),
# which is how ITK reads most NIfTI files, both cancel: after 20 iterations it has found less than half of a shift of
# 3 mm, after 200 the images agree less than before it began. With the identity it is exact to 0.01 mm. A
# turn by 90 degrees and slices in reverse happen to come out right here.
# What follows: a test on arrays, whose direction is the identity, passes, and the files of a study come apart the
# longer it runs. Take FastSymmetricForcesDemons or DiffeomorphicDemons, or give images the identity and turn the field.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "numpy==2.4.6" "scipy==1.17.1"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

tissue = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(24, 48, 48)), 3)
tissue /= tissue.std()
moved = ndimage.shift(tissue, (0, 1.5, -2.0), order=3, mode="nearest")  # 3 mm along columns, 2.25 along rows
inner = (slice(6, -6), slice(10, -10), slice(10, -10))
turns = {
    "identity": np.eye(3),
    "diag(-1, -1, 1)": np.diag([-1.0, -1, 1]),
    "by 90 degrees": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
    "diag(1, 1, -1)": np.diag([1.0, 1, -1]),
}


def image(array, turn):
    """The array as an image whose axes are turned, of voxels of 1.5 x 1.5 x 3 mm."""
    made = sitk.GetImageFromArray(array.astype(np.float32))
    made.SetSpacing((1.5, 1.5, 3.0))
    made.SetOrigin((5.0, 6.0, 7.0))
    made.SetDirection(turn.ravel().tolist())
    return made


def registered(name, turn, iterations):
    """Mean difference afterwards, and the mean field along columns and rows in mm."""
    demons = getattr(sitk, name + "RegistrationFilter")()
    demons.SetNumberOfIterations(iterations)
    demons.SetStandardDeviations(2.0)
    fixed, moving = image(tissue, turn), image(moved, turn)
    field = demons.Execute(fixed, moving)
    along = (sitk.GetArrayFromImage(field)[inner].reshape(-1, 3) @ turn).mean(0)[:2]
    transform = sitk.DisplacementFieldTransform(sitk.Cast(field, sitk.sitkVectorFloat64))
    warped = sitk.GetArrayFromImage(sitk.Resample(moving, fixed, transform))
    return float(np.abs(warped - tissue)[inner].mean()), along


before = float(np.abs(moved - tissue)[inner].mean())
print("SimpleITK", sitk.Version_VersionString(), f"- mean difference before: {before:.3f}; true field -3.00, 2.25 mm")
ok = True
for name in ("Demons", "FastSymmetricForcesDemons", "DiffeomorphicDemons", "LevelSetMotion"):
    left = [registered(name, turn, 60)[0] for turn in list(turns.values())[:3]]
    print(f"{name}, 60 iterations: {left[0]:.4f} identity, {left[1]:.4f} diag(-1, -1, 1), {left[2]:.4f} by 90 degrees")
    ok = ok and np.ptp(left) < 0.005 and max(left) < 0.1 * before
found = {}
for iterations in (20, 200):
    for name, turn in turns.items():
        found[name, iterations] = left, along = registered("SymmetricForcesDemons", turn, iterations)
        print(f"SymmetricForcesDemons, {iterations}, {name}: {left:.4f}, field {along[0]:.2f} {along[1]:.2f} mm")
lps = "diag(-1, -1, 1)"
ok = ok and found["identity", 200][0] < 0.01 * before
ok = ok and np.allclose(found["identity", 200][1], (-3, 2.25), atol=0.02)
ok = ok and abs(found[lps, 20][1][0]) < 1.5 and found[lps, 200][0] > before
ok = ok and found["by 90 degrees", 200][0] < 0.02 * before and found["diag(1, 1, -1)", 200][0] < 0.02 * before
sys.exit(0 if ok else 1)
PY
