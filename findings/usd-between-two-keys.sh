#!/usr/bin/env bash
# A head that turns by 60 degrees, exported to USD (usd-core 26.11) in three usual ways, looked at halfway between its keys.
#
# One would guess: between keys USD turns the head on: halfway it stands at half the angle, whichever operation carries
# the turn, since all three are the same head at the keys and "interpolation: linear" is the stage's for all.
# What happens: numbers are interpolated, whatever they mean. A matrix (xformOp:transform, what exporters of tracked heads
# and cameras write) shrinks on the way: halfway the head is 87 % as wide and as deep, and of 75 % of its volume, at keys
# 120 degrees apart 50 and 25 %. rotateXYZ goes the long way round where the angle passes 180 (from 170 to -130 the
# head looks to 20 on its way, not to 200). orient, a quaternion, does what one thinks. A key's own time is right in all.
# What follows: motion blur, retiming and a frame rate that is not the exporter's look between keys: a head of one key a
# frame that turns by 10 degrees a frame pulses by 0.4 %, sparse keys make it collapse. Write orient (and scale and
# translate), and unwrap angles.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "usd-core==26.11" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
from pxr import Gf, Usd, UsdGeom

AXIS = Gf.Vec3d(0, 1, 0)


def turn(angle):
    return Gf.Rotation(AXIS, angle)


def head(way, first, last):
    """The 3 x 3 matrix of a head halfway between its keys."""
    stage = Usd.Stage.CreateInMemory()
    assert stage.GetInterpolationType() == Usd.InterpolationTypeLinear
    thing = UsdGeom.Xform.Define(stage, "/head")
    wrapped = lambda angle: (angle + 180) % 360 - 180
    if way == "transform":
        add, value = thing.AddTransformOp(), lambda angle: Gf.Matrix4d().SetRotate(turn(angle))
    elif way == "rotateXYZ":
        add, value = thing.AddRotateXYZOp(), lambda angle: Gf.Vec3f(0, wrapped(angle), 0)
    else:
        add, value = thing.AddOrientOp(), lambda angle: Gf.Quatf(turn(angle).GetQuat())
    for time, angle in ((0, first), (1, last)):
        add.Set(value(angle), time)
        there = np.array(thing.GetLocalTransformation(time))[:3, :3]
        assert np.abs(there - np.array(Gf.Matrix4d().SetRotate(turn(angle)))[:3, :3]).max() < 1e-6
    return np.array(thing.GetLocalTransformation(0.5))[:3, :3]


print("USD", Usd.GetVersion())
found = {}
for first, last in ((0, 60), (0, 120), (0, 10), (170, 230)):
    middle = np.array(Gf.Matrix4d().SetRotate(turn((first + last) / 2)))[:3, :3]
    for way in ("transform", "rotateXYZ", "orient"):
        matrix = head(way, first, last)
        width, volume = np.linalg.norm(matrix[0]), np.linalg.det(matrix)
        facing = np.degrees(np.arccos(np.clip(matrix[2] @ middle[2] / np.linalg.norm(matrix[2]), -1, 1)))
        found[first, last, way] = width, volume, facing
        print(f"from {first} to {last} degrees by {way}: width {width:.3f}, volume {volume:.3f}, "
              f"faces {facing:.0f} degrees beside the middle")
near = lambda key, wanted: bool(np.abs(np.subtract(found[key], wanted)).max() < 0.1)
ok = all(near((*pair, "orient"), (1, 1, 0)) for pair in ((0, 60), (0, 120), (0, 10), (170, 230)))
ok &= near((0, 60, "transform"), (0.866, 0.75, 0)) and near((0, 120, "transform"), (0.5, 0.25, 0))
ok &= near((0, 60, "rotateXYZ"), (1, 1, 0)) and near((170, 230, "rotateXYZ"), (1, 1, 180))
sys.exit(0 if ok else 1)
PY
