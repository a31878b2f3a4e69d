#!/usr/bin/env bash
# What dcm2niix makes of a cine in one enhanced DICOM file whose frames are stored phase by phase
# within each slice, with no trigger times but complete dimension indices.
#
# One would guess: a 4D NIfTI with slices along the third axis and phases along the fourth, since
# DimensionIndexValues and TemporalPositionIndex tell both for every frame; or a warning.
# What happens: the shape and the affine are sound, the exit code is 0, and the pictures are dealt
# out wrongly: what stands as neighbouring slices are neighbouring phases.
# What follows: volumes and ejection fraction computed from such a file are plausible and wrong. Read
# the DICOM file itself, or look whether neighbouring phases are more alike than neighbouring slices.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dcm2niix==1.0.20260724" "pydicom==3.0.2" "nibabel==5.4.2"
cd "$work"; mkdir nifti
"$work/venv/bin/python" - <<'PY'
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid


def item(**values):
    one = Dataset()
    for name, value in values.items():
        setattr(one, name, value)
    return Sequence([one])


meta = FileMetaDataset()
meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = EnhancedMRImageStorage, generate_uid()
meta.TransferSyntaxUID = ExplicitVRLittleEndian
data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
data.SOPClassUID, data.SOPInstanceUID = EnhancedMRImageStorage, meta.MediaStorageSOPInstanceUID
data.StudyInstanceUID, data.SeriesInstanceUID = generate_uid(), generate_uid()
data.FrameOfReferenceUID = generate_uid()
data.Modality, data.Manufacturer, data.SeriesDescription = "MR", "SIEMENS", "cine_sax"
data.PatientName = data.PatientID = "phantom"
data.SeriesNumber = data.InstanceNumber = data.AcquisitionNumber = 1
data.ImageType = ["ORIGINAL", "PRIMARY", "CARDIAC", "NONE"]
pointers = ((0x00209111, 0x00209056), (0x00209111, 0x00209057), (0x00209111, 0x00209128))
data.DimensionIndexSequence = Sequence([])
for group, pointer in pointers:
    data.DimensionIndexSequence.append(item(FunctionalGroupPointer=group,
                                            DimensionIndexPointer=pointer)[0])
frames, pixels = [], []
for z in range(7):
    for t in range(12):  # phases fastest
        frame = Dataset()
        frame.FrameContentSequence = item(
            StackID="1", InStackPositionNumber=z + 1, TemporalPositionIndex=t + 1,
            DimensionIndexValues=[1, z + 1, t + 1],
        )
        frame.PlanePositionSequence = item(ImagePositionPatient=[0, 0, 10.0 * z])
        frames.append(frame)
        picture = np.zeros((32, 32), np.uint16)
        picture[8:24, 8:24] = 100 * (z + 1) + t + 1  # says which it is
        pixels.append(picture)
shared = Dataset()
shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
shared.PixelMeasuresSequence = item(PixelSpacing=[1.8, 1.8], SliceThickness=8,
                                    SpacingBetweenSlices=10)
shared.MRTimingAndRelatedParametersSequence = item(RepetitionTime=64.16, FlipAngle=50)
data.SharedFunctionalGroupsSequence = Sequence([shared])
data.PerFrameFunctionalGroupsSequence = Sequence(frames)
data.NumberOfFrames, data.Rows, data.Columns = len(frames), 32, 32
data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
data.PixelData = np.stack(pixels).tobytes()
data.save_as("cine.dcm", enforce_file_format=True)
PY
"$work/venv/bin/dcm2niix" -f cine -z n -o nifti cine.dcm > log.txt && echo "dcm2niix ends with 0"
grep -i "slice\|phase\|order" log.txt | grep -i warn || echo "no warning about slices or phases"
"$work/venv/bin/python" - <<'PY'
import sys
from pathlib import Path

import nibabel as nib
import numpy as np

files = sorted(Path("nifti").glob("*.nii"))
for path in files:
    image = nib.load(path)
    print(path.name, image.shape, "determinant of the affine", round(np.linalg.det(image.affine), 1))
image = nib.load(files[0])
shown = np.asarray(image.dataobj)[16, 16].astype(int)  # (slice, phase)
print("slice and phase that the pictures show, along the third axis at the first phase:")
print([divmod(int(n) - 1, 100) for n in shown[:, 0]] if shown.ndim == 2 else shown)
right = shown.ndim == 2 and len(set((shown[:, 0] - 1) // 100)) == 7
print("dealt out rightly" if right else "slices and phases are mixed up")
sys.exit(1 if right or len(files) != 1 else 0)
PY
