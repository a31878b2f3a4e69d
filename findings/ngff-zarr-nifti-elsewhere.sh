#!/usr/bin/env bash
# A NIfTI heart turned into OME-Zarr's terms by ngff-zarr 0.50.0, and from there into an image of ITK.
#
# One would guess: the voxels lie where the file's affine put them, since each converter "preserves spatial metadata" and
# the axes' orientations are written beside scale and translation.
# What happens: from nibabel the translation is taken in RAS as it stands, from ITK in LPS as it stands, and nothing in
# the image tells which; ngff_image_to_itk_image takes all for LPS. The axes come back as they were, the origin mirrored: a
# first voxel at 40, -30, 20 mm is 100 mm away. Of a short axis turned by 35 degrees only the nearest anatomical
# direction of each axis is kept ("left-to-right"), by both converters, so that the far end of a row of 240 mm
# is 144 mm beside its place even where the origin is right. Of a cine's 40 ms a step of 1 is kept.
# What follows: hearts converted from NIfTI and from DICOM lie mirrored beside each other in one store, and labels drawn
# in one don't fit the other. Keep the affine beside the zarr, or resample to straight axes first and convert by ITK.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "ngff-zarr==0.50.0" "nibabel==5.4.2" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import itkwasm
import nibabel
import numpy as np
from ngff_zarr import itk_image_to_ngff_image, ngff_image_to_itk_image
from ngff_zarr.nibabel_image_to_ngff_image import nibabel_image_to_ngff_image

SIZE = (161, 140, 10)
SPACING = (1.5, 1.5, 8.0)
TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def affine(degrees):
    """Voxels to RAS of a stack whose first voxel lies at 40, -30, 20 mm."""
    turn = np.deg2rad(degrees)
    rotation = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    found = np.eye(4)
    found[:3, :3] = np.array(rotation) @ np.diag(SPACING)
    found[:3, 3] = 40, -30, 20
    return found


def of_itk(image):
    """Voxels to LPS, as an image of ITK tells it."""
    found = np.eye(4)
    found[:3, :3] = np.asarray(image.direction) @ np.diag(image.spacing)
    found[:3, 3] = image.origin
    return found


def as_itk(to_lps):
    return itkwasm.Image(
        itkwasm.ImageType(3, "int16", "Scalar", 1), "", list(to_lps[:3, 3]), list(SPACING),
        to_lps[:3, :3] / SPACING, list(SIZE), {}, np.zeros(SIZE[::-1], np.int16),
    )


def apart(one, other, voxel):
    return float(np.linalg.norm((one - other) @ (*voxel, 1)))


print("ngff-zarr", version("ngff-zarr"))
found = {}
for degrees in (0, 35):
    ras = affine(degrees)
    lps = TO_LPS @ ras
    ways = {
        "nibabel": nibabel_image_to_ngff_image(nibabel.Nifti1Image(np.zeros(SIZE, np.int16), ras)),
        "ITK": itk_image_to_ngff_image(as_itk(lps)),
    }
    for name, ngff in ways.items():
        back = of_itk(ngff_image_to_itk_image(ngff))
        off = [apart(back, lps, (0, 0, 0)), apart(back, lps, (160, 0, 0))]
        found[name, degrees] = off
        said = {axis: str(ngff.axes_orientations[axis].value) for axis in "xy"}
        place = {axis: float(ngff.translation[axis]) for axis in "xyz"}
        print(f"turned by {degrees:2}, by {name:7}: {place} {said}")
        print(f"    back in ITK the first voxel is {off[0]:.1f} mm off, the row's last {off[1]:.1f} mm")
cine = nibabel.Nifti1Image(np.zeros((8, 8, 4, 5), np.int16), affine(0))
cine.header.set_zooms((*SPACING, 40.0))
cine.header.set_xyzt_units("mm", "msec")
step = nibabel_image_to_ngff_image(cine).scale["t"]
print("time step of a cine whose phases are 40 ms apart:", step)
as_told = np.allclose(found["nibabel", 0], 100) and np.allclose(found["ITK", 0], 0)
as_told = as_told and np.allclose(found["ITK", 35], [0, 144.3], atol=0.1) and step == 1
sys.exit(0 if as_told else 1)
PY
