#!/usr/bin/env bash
# A turn by 30 degrees about z in the plane of x and y, in all ways that ITK 5.4.7 and SimpleITK 2.5.7 have for it.
#
# One would guess: one direction, counterclockwise, x towards y; AffineTransform.Rotate(0, 1, angle) turns "from axis
# 0 to axis 1", so (1, 0) goes to (0.87, 0.5).
# What happens: Euler2DTransform, Similarity2DTransform, Euler3DTransform, VersorTransform and, in the very same
# class, AffineTransform's Rotate2D and Rotate3D do so. AffineTransform.Rotate, the only one of the three that
# SimpleITK has, takes (1, 0) to (0.87, -0.5). Rotate(1, 0, angle) is what one meant.
# What follows: an initial transform or an augmentation of an affine built so is off by twice its angle against one of
# a rigid transform, small angles look like a poor start, and registration may still find its way. Try (1, 0) once, or
# build turns by Euler or Versor and SetMatrix.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "itk-registration==5.4.7" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import itk
import numpy as np
import SimpleITK as sitk

ANGLE = np.radians(30)
ways = {}


def simple(name, transform, point=(1.0, 0.0, 0.0)):
    ways["SimpleITK " + name] = transform.TransformPoint(point[: transform.GetDimension()])[:2]


euler, similarity = sitk.Euler2DTransform(), sitk.Similarity2DTransform()
euler.SetAngle(ANGLE)
similarity.SetAngle(ANGLE)
euler3 = sitk.Euler3DTransform()
euler3.SetRotation(0, 0, ANGLE)
simple("Euler2DTransform", euler)
simple("Similarity2DTransform", similarity)
simple("Euler3DTransform", euler3)
simple("VersorTransform", sitk.VersorTransform((0, 0, 1), ANGLE))
for dimension in (2, 3):
    for pre in (False, True):
        affine = sitk.AffineTransform(dimension)
        affine.Rotate(0, 1, ANGLE, pre)
        simple(f"AffineTransform({dimension}).Rotate(0, 1), pre={pre}", affine)
back = sitk.AffineTransform(3)
back.Rotate(1, 0, ANGLE)
simple("AffineTransform(3).Rotate(1, 0)", back)

for name, turn in {
    "Rotate2D": lambda affine: affine.Rotate2D(ANGLE),
    "Rotate": lambda affine: affine.Rotate(0, 1, ANGLE),
}.items():
    affine = itk.AffineTransform[itk.D, 2].New()
    turn(affine)
    ways[f"ITK AffineTransform(2).{name}"] = tuple(affine.TransformPoint([1.0, 0.0]))
affine = itk.AffineTransform[itk.D, 3].New()
affine.Rotate3D([0.0, 0.0, 1.0], ANGLE)
ways["ITK AffineTransform(3).Rotate3D"] = tuple(affine.TransformPoint([1.0, 0.0, 0.0]))[:2]

print("ITK", itk.Version.GetITKVersion(), "SimpleITK", sitk.Version_VersionString())
for way, (x, y) in ways.items():
    print(f"{way:50} (1, 0) -> ({x:.2f}, {y:5.2f})")
    other = way.endswith(".Rotate") or "Rotate(0, 1)" in way
    assert np.allclose((x, y), (np.cos(ANGLE), -np.sin(ANGLE) if other else np.sin(ANGLE))), way
PY
