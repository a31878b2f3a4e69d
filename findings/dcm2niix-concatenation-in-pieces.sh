#!/usr/bin/env bash
# A cine in one enhanced MR object that is cut into three files (a concatenation): what does dcm2niix make of them?
#
# One would guess: one file of all slices and phases, as of the same object in one file, or an error.
# What happens: of one file it makes 11 slices of 10 phases. Of three, as Siemens' scanners (XA) cut them, it makes two files of
# 3 or 4 slices, and of the other slices one volume for each phase, named "imaginary", "real" and "phase" though all are
# magnitudes (and 0 in every voxel where the folder lists the files in another order). It ends with 0. No line tells of pieces.
# What follows: a script that takes the first .nii, or all that are not named after phase, measures a part of the heart. Read
# the DICOM files themselves (facewarp joins them by their frame offsets, and refuses a set that is not whole), or
# have the scanner send one object.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pydicom==3.0.2" "nibabel==5.4.2" "numpy==2.4.6" "dcm2niix==1.0.20260724"
cd "$work"
PATH="$work/venv/bin:$PATH" python - <<'PY'
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

SLICES, PHASES, PX = 11, 10, 32
rng = np.random.default_rng(0)
pictures = rng.integers(100, 900, (SLICES, PHASES, PX, PX)).astype(np.uint16)
places = [(z, t) for z in range(SLICES) for t in range(PHASES)]
source, concatenation, series, organization = (generate_uid() for _ in range(4))


def item(**values):
    made = Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return [made]


def frame(z, t):
    when = f"20200101{100000 + z:06}.{int(80000 * t):06}"
    made = Dataset()
    made.PlanePositionSequence = item(ImagePositionPatient=[0, 0, 9.0 * z])
    made.FrameContentSequence = item(
        StackID="1", InStackPositionNumber=z + 1, TemporalPositionIndex=t + 1, DimensionIndexValues=[1, z + 1, t + 1],
        FrameAcquisitionNumber=1, FrameAcquisitionDateTime=when, FrameReferenceDateTime=when, FrameAcquisitionDuration=40.0,
    )
    made.CardiacSynchronizationSequence = item(
        NominalCardiacTriggerDelayTime=80.0 * t, RRIntervalTimeNominal=800.0, CardiacRRIntervalSpecified=800.0
    )
    made.MRImageFrameTypeSequence = item(
        FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"], PixelPresentation="MONOCHROME", VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE", ComplexImageComponent="MAGNITUDE", AcquisitionContrast="T1",
    )
    made.PixelValueTransformationSequence = item(RescaleSlope=1.0, RescaleIntercept=0.0, RescaleType="US")
    made.MREchoSequence = item(EffectiveEchoTime=1.5)
    made.MRTimingAndRelatedParametersSequence = item(RepetitionTime=40.0, FlipAngle=60.0)
    return made


def write(path, first, last, piece, total):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = EnhancedMRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    shared = Dataset()
    shared.PixelMeasuresSequence = item(PixelSpacing=[1.5, 1.5], SliceThickness=8.0, SpacingBetweenSlices=9.0)
    shared.PlaneOrientationSequence = item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])
    told = {
        "SOPClassUID": EnhancedMRImageStorage, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "Modality": "MR",
        "Manufacturer": "Siemens Healthineers", "StudyInstanceUID": "1.2", "SeriesInstanceUID": series, "SeriesNumber": 5,
        "InstanceNumber": piece, "AcquisitionNumber": 1, "ImageType": ["ORIGINAL", "PRIMARY", "M", "NONE"],
        "PatientPosition": "HFS", "ProtocolName": "cine_sa", "SeriesDescription": "cine_sa", "PixelPresentation": "MONOCHROME",
        "ComplexImageComponent": "MAGNITUDE", "AcquisitionContrast": "T1", "VolumetricProperties": "VOLUME",
        "AcquisitionDateTime": "20200101100000", "ContentDate": "20200101", "ContentTime": "100000",
        "DimensionOrganizationSequence": item(DimensionOrganizationUID=organization),
        "DimensionIndexSequence": [
            item(DimensionOrganizationUID=organization, DimensionIndexPointer=tag, FunctionalGroupPointer=0x00209111)[0]
            for tag in (0x00209056, 0x00209057, 0x00209128)
        ],
        "SharedFunctionalGroupsSequence": [shared],
        "PerFrameFunctionalGroupsSequence": [frame(z, t) for z, t in places[first:last]], "NumberOfFrames": last - first,
        "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": PX, "Columns": PX, "BitsAllocated": 16,
        "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0,
        "PixelData": pictures.reshape(-1, PX, PX)[first:last].tobytes(),
    }
    if total > 1:
        told |= {
            "ConcatenationUID": concatenation, "InConcatenationNumber": piece, "InConcatenationTotalNumber": total,
            "ConcatenationFrameOffsetNumber": first, "SOPInstanceUIDOfConcatenationSource": source,
        }
    for name, value in told.items():
        setattr(data, name, value)
    path.parent.mkdir(exist_ok=True)
    data.save_as(path, enforce_file_format=True)


def converted(name, cuts):
    """Exit status of dcm2niix, and names and shapes of what it makes, and which hold nothing but 0."""
    for piece, (first, last) in enumerate(zip(cuts, cuts[1:]), start=1):
        write(Path(name) / f"{piece}.dcm", first, last, piece, len(cuts) - 1)
    out = Path(f"{name}-out")
    out.mkdir()
    done = subprocess.run(["dcm2niix", "-f", "%s", "-o", out, name], capture_output=True, text=True)
    found = [(path.name, nib.load(path)) for path in sorted(out.glob("*.nii"))]
    shown = [(file, image.shape, bool((np.asarray(image.dataobj) == 0).all())) for file, image in found]
    for file, shape, empty in shown:
        print(f"{name}: {file}, {' x '.join(map(str, shape))}" + (", all 0" if empty else ""))
    return done.returncode, shown


whole = converted("one file", [0, 110])
pieces = converted("three files", [0, 40, 80, 110])
odd = [file for file, _, _ in pieces[1] if "imaginary" in file or "real" in file]
most = max(shape[2] for _, shape, _ in pieces[1])
print(f"of {SLICES} slices {most} are in one file, {len(odd)} files of magnitudes are named imaginary or real")
same = [shape for _, shape, _ in whole[1]] == [(PX, PX, 11, 10)] and whole[0] == pieces[0] == 0
sys.exit(0 if same and most == 4 and len(odd) == PHASES else 1)
PY
