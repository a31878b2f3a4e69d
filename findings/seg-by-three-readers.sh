#!/usr/bin/env bash
# A DICOM segmentation (SEG) of two parts of a heart, which do not reach the first and last slices, by three readers.
#
# One would guess: a volume of labels with the slices, millimeters and place of the scan; or a refusal.
# What happens: SimpleITK reads it without a word as a stack of the stored frames: those of both parts one after the other,
# empty ones missing, 255 for each, voxels of 1 x 1 x 1 mm. Parts of 4.6 and 23.0 ml become one of 1.5 ml. Of the type
# LABELMAP it says that no reader can open it. dcmqi and highdicom put the frames where they belong, but give only the
# slices between the first and the last that are not empty, 8 of 12, and highdicom the last slice first.
# What follows: read SEG with dcmqi or highdicom, and lay labels over the scan by their affine, never by index: slice 0
# of the labels is slice 2 or 9 here. TorchIO 1.2.1 reads DICOM through SimpleITK, with the same result.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "highdicom==0.28.2" "pydicom==3.0.2" "SimpleITK==2.5.7" "dcmqi==1.5.7" "numpy==2.4.6"
PATH="$work/venv/bin:$PATH" "$work/venv/bin/python" -W ignore - "$work" <<'PY'
import subprocess
import sys
from pathlib import Path

import highdicom as hd
import numpy as np
import SimpleITK as sitk
from highdicom.seg import SegmentDescription, Segmentation
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

WORK = Path(sys.argv[1])
SPACING, SLICES = (8.0, 1.5, 1.5), 12
STUDY, SERIES, FRAME = (generate_uid(entropy_srcs=[name]) for name in ("study", "series", "frame"))


def scan(index):
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name, value in {
        "SOPClassUID": MRImageStorage, "SOPInstanceUID": generate_uid(entropy_srcs=[str(index)]),
        "StudyInstanceUID": STUDY, "SeriesInstanceUID": SERIES, "FrameOfReferenceUID": FRAME, "Modality": "MR",
        "PatientID": "x", "PatientName": "x", "PatientBirthDate": "", "PatientSex": "", "StudyID": "1",
        "StudyDate": "", "StudyTime": "", "AccessionNumber": "", "ReferringPhysicianName": "",
        "SeriesNumber": 1, "InstanceNumber": index + 1, "ImagePositionPatient": [-20, -30, SPACING[0] * index],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "PixelSpacing": list(SPACING[1:]),
        "SliceThickness": SPACING[0], "Rows": 32, "Columns": 32, "SamplesPerPixel": 1, "BitsAllocated": 16,
        "PhotometricInterpretation": "MONOCHROME2", "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 0,
        "PixelData": bytes(2 * 32 * 32),
    }.items():
        setattr(made, name, value)
    return made


def part(number, label):
    return SegmentDescription(
        segment_number=number, segment_label=label, segmented_property_category=codes.SCT.Organ,
        segmented_property_type=codes.SCT.Heart, algorithm_type="MANUAL",
    )


def written(kind):
    path = WORK / f"{kind}.dcm"
    Segmentation(
        SCANS, LABELS, kind, [part(1, "cavity"), part(2, "right")], hd.UID(), 2, hd.UID(), 1, "x", "x", "1", "1",
    ).save_as(path)
    return path


def ml(labels, value, spacing):
    return round(int((labels == value).sum()) * float(np.prod(spacing)) / 1000, 1)


SCANS = [scan(index) for index in range(SLICES)]
LABELS = np.zeros((SLICES, 32, 32), np.uint8)
LABELS[2:4, 4:12, 4:12] = LABELS[7:9, 4:12, 4:12] = 1  # cavity, not seen in the slices between
LABELS[5:10, 16:32, 4:20] = 2
print(f"drawn       {LABELS.shape} {SPACING} mm, {ml(LABELS, 1, SPACING)} and {ml(LABELS, 2, SPACING)} ml")
path = written("BINARY")

image = sitk.ReadImage(str(path))
values = sitk.GetArrayFromImage(image)
by_itk = values.shape, image.GetSpacing()[::-1], np.unique(values).tolist(), image.GetOrigin()
print("SimpleITK   {} {} mm, values {}, origin {},".format(*by_itk), ml(values, 255, by_itk[1]), "ml")
try:
    sitk.ReadImage(str(written("LABELMAP")))
    labelmap = "read"
except RuntimeError:
    labelmap = "refused"
print("            of type LABELMAP:", labelmap)

volume = hd.seg.segread(path).get_volume(combine_segments=True)
spacing = np.linalg.norm(volume.affine[:3, :3], axis=0)
by_hd = volume.array.shape, ml(volume.array, 1, spacing), ml(volume.array, 2, spacing), volume.affine[2, 3]
print("highdicom   {}, {} and {} ml, slice 0 at z = {:.0f} mm".format(*by_hd))

command = ["segimage2itkimage", "--inputDICOM", path, "--outputDirectory", WORK, "--prefix", "q"]
subprocess.run([*command, "--outputType", "nrrd"], check=True, capture_output=True)
read = [sitk.ReadImage(str(WORK / f"q-{number}.nrrd")) for number in (1, 2)]
arrays = [sitk.GetArrayFromImage(each) for each in read]
sizes = [ml(array, number, read[0].GetSpacing()) for number, array in enumerate(arrays, 1)]
by_dcmqi = arrays[0].shape, *sizes, read[0].GetOrigin()[2]
print("dcmqi       {}, {} and {} ml, slice 0 at z = {:.0f} mm".format(*by_dcmqi))

as_told = by_itk[0] == (9, 32, 32) and by_itk[1] == (1, 1, 1) and by_itk[2] == [0, 255]
as_told = as_told and by_hd[0] == by_dcmqi[0] == (8, 32, 32) and labelmap == "refused"
sys.exit(0 if as_told and (by_hd[3], by_dcmqi[3]) == (72, 16) else 1)
PY
