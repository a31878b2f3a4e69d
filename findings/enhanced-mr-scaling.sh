#!/usr/bin/env bash
# Gray values of one enhanced MR file whose frames have slopes of their own, by three readers.
#
# One would guess: pydicom's apply_rescale and ITK scale every frame by the slope in its own functional
# groups (Pixel Value Transformation), which is where the standard puts it for enhanced images; or refuse.
# What happens: pydicom returns the stored integers and says nothing. ITK's GDCM scales every frame by
# the slope of the file's first one. highdicom alone gives every frame its own. Three frames of 110, 220
# and 440 come out as 220 220 220, as 110 110 110, and as they are.
# What follows: brightness over time (perfusion, a cine whose phases are scaled each by itself) from the
# first two is wrong without a word. We take slope and intercept of every frame from its groups.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pydicom==3.0.2" "highdicom==0.28.2" "SimpleITK==2.5.7" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import highdicom
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_rescale
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

SLOPES = (0.5, 1.0, 2.0)


def item(**values):
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return [found]


meta = FileMetaDataset()
meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = EnhancedMRImageStorage, ExplicitVRLittleEndian
meta.MediaStorageSOPInstanceUID = generate_uid()
data = FileDataset("scaled.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
data.SOPClassUID, data.SOPInstanceUID = EnhancedMRImageStorage, meta.MediaStorageSOPInstanceUID
data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
data.FrameOfReferenceUID, data.Modality = generate_uid(), "MR"
data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
data.Rows, data.Columns, data.NumberOfFrames = 8, 8, len(SLOPES)
shared = Dataset()
shared.PixelMeasuresSequence = item(PixelSpacing=[1.5, 1.5], SliceThickness=8.0)
shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
data.SharedFunctionalGroupsSequence = [shared]
frames = []
for number, slope in enumerate(SLOPES):
    frame = Dataset()
    frame.PlanePositionSequence = item(ImagePositionPatient=[0, 0, 8 * number])
    frame.PixelValueTransformationSequence = item(
        RescaleSlope=slope, RescaleIntercept=0, RescaleType="US"
    )
    frames.append(frame)
data.PerFrameFunctionalGroupsSequence = frames
data.PixelData = np.full((len(SLOPES), 8, 8), 220, np.uint16).tobytes()
data.save_as("scaled.dcm", enforce_file_format=True)

read = pydicom.dcmread("scaled.dcm")
whole = highdicom.imread("scaled.dcm")
found = {
    f"pydicom {pydicom.__version__}": apply_rescale(read.pixel_array, read)[:, 0, 0],
    f"SimpleITK {sitk.Version_VersionString()}": sitk.GetArrayFromImage(
        sitk.ReadImage("scaled.dcm")
    )[:, 0, 0],
    f"highdicom {highdicom.__version__}": [whole.get_frame(n + 1)[0, 0] for n in range(3)],
}
expected = [[220, 220, 220], [110, 110, 110], [110, 220, 440]]
for name, values in found.items():
    print(f"{name}: {[float(value) for value in values]}, true {[220 * s for s in SLOPES]}")
sys.exit(0 if [list(map(float, v)) for v in found.values()] == expected else 1)
PY
