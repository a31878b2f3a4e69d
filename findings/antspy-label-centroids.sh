#!/usr/bin/env bash
# Where the middle of a label lies, by three functions of ANTsPy (antspyx 0.6.3).
#
# One would guess: label_image_centroids gives voxels, with physical=True millimeters, the same place as
# get_center_of_mass and label_geometry_measures.
# What happens: its lists of coordinates run by columns, as arrays of R do, and meet an array that runs by rows; the third
# is made of the second axis's length. The label of a single voxel (2, 3, 4) is reported at (7, 4, 1), in a cube
# of 7 at (4, 3, 2): x and z change places. physical=True is taken and changes nothing. No other function here has it.
# What follows: landmarks and starting points of registrations made of labels by this function lie elsewhere, inside
# the image and so plausible. get_center_of_mass, or label_geometry_measures, whose centroids are in millimeters.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "antspyx==0.6.3"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import ants
import numpy as np

voxel, spacing, origin = np.array([2, 3, 4]), np.array([1.5, 1.5, 8.0]), np.array([10.0, 20.0, 30.0])
print("antspyx", ants.__version__, "- a label of one voxel,", voxel.tolist(), "or", (origin + spacing * voxel).tolist(), "mm")
found = {}
for shape in ((9, 7, 6), (7, 7, 7)):
    array = np.zeros(shape, np.float32)
    array[tuple(voxel)] = 1
    labels = ants.from_numpy(array, spacing=tuple(spacing), origin=tuple(origin))
    first = ants.label_image_centroids(labels)["vertices"][0].tolist()
    second = ants.label_image_centroids(labels, physical=True)["vertices"][0].tolist()
    measures = ants.label_geometry_measures(labels)
    others = [measures[f"Centroid_{axis}"][0] for axis in "xyz"], ants.get_center_of_mass(labels)
    found[shape] = first, second
    print(f"{shape}: label_image_centroids {first}, physical=True {second};"
          f" label_geometry_measures {others[0]}, get_center_of_mass {list(others[1])}")
    assert np.allclose(others, origin + spacing * voxel)
wrong = {(9, 7, 6): [7, 4, 1], (7, 7, 7): [4, 3, 2]}
sys.exit(0 if all(found[shape] == (wrong[shape], wrong[shape]) for shape in wrong) else 1)
PY
