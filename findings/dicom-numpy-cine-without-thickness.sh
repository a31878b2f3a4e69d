#!/usr/bin/env bash
# A short-axis cine in DICOM by dicom-numpy's combine_slices: 4 slices of 5 phases.
#
# One would guess: four axes, or an error that says that there are several phases.
# What happens: the error is "It appears there are missing slices", of a stack that is whole. The option that the docs
# name for gaps, enforce_slice_spacing=False, takes it: (columns, rows, 20), the phases of each slice one after another
# as if they were slices, and an affine whose third column is 0, since the median of the steps is. Of such a volume
# there is no thickness and no inverse; NIfTI written with it says slices 0 mm apart.
# What follows: pick one phase before combining, by TriggerTime. facewarp reads the folder.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dicom-numpy==0.6.5" "pydicom==3.0.2" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - 2>/dev/null <<'PY'
import dicom_numpy
import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

series = generate_uid()


def picture(z, t):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID, data.SeriesInstanceUID = MRImageStorage, generate_uid(), series
    data.Modality, data.InstanceNumber, data.TriggerTime = "MR", 5 * z + t + 1, 40.0 * t
    data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    data.ImagePositionPatient = [10.0, 20.0, 30.0 + 8.0 * z]
    data.PixelSpacing, data.SliceThickness, data.SpacingBetweenSlices = [1.5, 1.4], 8.0, 8.0
    data.Rows, data.Columns, data.SamplesPerPixel = 20, 24, 1
    data.PhotometricInterpretation, data.BitsAllocated, data.BitsStored = "MONOCHROME2", 16, 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.PixelData = np.full((20, 24), 1000 + 100 * z + 10 * t, np.uint16).tobytes()
    return data


cine = [picture(z, t) for z in range(4) for t in range(5)]
one, affine = dicom_numpy.combine_slices([data for data in cine if data.TriggerTime == 0])
assert one.shape == (24, 20, 4)
assert abs(affine[2, 2]) == 8  # sound of one phase
try:
    dicom_numpy.combine_slices(cine)
    raise SystemExit("a cine is read now")
except dicom_numpy.DicomImportException as error:
    print("a whole cine:", error)
    assert "missing slices" in str(error)
volume, affine = dicom_numpy.combine_slices(cine, enforce_slice_spacing=False)
print("enforce_slice_spacing=False:", volume.shape, volume[0, 0].tolist()[:7])
print("third column of the affine:", affine[:3, 2].tolist(), "determinant", float(np.linalg.det(affine)))
assert volume.shape == (24, 20, 20)
assert volume[0, 0, 1] == 1010  # the second phase of the first slice
assert not affine[:3, 2].any()
PY
