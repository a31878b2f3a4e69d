#!/usr/bin/env bash
# A short-axis stack and its labels resampled from 8 mm to 3 mm by TotalSegmentator 2.18.0's change_spacing, image by
# order=1, labels by order=1 with crop_resample=True: does a part lie where its image shows it, and where it was?
#
# One would guess: yes to both; one function makes both, and returns them with the same new affine.
# What happens: the image is sampled so that the first and last voxels' centers meet (scipy.ndimage.zoom), the labels so
# that the outer faces meet, and the affine keeps the first center and the asked-for spacing, which fits neither. A
# part near the first slice, at 12 mm, is shown at 12.8 mm and labelled at 15 mm; one at 76 mm is shown at 80.2 mm and
# labelled at 78 mm: 2.2 mm apart, in opposite directions. Only in the middle do they agree, 2.5 mm beside their place.
# What follows: don't train or measure on an image and labels from change_spacing as one pair, and don't measure places
# by its affine. Resample by affine (nibabel's resample_from_to, SimpleITK) where millimeters count.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nibabel==5.4.2" "scipy==1.17.1" "numpy==2.4.6" "joblib==1.6.0"
"$work/venv/bin/pip" install -q --no-deps "TotalSegmentator==2.18.0"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import nibabel
import numpy as np
from totalsegmentator.resampling import change_spacing

AFFINE = np.diag([1.5, 1.5, 8.0, 1.0])


def height(image):
    """The middle of what an image holds, mm along its slices."""
    values = image.get_fdata()
    index = (np.arange(values.shape[2]) * values.sum(axis=(0, 1))).sum() / values.sum()
    return float(image.affine[2, 2] * index + image.affine[2, 3])


print("TotalSegmentator", version("TotalSegmentator"))
found = {}
for first in (1, 5, 9):
    mask = np.zeros((40, 40, 12), np.uint8)
    mask[10:20, 10:20, first : first + 2] = 1
    part = nibabel.Nifti1Image(mask, AFFINE)
    image = change_spacing(part, 3.0, order=1, dtype=np.float32)
    labels = change_spacing(part, 3.0, order=1, crop_resample=True, dtype=np.uint8)
    assert np.array_equal(image.affine, labels.affine) and image.shape == labels.shape
    places = [round(height(each), 1) for each in (part, image, labels)]
    found[first] = places
    print("a part at {:.0f} mm: image {}, labels {}".format(*places))
as_told = found == {1: [12.0, 12.8, 15.0], 5: [44.0, 46.5, 46.5], 9: [76.0, 80.2, 78.0]}
sys.exit(0 if as_told else 1)
PY
