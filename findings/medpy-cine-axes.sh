#!/usr/bin/env bash
# MedPy's load of a cine: an image of four axes, x, y, z and time.
#
# One would guess: an array (x, y, z, t), as of a volume (x, y, z), which the spacing that the header
# tells beside it (sx, sy, sz, st) goes with.
# What happens: load takes the last axis of every array of four for the components of a vector. The
# array of a scalar cine comes as (y, z, t, x), its header tells the spacing of x, y, z, t: slices
# stand where rows should, and phases in the place of slices. save takes it back for such vectors: it
# writes an image of y, z and t whose voxels have 7 components, the columns. load of that gives the
# same array, so that going out and in again shows nothing of it.
# What follows: array[..., 0] is a column over time, not a phase, and volumes by voxels times
# spacing are those of other axes. Read cines with nibabel, or SimpleITK and .transpose(3, 2, 1, 0).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "medpy==0.5.2" "SimpleITK==2.5.7" "numpy==2.4.6" "nibabel==5.4.2"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import nibabel as nib
import numpy as np
import SimpleITK as sitk
from medpy.io import load, save

x, y, z, t = np.indices((7, 6, 4, 5))
cine = (1000 * x + 100 * y + 10 * z + t).astype(np.int16)
image = sitk.JoinSeries([sitk.GetImageFromArray(cine[..., i].T) for i in range(5)])
image.SetSpacing((1.4, 1.5, 8.0, 0.05))
sitk.WriteImage(image, "cine.nii.gz")
assert nib.load("cine.nii.gz").shape == (7, 6, 4, 5)  # sound, as another reader has it
array, header = load("cine.nii.gz")
print("MedPy 0.5.2: file (7, 6, 4, 5), array", array.shape)
print("spacing told", tuple(round(float(s), 2) for s in header.get_voxel_spacing()))
assert array.shape == (6, 4, 5, 7)
assert np.array_equal(array, cine.transpose(1, 2, 3, 0))  # (y, z, t, x)
assert np.allclose(header.get_voxel_spacing(), (1.4, 1.5, 8.0, 0.05))
save(array, "again.nii.gz", header)
again = nib.load("again.nii.gz")
print("saved again", again.shape, "intent", again.header.get_intent()[0])
flat, _ = load("again.nii.gz")
print("and loaded again", flat.shape)
image = sitk.GetImageFromArray(cine[..., 0].T)
sitk.WriteImage(image, "phase.nii.gz")
assert load("phase.nii.gz")[0].shape == (7, 6, 4)  # a volume comes as x, y, z
PY
