#!/usr/bin/env bash
# The axes of a heart put into another order by MONAI 1.6.1's Transpose, beside other transforms that move voxels.
#
# One would guess: images are MetaTensors, which carry their affine, and "spatial" transforms change both, so that what is
# saved lies where it lay; or a transform that can't says so.
# What happens: Flip, Rotate90, Orientation, Zoom, Resize, Spacing and Affine do so, exactly. Transpose changes the order
# of the voxels and leaves the affine as it was: rows have the columns' spacing and direction, and voxels lie up to
# 40 mm from where they lay, in a stack of 60 mm.
# What follows: volumes, distances and strain of what was transposed are those of another heart, and SaveImage writes it
# with that header. Take Orientation or Rotate90 and Flip for other axes; check with an image that tells its place.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "nibabel==5.4.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import monai
import nibabel
import numpy as np
import torch
from monai import transforms
from monai.data import MetaTensor

SHAPE = (32, 28, 10)
affine = np.array([[0, -2.0, 0, 10], [1.5, 0, 0, -20], [0, 0, 8.0, 5], [0, 0, 0, 1]])


def places(shape, affine):
    """Where each voxel lies, mm (I, J, K, 3)."""
    return nibabel.affines.apply_affine(affine, np.moveaxis(np.indices(shape), 0, -1))


image = MetaTensor(
    torch.from_numpy(np.moveaxis(places(SHAPE, affine), -1, 0).astype(np.float32)), affine=torch.from_numpy(affine)
)  # each voxel tells its place in three channels


def off(transform):
    """The largest distance of where voxels lie from where they say they do, the outer quarters left out, mm."""
    result = transform(image)
    result = result[0] if isinstance(result, tuple) else result
    told = np.moveaxis(np.asarray(result), 0, -1)
    middle = tuple(slice(size // 4, -(size // 4)) for size in told.shape[:3])
    gap = np.linalg.norm(told - places(told.shape[:3], np.asarray(result.affine)), axis=-1)
    return float(gap[middle].max())


print("MONAI", monai.__version__, "torch", torch.__version__)
tilt = {"rotate_params": (0, 0, 0.3), "scale_params": (1.2, 1.1, 1.0), "padding_mode": "border"}
exact = {
    "Flip": transforms.Flip(0),
    "Rotate90": transforms.Rotate90(1, (0, 1)),
    "Orientation": transforms.Orientation("LPS", labels=None),
    "Zoom": transforms.Zoom(1.5, mode="trilinear", keep_size=False),
    "Resize": transforms.Resize((64, 56, 20), mode="trilinear"),
    "Spacing": transforms.Spacing((1, 1, 4)),
    "Affine": transforms.Affine(**tilt),
}
transpose = transforms.Transpose((0, 2, 1, 3))
right = {name: off(transform) for name, transform in exact.items()}
wrong = off(transpose)
for name, gap in {**right, "Transpose": wrong}.items():
    print(f"{name}: voxels lie up to {gap:.3f} mm from where they say they do")
transposed = transpose(image)
print("Transpose: shape", tuple(transposed.shape[1:]), "affine as before:", bool((transposed.affine == image.affine).all()))
left = bool((transposed.affine == image.affine).all())
sys.exit(0 if max(right.values()) < 0.01 and wrong > 30 and left and tuple(transposed.shape[1:]) == (28, 32, 10) else 1)
PY
