#!/usr/bin/env bash
# A volume that SimpleITK saves as DICOM slice by slice: which distance of slices do the files tell?
#
# One would guess: that of the volume's spacing, or none, and that a script can set SpacingBetweenSlices (0018,0088) like
# any other attribute, as SimpleITK's own example for writing a series from an array sets position and orientation.
# What happens: writing `volume[:, :, z]`, as that example does, gives every file SpacingBetweenSlices = 1, the third spacing
# that a 2D image does not have. Setting "0018|0088" changes nothing: the writer puts 1 over it, and says nothing. Positions
# and a SliceThickness that is set are kept. `volume[:, :, z : z + 1]`, a 3D image of one slice, tells the true distance.
# What follows: whatever believes the attribute has slices of 1 mm instead of 9 and a ninth of every volume; so has one of
# these files read alone (SimpleITK: 1.5 x 1.5 x 1). Write slices as 3D images, or correct the files afterwards; as a
# reader, take the positions where a distance of exactly 1 mm contradicts them.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "SimpleITK==2.5.7" "pydicom==3.0.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import pydicom
import SimpleITK as sitk

STEP_MM = 9.0
volume = sitk.GetImageFromArray(np.random.default_rng(0).integers(0, 500, (6, 20, 24)).astype(np.int16))
volume.SetSpacing((1.5, 1.5, STEP_MM))


def written(cut, **told):
    """Distance, thickness and position that the third file of a series tells, and its spacing as SimpleITK reads it."""
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    image = cut(volume, 2)
    tags = {"0008|0060": "MR", "0020|000e": "1.2.3", "0020|000d": "1.2", "0020|0013": "3"}
    tags |= {"0020|0032": f"0\\0\\{2 * STEP_MM:g}", "0020|0037": "1\\0\\0\\0\\1\\0", **told}
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer.SetFileName("slice.dcm")
    writer.Execute(image)
    data = pydicom.dcmread("slice.dcm")
    thickness = None if data.get("SliceThickness") is None else float(data.SliceThickness)
    return (
        float(data.SpacingBetweenSlices), thickness, float(data.ImagePositionPatient[2]),
        sitk.ReadImage("slice.dcm").GetSpacing()[2],
    )


flat, thin = (lambda v, z: v[:, :, z]), (lambda v, z: v[:, :, z : z + 1])
print("SimpleITK", sitk.Version_VersionString(), f"- slices {STEP_MM:g} mm apart")
found = {
    "2D slice": written(flat),
    "2D slice, distance set to 9": written(flat, **{"0018|0088": "9"}),
    "2D slice, distance 9, thickness 8": written(flat, **{"0018|0088": "9", "0018|0050": "8"}),
    "3D image of one slice": written(thin),
}
for name, (gap, thickness, position, read) in found.items():
    print(f"{name}: SpacingBetweenSlices {gap:g}, SliceThickness {thickness}, z {position:g}; read alone {read:g} mm")
wanted = [(1, None, 18, 1), (1, None, 18, 1), (1, 8, 18, 1), (9, None, 18, 9)]
sys.exit(0 if list(found.values()) == wanted else 1)
PY
