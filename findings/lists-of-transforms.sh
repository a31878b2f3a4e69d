#!/usr/bin/env bash
# A list of two transforms, [stretch, shift], and where it takes a point, in six ways by four packages.
#
# One would guess: one order, the list's, so that x = 1 is stretched to 2 and shifted to 5; and the same by ANTsPy and
# SimpleITK, which are both ITK.
# What happens: ANTsPy, for points and for images, and NiTransforms' TransformChain begin at the list's beginning: 5.
# SimpleITK's CompositeTransform and VoxelMorph's compose begin at its end: 8. So does NiTransforms' own
# operator, stretch @ shift.
# What follows: the two files of ants.registration, given to SimpleITK in the order in which they come, change places,
# which for small transforms is a few millimetres and looks like a poor registration. Try a point, or hand over
# one composed field. Ours are single fields.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "antspyx==0.6.3" "nitransforms==25.1.0" "torch==2.13.0" \
    "voxelmorph==0.3.4" "neurite==0.3.4" "scipy==1.15.3" "numpy==2.3.5"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import ants
import numpy as np
import pandas as pd
import SimpleITK as sitk
import torch
import voxelmorph
from nitransforms.linear import Affine
from nitransforms.manip import TransformChain

stretch, shift = np.diag([2.0, 2.0, 2.0, 1.0]), np.eye(4)
shift[2, 3] = 3  # along z, whose sign LPS and RAS share
point = np.array([1.0, 1.0, 1.0])

itk = [sitk.AffineTransform(m[:3, :3].ravel().tolist(), m[:3, 3].tolist()) for m in (stretch, shift)]
for name, transform in zip(("stretch.mat", "shift.mat"), itk):
    sitk.WriteTransform(transform, name)
places = pd.DataFrame([point], columns=["x", "y", "z"])
first, second = Affine(stretch), Affine(shift)
matrices = [torch.tensor(m, dtype=torch.float32) for m in (stretch, shift)]
composed = voxelmorph.compose(matrices).numpy()
ramp = ants.from_numpy(np.broadcast_to(np.arange(20, dtype=np.float32), (4, 4, 20)).copy())  # each voxel says its z

found = {
    "SimpleITK CompositeTransform([stretch, shift])": sitk.CompositeTransform(itk).TransformPoint(point)[2],
    "ANTsPy apply_transforms_to_points([stretch, shift])": ants.apply_transforms_to_points(
        3, places, ["stretch.mat", "shift.mat"]
    )["z"].iloc[0],
    "ANTsPy apply_transforms, what an image shows there": ants.apply_transforms(
        ramp, ramp, ["stretch.mat", "shift.mat"]
    ).numpy()[1, 1, 1],
    "VoxelMorph compose([stretch, shift])": (composed @ [*point, 1])[2],
    "NiTransforms TransformChain([stretch, shift])": TransformChain([first, second]).map(point[None])[0, 2],
    "NiTransforms stretch @ shift": (first @ second).map(point[None])[0, 2],
}
print(*(f"{name} {version(name)}" for name in ("SimpleITK", "antspyx", "voxelmorph", "nitransforms")))
for name, z in found.items():
    print(f"{name}: 1 becomes {float(z):g}")
sys.exit(0 if np.allclose(list(found.values()), [8, 5, 5, 8, 5, 8]) else 1)
PY
