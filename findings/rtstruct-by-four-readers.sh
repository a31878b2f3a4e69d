#!/usr/bin/env bash
# One RTSTRUCT, a ventricle's cavity and its wall, made into masks by four readers.
#
# One would guess: contours are in millimeters and have hundreds of points, so masks differ by a pixel here and there, and
# areas by little. The wall lies between two contours, or is one contour with a bridge ("keyhole"), as DICOM describes it.
# What happens: cavity 1257 mm2 (radius 20 mm, pixels of 1.5 mm), wall 1206 mm2. dcmrtstruct2nii is right in all three.
# plastimatch is right in cavity and keyhole, and fills the wall of two contours: 2464 mm2, cavity included. rt-utils
# and platipy round the contour's points to whole pixels first, and then take in the outline, on both sides of a wall:
# cavity 1368 (+ 9 %), keyhole 1467 (+ 22 %); with two contours platipy says 1249, rt-utils 1467.
# What follows: myocardial mass out of one file is 1206, 1249, 1467 or 2464 by the program, and none says a word. Ask
# plastimatch for --xor-contours. Tell which reader made a reference from contours.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pydicom==2.4.4" "rt-utils==1.2.7" "dcmrtstruct2nii==5" "plastimatch==1.10.0" \
    "SimpleITK==2.5.7" "scikit-image==0.26.0"
"$work/venv/bin/pip" install -q --no-deps "platipy==0.7.2"
PATH="$work/venv/bin:$PATH" "$work/venv/bin/python" -W ignore - "$work" <<'PY'
import contextlib
import io
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from dcmrtstruct2nii import dcmrtstruct2nii
from platipy.dicom.io.rtstruct_to_nifti import convert_rtstruct
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid
from rt_utils import RTStructBuilder

WORK = Path(sys.argv[1])
SIDE, PIXEL, SLICE, MIDDLE = 64, 1.5, 8.0, (46.3, 47.1)
INNER, OUTER = 20.0, 28.0
STUDY, SERIES, FRAME = (generate_uid(entropy_srcs=[name]) for name in ("study", "series", "frame"))
IMAGES, STRUCTURES = WORK / "images", WORK / "structures.dcm"


def dataset(**elements):
    made = Dataset()
    for name, value in elements.items():
        setattr(made, name, value)
    return made


def file(path, sop_class, uid, **elements):
    made = dataset(
        SOPClassUID=sop_class, SOPInstanceUID=uid, StudyInstanceUID=STUDY, FrameOfReferenceUID=FRAME,
        PatientID="x", PatientName="x", StudyID="1", StudyDate="", StudyTime="", AccessionNumber="",
        PatientBirthDate="", PatientSex="", ReferringPhysicianName="", **elements,
    )
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = sop_class
    made.file_meta.MediaStorageSOPInstanceUID = uid
    made.is_little_endian, made.is_implicit_VR = True, False
    made.save_as(path, write_like_original=False)


def images():
    IMAGES.mkdir()
    uids = [generate_uid(entropy_srcs=[f"slice {index}"]) for index in range(3)]
    for index, uid in enumerate(uids):
        file(
            IMAGES / f"{index}.dcm", CTImageStorage, uid, SeriesInstanceUID=SERIES, Modality="CT",
            SeriesNumber=1, InstanceNumber=index + 1, ImagePositionPatient=[0, 0, SLICE * index],
            ImageOrientationPatient=[1, 0, 0, 0, 1, 0], PixelSpacing=[PIXEL, PIXEL], SliceThickness=SLICE,
            Rows=SIDE, Columns=SIDE, SamplesPerPixel=1, PhotometricInterpretation="MONOCHROME2",
            BitsAllocated=16, BitsStored=12, HighBit=11, PixelRepresentation=0, RescaleSlope=1,
            RescaleIntercept=0, PixelData=bytes(2 * SIDE * SIDE),
        )
    return uids


def circle(radius):
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    x, y = (middle + radius * way(angle) for middle, way in zip(MIDDLE, (np.cos, np.sin)))
    return np.stack([x, y, np.full(360, SLICE)], axis=1)


def keyhole():
    outer, inner = circle(OUTER), np.roll(circle(INNER)[::-1], 1, axis=0)
    return np.concatenate([outer, outer[:1], inner, inner[:1]])


