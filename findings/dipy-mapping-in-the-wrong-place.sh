#!/usr/bin/env bash
# A registration by DIPY 1.12.1, written by write_mapping and read again by read_mapping.
#
# One would guess: the file lies where the fixed image lies, and what is read does what was written.
# What happens: the file's affine is the inverse of the moving image's (from world to voxels), so programs that show or
# use it find it elsewhere: an origin of 40, 30, -20 mm becomes 20, 15, 2.5 and voxels of 8 mm become 0.125.
# read_mapping inverts it back, and takes the moving image's affine for that of the field, which lives on the fixed
# image's grid. Where both images have one grid nothing is seen; where the moving one is stored the other way round,
# the mapping read back is another, without a word. And of one made with prealign=P read_mapping wants the inverse
# of P, which no docstring says: with P itself the images agree less than unregistered.
# What follows: keep mapping.forward and the fixed image's affine yourself, and compare transform() before and after.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dipy==1.12.1" "nibabel==5.4.2" "numpy==2.4.6" "scipy==1.17.1"
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import logging
import sys
from importlib.metadata import version
from pathlib import Path

import nibabel as nib
import numpy as np
from dipy.align import read_mapping, write_mapping
from dipy.align.imwarp import SymmetricDiffeomorphicRegistration
from dipy.align.metrics import SSDMetric
from scipy import ndimage

logging.disable(logging.CRITICAL)
place = np.array([[-2.0, 0, 0, 40], [0, -2, 0, 30], [0, 0, 8, -20], [0, 0, 0, 1]])
picture = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(48, 44, 16)), (3, 3, 1.5))
fixed = (picture / picture.std())[4:44, 4:40, 3:13]
moved = ndimage.shift(picture / picture.std(), (1.5, -1, 0), order=3)[4:44, 4:40, 3:13]
path = str(Path(sys.argv[1]) / "mapping.nii.gz")


def there_and_back(turned=False, prealign=None, told=None):
    """Mean difference of the images: unregistered, registered, and by the mapping read back."""
    moving, affine = moved, place
    if turned:  # the same tissue in the same world, rows and slices stored in the other order
        moving = moved[:, ::-1, ::-1].copy()
        affine = place @ np.array([[1.0, 0, 0, 0], [0, -1, 0, 35], [0, 0, -1, 9], [0, 0, 0, 1]])
    found = SymmetricDiffeomorphicRegistration(SSDMetric(3), level_iters=[20, 10]).optimize(
        fixed, moving, static_grid2world=place, moving_grid2world=affine, prealign=prealign
    )
    write_mapping(found, path)
    images = nib.Nifti1Image(fixed, place), nib.Nifti1Image(moving, affine)
    again = read_mapping(path, *images, prealign=prealign if told is None else told)
    inner = (slice(10, 30), slice(10, 26), slice(3, 7))
    return [
        float(np.abs(fixed - one)[inner].mean())
        for one in (moved, found.transform(moving), again.transform(moving))
    ]


print("dipy", version("dipy"), "- mean difference unregistered, registered, read back")
same = there_and_back()
stored = nib.load(path)
print("one grid:", np.round(same, 3).tolist())
print("affine of the file:", np.round(stored.affine, 3).tolist(), "intent", int(stored.header["intent_code"]))
inverse = np.allclose(stored.affine, np.linalg.inv(place), atol=1e-4)
other = there_and_back(turned=True)
print("moving image stored the other way round:", np.round(other, 3).tolist())
shift = np.eye(4)
shift[0, 3] = 3.0
pre = there_and_back(prealign=shift)
pre_inverse = there_and_back(prealign=shift, told=np.linalg.inv(shift))
print("prealign=P, read with P:", np.round(pre, 3).tolist(), " with its inverse:", np.round(pre_inverse, 3).tolist())
ok = inverse and abs(same[1] - same[2]) < 1e-4 and other[2] > 1.5 * other[1]
ok = ok and pre[2] > 1.5 * pre[1] and abs(pre_inverse[2] - pre_inverse[1]) < 1e-3
sys.exit(0 if ok else 1)
PY
