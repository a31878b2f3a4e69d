#!/usr/bin/env bash
# One picture array given to ismrmrd.Image.from_array in two releases of ismrmrd-python, 1.14.2 and 1.15.0, as a script
# that reconstructs on the scanner does it.
#
# One would guess: a minor release keeps what the call means: the same array gives the same picture.
# What happens: up to 1.14 the default is transpose=True: array[x, y, z], header and data are turned for the file. From 1.15 on it
# is transpose=False: array[z, y, x]. 1.14.2 warns that this will come; 1.15.0, where it has come, warns of the argument alone,
# not of a call without it, which is the one that is turned. 24 x 16 x 3 (x, y, z) becomes an
# image of matrix 3 x 16 x 24, of which field_of_view, set beside it in millimeters, still is 360 x 240 x 24: voxels of 120
# x 15 x 1 mm instead of 15 x 15 x 8. A square single slice is mirrored at its diagonal and looks like a heart.
# What follows: a reconstruction that was right gives turned pictures after an update, and those that are written for the
# new default are turned on the scanner's older one. Say transpose in every call, and check matrix_size.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cat > "$work/make.py" <<'PY'
import sys
from importlib.metadata import version

import ismrmrd
import numpy as np

array = np.zeros((24, 16, 3), np.float32)  # x, y, z
array[5, 2, 1] = 1
image = ismrmrd.Image.from_array(array)
image.field_of_view = (360.0, 240.0, 24.0)
matrix = list(image.getHead().matrix_size)
spot = [int(n) for n in np.argwhere(image.data == 1)[0]]  # channel, z, y, x
voxel = [length / count for length, count in zip(image.field_of_view, matrix)]
print(f"{version('ismrmrd')}: matrix (x, y, z) {matrix}, the spot at channel, z, y, x {spot}, voxels {voxel} mm")
slice_ = np.zeros((16, 16), np.float32)
slice_[5, 2] = 1
at = [int(n) for n in np.argwhere(ismrmrd.Image.from_array(slice_).data == 1)[0]]
print("  a single square slice, spot of array[5, 2] at channel, z, y, x", at)
wanted = {"turned": ([24, 16, 3], [0, 1, 2, 5], [0, 0, 2, 5]), "kept": ([3, 16, 24], [0, 5, 2, 1], [0, 0, 5, 2])}[sys.argv[1]]
sys.exit(0 if (matrix, spot, at) == wanted else 1)
PY
for pair in "1.14.2 turned" "1.15.0 kept"; do
    read -r release expected <<< "$pair"
    python3 -m venv "$work/$release"
    "$work/$release/bin/pip" install -q "ismrmrd==$release" "numpy==2.4.6"
    "$work/$release/bin/python" "$work/make.py" "$expected"
done