def structures(uids, parts):
    named = [dataset(ReferencedSOPClassUID=CTImageStorage, ReferencedSOPInstanceUID=uid) for uid in uids]
    series = dataset(SeriesInstanceUID=SERIES, ContourImageSequence=named)
    study = dataset(
        ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=STUDY,
        RTReferencedSeriesSequence=[series],
    )
    frame = dataset(FrameOfReferenceUID=FRAME, RTReferencedStudySequence=[study])
    rois, contours, observed = [], [], []
    for number, (name, lines) in enumerate(parts.items(), 1):
        rois.append(dataset(
            ROINumber=number, ROIName=name, ReferencedFrameOfReferenceUID=FRAME, ROIGenerationAlgorithm="",
        ))
        contours.append(dataset(
            ROIDisplayColor=[255, 0, 0], ReferencedROINumber=number, ContourSequence=[dataset(
                ContourImageSequence=[named[1]], ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(line), ContourData=[f"{value:.4f}" for value in line.ravel()],
            ) for line in lines],
        ))
        observed.append(dataset(
            ObservationNumber=number, ReferencedROINumber=number, RTROIInterpretedType="ORGAN", ROIInterpreter="",
        ))
    file(
        STRUCTURES, RTStructureSetStorage, generate_uid(entropy_srcs=["rt"]), Modality="RTSTRUCT", SeriesNumber=2,
        SeriesInstanceUID=generate_uid(entropy_srcs=["rt series"]), InstanceNumber=1, StructureSetLabel="heart",
        ReferencedFrameOfReferenceSequence=[frame], StructureSetROISequence=rois, ROIContourSequence=contours,
        RTROIObservationsSequence=observed,
    )


def of_files(folder, pattern):
    read = {part: sitk.ReadImage(str(folder / pattern.format(part))) for part in PARTS}
    return {part: sitk.GetArrayFromImage(image)[1] > 0 for part, image in read.items()}


PARTS = {"cavity": [circle(INNER)], "wall": [circle(OUTER), circle(INNER)], "keyhole": [keyhole()]}
logging.disable(logging.CRITICAL)
structures(images(), PARTS)
masks = {}
with contextlib.redirect_stdout(io.StringIO()):
    read = RTStructBuilder.create_from(str(IMAGES), str(STRUCTURES))
    masks["rt-utils"] = {part: read.get_roi_mask_by_name(part)[..., 1] for part in PARTS}
    dcmrtstruct2nii(str(STRUCTURES), str(IMAGES), str(WORK / "one"))
    masks["dcmrtstruct2nii"] = of_files(WORK / "one", "mask_{}.nii.gz")
    (WORK / "two").mkdir()
    convert_rtstruct(str(IMAGES), str(STRUCTURES), output_dir=str(WORK / "two"))
    masks["platipy"] = of_files(WORK / "two", "Struct_{}.nii.gz")
for name, more in (("plastimatch", []), ("plastimatch, xor", ["--xor-contours"])):
    folder = WORK / name
    subprocess.run(
        ["plastimatch", "convert", "--input", str(STRUCTURES), "--referenced-ct", str(IMAGES), *more,
         "--output-prefix", str(folder), "--prefix-format", "nii.gz"], check=True, capture_output=True,
    )
    masks[name] = of_files(folder, "{}.nii.gz")
area, wall = np.pi * INNER**2, np.pi * (OUTER**2 - INNER**2)
print(f"{'drawn, mm2':17} cavity {area:.0f}, wall of two contours and keyhole {wall:.0f}")
found = {}
for name, parts in masks.items():
    found[name] = [round(float(mask.sum()) * PIXEL**2) for mask in parts.values()]
    print(f"{name:17} cavity {found[name][0]}, wall of two contours {found[name][1]}, keyhole {found[name][2]}")
as_told = found == {
    "rt-utils": [1368, 1467, 1467], "dcmrtstruct2nii": [1258, 1206, 1206], "platipy": [1368, 1249, 1467],
    "plastimatch": [1258, 2464, 1206], "plastimatch, xor": [1258, 1206, 1206],
}
sys.exit(0 if as_told else 1)
PY
