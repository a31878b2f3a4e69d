#!/usr/bin/env bash
# One displacement field as NRRD, told in LPS, in RAS and with a measurement frame, read by SimpleITK 2.5.7.
#
# One would guess: all are read as the same field in ITK's LPS, since the files say in which space they are ("space")
# and in which axes their vectors were measured ("measurement frame").
# What happens: origin and directions are turned into LPS, the vectors are left as they are stored. From the file in
# RAS a voxel lies where it did, and its vector points the other way in x and y: a point that should move by
# (5, 2, 1) mm moves by (-5, -2, 1). A measurement frame that exchanges two axes is kept as text and not applied.
# What follows: fields that pynrrd (or a program that works in RAS) wrote in RAS warp to the wrong side, and images of
# them lie right. Write "left-posterior-superior", vectors in LPS, no frame but the identity; or turn the vectors by
# the frame, and x and y, after reading.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pynrrd==1.1.3" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import nrrd
import numpy as np
import SimpleITK as sitk

move, origin, axes = np.array([5.0, 2.0, 1.0]), np.array([10.0, -20.0, 30.0]), np.diag([1.5, 1.5, 8.0])  # LPS, mm
flip, exchange = np.diag([-1.0, -1.0, 1.0]), np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])


def written(name, space, turn, frame):
    """Write the field in a space that ``turn`` makes of LPS; vectors times ``frame`` are in it."""
    stored = np.linalg.inv(frame) @ turn @ move
    vectors = np.broadcast_to(stored[:, None, None, None], (3, 8, 7, 6)).astype(np.float32)
    header = {
        "space": space, "kinds": ["vector", "domain", "domain", "domain"], "measurement frame": frame,
        "space directions": np.vstack([np.full(3, np.nan), axes @ turn]), "space origin": turn @ origin,
    }
    nrrd.write(name, vectors, header)


written("lps.nrrd", "left-posterior-superior", np.eye(3), np.eye(3))
written("ras.nrrd", "right-anterior-superior", flip, np.eye(3))
written("frame.nrrd", "left-posterior-superior", np.eye(3), exchange)
print("SimpleITK", sitk.Version_VersionString(), "pynrrd", nrrd.__version__, "- a field of", move.tolist(), "mm, LPS")
found = {}
for name in ("lps", "ras", "frame"):
    image = sitk.ReadImage(f"{name}.nrrd", sitk.sitkVectorFloat64)
    where = np.array(image.TransformIndexToPhysicalPoint((4, 3, 2)))
    assert np.allclose(where, origin + axes @ [4, 3, 2])  # the place is right in all
    point = image.TransformIndexToPhysicalPoint((4, 3, 2))
    moved = np.array(sitk.DisplacementFieldTransform(image).TransformPoint(point)) - point
    found[name] = moved.round(6).tolist()
    print(f"{name}.nrrd: voxel (4, 3, 2) lies at {where.tolist()}, and moves by {found[name]} mm")
sys.exit(0 if found == {"lps": [5, 2, 1], "ras": [-5, -2, 1], "frame": [2, 5, 1]} else 1)
PY
