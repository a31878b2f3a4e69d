#!/usr/bin/env bash
# Gray values that nii2dcm turns from NIfTI into DICOM: which come out?
#
# One would guess: the same, scaled with RescaleSlope where integers cannot hold them.
# What happens: nii2dcm 0.1.6 casts to uint16, writes BitsStored = 12 whatever the values are, RescaleSlope = 1, and says
# nothing. Values of 0 to 1 become 0, all of them. Values below 0 become 65000 and more. Values past 4095 are written, but
# readers that keep to BitsStored cut them: pydicom 3 and SimpleITK read 5000 as 904.
# What follows: a normalized scan or a map of strain comes out black, one with an offset or bright fat with dark holes. Bring
# values to 0 to 4095 before, and look at the pictures afterwards.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "nii2dcm==0.1.6" "numpy==1.23.2" "SimpleITK==2.5.7" 2>/dev/null
cd "$work"
PATH="$work/venv/bin:$PATH" python - <<'PY'
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk


def written(name, value, dtype):
    """Bits stored, slope, and the value of one voxel in the file's bytes and as SimpleITK reads it."""
    voxels = np.zeros((16, 16, 3), dtype)
    voxels[:8] = value
    place = Path("of" + name)
    nib.save(nib.Nifti1Image(voxels, np.diag([-1.5, -1.5, 8, 1])), f"{place}.nii.gz")
    place.mkdir()
    subprocess.run(["nii2dcm", f"{place}.nii.gz", str(place), "--dicom_type", "MR"], check=True, capture_output=True)
    path = sorted(place.rglob("*.dcm"))[0]
    data = pydicom.dcmread(path)
    stored = np.frombuffer(data.PixelData, "<u2")
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    return int(data.BitsStored), float(data.RescaleSlope), int(stored.max()), int(read.max())


found = {}
for name, value, dtype in (
    ("0.75", 0.75, np.float32), ("-300", -300, np.int16), ("5000", 5000, np.int16), ("1200", 1200, np.int16),
):
    found[name] = written(name, value, dtype)
    bits, slope, stored, read = found[name]
    print(f"nii2dcm 0.1.6: {name:>5} is written as {stored} of {bits} bits, slope {slope:g}; SimpleITK reads {read}")
wanted = {"0.75": (12, 1, 0, 0), "-300": (12, 1, 65236, 3796), "5000": (12, 1, 5000, 904), "1200": (12, 1, 1200, 1200)}
sys.exit(0 if found == wanted else 1)
PY
