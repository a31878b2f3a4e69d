#!/usr/bin/env bash
# A volume warped by a displacement field, as sitk.Warp(image, field) does it (SimpleITK 2.5.7).
#
# One would guess: the result lies on the grid of the field, or of the image, which here are one and the same; all other
# arguments have defaults.
# What happens: the result has the field's size, and origin 0, spacing 1 and no direction, whatever those of field and
# image are. It is sampled there: of a stack of slices 8 mm apart it is a corner, turned and enlarged, or all 0
# where the stack lies elsewhere, as scans do. Since the sizes are equal, arrays of both can be compared
# without an error. Only a field of unit spacing at the origin, as examples have, hides it.
# What follows: say outputSpacing, outputOrigin and outputDirection, or take sitk.Resample with a
# DisplacementFieldTransform, which does it by the image that it is given.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import SimpleITK as sitk

slices, rows, columns = np.mgrid[:10, :40, :48].astype(np.float32)
picture = 100 * np.exp(-(((columns - 24) / 9) ** 2 + ((rows - 20) / 7) ** 2 + ((slices - 5) / 3) ** 2))
turn = np.deg2rad(30)
turned = (np.cos(turn), -np.sin(turn), 0, np.sin(turn), np.cos(turn), 0, 0, 0, 1)


def warped(origin, spacing, direction):
    """Warp by a field of nothing, in two ways: largest differences from the image, and the grid of the first."""
    image = sitk.GetImageFromArray(picture)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    field = sitk.GetImageFromArray(np.zeros((*picture.shape, 3)), isVector=True)
    field.CopyInformation(image)
    first = sitk.Warp(image, field)
    told = sitk.Warp(image, field, outputOrigin=origin, outputSpacing=spacing, outputDirection=direction)
    off = [float(np.abs(sitk.GetArrayFromImage(result) - picture).max()) for result in (first, told)]
    return off, first, float(np.abs(sitk.GetArrayFromImage(first)).max())


print("SimpleITK", sitk.Version_VersionString(), "- a field of zeros; brightness is 0 to 100")
identity = tuple(np.eye(3).ravel())
unit, far, near = (
    warped((0, 0, 0), (1, 1, 1), identity),
    warped((-120.0, -160.0, 50.0), (1.5, 1.5, 8.0), turned),
    warped((0, 0, 0), (1.5, 1.5, 8.0), identity),
)
for name, (off, result, brightest) in {"unit grid": unit, "a scan's grid": far, "spacing alone": near}.items():
    print(
        f"{name}: off by {off[0]:.1f}, with the grid said {off[1]:.1f}; brightest {brightest:.1f}; size"
        f" {result.GetSize()}, origin {result.GetOrigin()}, spacing {result.GetSpacing()}"
    )
forgotten = all(case[1].GetSpacing() == (1, 1, 1) and case[1].GetOrigin() == (0, 0, 0) for case in (far, near))
right = unit[0][0] < 0.01 and all(case[0][1] < 0.01 for case in (unit, far, near))
sys.exit(0 if forgotten and right and far[2] == 0 and near[0][0] > 50 and near[1].GetSize() == (48, 40, 10) else 1)
PY
