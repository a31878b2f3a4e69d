#!/usr/bin/env bash
# The pixel measures given to highdicom's Segmentation (0.28.2), and those in the file.
#
# One would guess: pixel_measures says how large the voxels of the masks are, and stands in the file.
# What happens: where the pixel spacing is that of the source images, all of it is replaced by the source's, to even out
# small differences, the distance of the slices with it. Scanners that write the gap into SpacingBetweenSlices (5 mm
# for slices whose positions are 10 mm apart) get it back in the segmentation, though 10 was given; and
# get_volume then makes a volume of slices every 5 mm with empty ones between, of half the masks' millilitres.
# What follows: set SpacingBetweenSlices in the finished object's shared groups from the positions, as ours do now.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "highdicom==0.28.2" "pydicom==3.0.2" "numpy==2.4.6"
"$work/venv/bin/python" - <<'PY'
import sys
from io import BytesIO

import highdicom as hd
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SLICES, APART, GAP = 4, 10.0, 5.0
study, series, frame = generate_uid(), generate_uid(), generate_uid()
scan = []
for z in range(SLICES):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
    for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
                 "StudyID", "AccessionNumber", "ReferringPhysicianName", "PositionReferenceIndicator"):
        setattr(data, name, "")
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 1, z + 1
    data.Rows = data.Columns = 8
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelSpacing, data.SliceThickness, data.SpacingBetweenSlices = [1.5, 1.5], 5, GAP
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, APART * z]
    scan.append(data)

system = hd.CoordinateSystemNames.PATIENT
segment = hd.seg.SegmentDescription(
    1, "left ventricle", codes.SCT.AnatomicalStructure, codes.SCT.LeftVentricle, "MANUAL"
)


def segmentation(pixel_mm):
    return hd.seg.Segmentation(
        scan, np.ones((SLICES, 8, 8), np.uint8), "BINARY", [segment], generate_uid(), 2, generate_uid(), 1,
        "none", "none", "1", "1",
        pixel_measures=hd.PixelMeasuresSequence((pixel_mm, pixel_mm), APART, APART),
        plane_orientation=hd.PlaneOrientationSequence(system, [1, 0, 0, 0, 1, 0]),
        plane_positions=[hd.PlanePositionSequence(system, [0, 0, APART * z]) for z in range(SLICES)],
    )


def told(found):
    return float(found.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices)


print("highdicom", hd.__version__, "- slices", APART, "mm apart, the source says", GAP)
same, other = segmentation(1.5), segmentation(1.51)
volume = same.get_volume(combine_segments=True)
true = SLICES * 64 * 1.5**2 * APART
found = float(np.count_nonzero(volume.array) * np.prod(volume.spacing))
print("in the file where pixels are the source's:", told(same), " where they are not:", told(other))
print("volume read:", volume.shape, "slices of", round(volume.spacing[0], 3), f"mm, {found / true:.2f} of the masks'")
copied = told(same)
same.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SpacingBetweenSlices = APART
file = BytesIO()
same.save_as(file)
file.seek(0)
mended = hd.seg.segread(file).get_volume(combine_segments=True)
print("with the distance set afterwards:", mended.shape, "slices of", round(mended.spacing[0], 3), "mm")
wrong = copied == GAP and told(other) == APART and abs(found / true - 0.5) < 0.01
sys.exit(0 if wrong and mended.shape[0] == SLICES and abs(mended.spacing[0] - APART) < 1e-3 else 1)
PY
