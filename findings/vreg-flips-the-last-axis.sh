#!/usr/bin/env bash
# A volume turned over along one of its axes by vreg 0.0.14 (Volume3D.flip, to_right_handed): where is its content afterwards?
#
# One would guess: at the same place in space. Voxels come in the other order along the axis that is named, and the affine
# tells so.
# What happens: the affine follows the axis, the voxels are always turned along the last one. A spot lies where it was
# after flip(2), the default. After flip(0) or flip(1) it has been mirrored along two axes, 24 to 26 mm from its place, and
# to_right_handed(axis=0), meant for stacks that other libraries refuse, does the same. All of it also in the volume
# that was flipped, not only in the one that is returned.
# What follows: labels, scans and contours flipped along different axes no longer lie on each other, with affines that look
# right, and left is right. Flip axis 2 only, or arrays and affine by nibabel's as_closest_canonical.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "vreg==0.0.14" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
import vreg

SPOT = (4, 9, 2)  # of 16 x 16 x 8 voxels
PLACE = np.array([-20.0, 10.0, 30.0]) + np.array([1.5, 1.5, 8.0]) * SPOT


def volume(mirrored=1):
    values = np.zeros((16, 16, 8))
    values[SPOT] = 1
    affine = np.diag([1.5 * mirrored, 1.5, 8.0, 1.0])
    affine[:3, 3] = PLACE - affine[:3, :3] @ SPOT
    return vreg.volume(values, affine)


def off(flipped):
    """mm by which the spot lies beside its place."""
    at = np.append(np.argwhere(flipped.values == 1)[0], 1)
    return (flipped.affine @ at)[:3] - PLACE


print("vreg", version("vreg"))
found = {f"flip({axis})": off(volume().flip(axis)) for axis in range(3)}
for axis in (0, 2):
    found[f"to_right_handed(axis={axis})"] = off(volume(-1).to_right_handed(axis))
for name, beside in found.items():
    print(f"{name}: {np.linalg.norm(beside):.1f} mm from its place, {beside}")
given = volume()
given.flip(0)
print("the volume that was flipped, itself:", off(given))
ok = all((not found[name].any()) == ("2" in name) for name in found) and off(given).any()
sys.exit(0 if ok else 1)
PY
