#!/usr/bin/env bash
# One slice of a stack that lies obliquely in space, as every short axis of a heart does: volume[:, :, z] of SimpleITK
# 2.5.7, beside volume[:, :, z:z+1].
#
# One would guess: the slice keeps its pixels' size, 1.5 mm, and so lengths within it; where it lies in the patient is
# lost, as a picture of two axes can't say it.
# What happens: of the direction matrix the upper left 2 x 2 numbers are kept as they are, whose columns are then
# neither of length 1 nor at right angles. GetSpacing says 1.5 x 1.5 mm still, and TransformIndexToPhysicalPoint makes
# 60 mm along rows to 52 and 60 mm along columns to 50, and the angle between them 67 degrees. sitk.Extract by
# DIRECTIONCOLLAPSETOGUESS, its default, is the same. A slice that stands upright in space (coronal) is right if its
# direction holds exact zeros, as those numbers have no inverse then; with 6e-17 for a zero, as computed turns have
# it, its columns are 0.0 mm long.
# What follows: what ITK does in millimeters within such a slice is bent: displacement fields, landmark errors, the
# steps of a registration; a circle of points is an ellipse. Spacing and arrays look sound. Set slice.SetDirection((1,
# 0, 0, 1)), or Extract with DIRECTIONCOLLAPSETOIDENTITY, or keep three axes (z:z+1).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import numpy as np
import SimpleITK as sitk


def turn(axis, degrees):
    transform = sitk.VersorTransform(axis, np.radians(degrees))
    return np.array(transform.GetMatrix()).reshape(3, 3)


def length(image, a, b):
    return np.linalg.norm(
        np.subtract(image.TransformIndexToPhysicalPoint(b), image.TransformIndexToPhysicalPoint(a))
    )


def told(image, rest=()):
    corner, row, column = ((10, 10, *rest), (50, 10, *rest), (10, 50, *rest))
    places = [np.array(image.TransformIndexToPhysicalPoint(i)) for i in (corner, row, column)]
    along, down = places[1] - places[0], places[2] - places[0]
    cosine = along @ down / np.linalg.norm(along) / np.linalg.norm(down)
    return np.linalg.norm(along), np.linalg.norm(down), np.degrees(np.arccos(cosine))


def stack(direction):
    volume = sitk.Image(64, 64, 8, sitk.sitkFloat32)
    volume.SetSpacing((1.5, 1.5, 8))
    volume.SetDirection(direction.ravel())
    return volume


print("SimpleITK", sitk.Version_VersionString())
oblique = stack(turn((0, 1, 0), 30) @ turn((1, 0, 0), 40))
size = (64, 64, 0)
ways = {
    "volume": told(oblique, (3,)),
    "volume[:, :, 3:4]": told(oblique[:, :, 3:4], (0,)),
    "volume[:, :, 3]": told(oblique[:, :, 3]),
    "Extract": told(sitk.Extract(oblique, size, (0, 0, 3))),
    "Extract, to identity": told(
        sitk.Extract(oblique, size, (0, 0, 3), sitk.ExtractImageFilter.DIRECTIONCOLLAPSETOIDENTITY)
    ),
    "upright, exact zeros": told(stack(turn((1, 0, 0), 90).round())[:, :, 3]),
    "upright, computed": told(stack(turn((1, 0, 0), 90))[:, :, 3]),
}
print(f"{'':22} along rows  columns  angle (60 mm, 60 mm, 90 degrees)")
for way, numbers in ways.items():
    print(f"{way:22} {numbers[0]:7.1f} mm {numbers[1]:5.1f} mm {numbers[2]:5.1f}")
assert oblique[:, :, 3].GetSpacing() == (1.5, 1.5)
BENT = {"volume[:, :, 3]": (52, 49.8), "Extract": (52, 49.8), "upright, computed": (60, 0)}
for way, (rows, columns, angle) in ways.items():
    assert np.allclose((rows, columns), BENT.get(way, (60, 60)), atol=0.1), way
    assert abs(angle - (67.2 if BENT.get(way) == (52, 49.8) else 90)) < 0.1, way
PY
