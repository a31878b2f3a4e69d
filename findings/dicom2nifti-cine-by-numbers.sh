#!/usr/bin/env bash
# dicom2nifti of a Siemens short-axis cine, one series: the same pictures, numbered in two ways.
#
# One would guess: a file of (X, Y, Z, T) from either, since positions and trigger times tell every
# picture's place and phase; or an error; and the time step, 60 ms, or none.
# What happens: numbered slice by slice within each phase, one file comes out, whose pixdim[4] is the
# repetition time, 0.04, with no unit. Numbered phase by phase within each slice, as Siemens does,
# convert_directory returns as usual, the folder is empty and the error is but logged.
# What follows: look whether there is a file; a folder of patients loses hearts without an
# exception. Never take pixdim[4] of such files for the time from phase to phase: 25 phases of it
# make a plausible heart rate of another heart. db_name begins "?TR:" in them.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dicom2nifti==2.6.2" "pydicom==3.0.2" "nibabel==5.4.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY' 2> log
import os

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

PHASES, SLICES = 6, 4


def write(folder, phases_fastest):
    """One classic MR series, a file a picture; its numbers run through phases first, or slices."""
    os.makedirs(folder)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    for t in range(PHASES):
        for z in range(SLICES):
            meta = FileMetaDataset()
            meta.MediaStorageSOPClassUID = MRImageStorage
            meta.MediaStorageSOPInstanceUID = generate_uid()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
            data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
            data.SeriesInstanceUID, data.StudyInstanceUID = series, study
            data.FrameOfReferenceUID = frame
            data.Modality, data.Manufacturer, data.SeriesDescription = "MR", "SIEMENS", "cine_sax"
            data.PatientID = data.PatientName = "phantom"
            data.ImageType = ["ORIGINAL", "PRIMARY", "M"]
            data.SeriesNumber = data.AcquisitionNumber = 1
            data.InstanceNumber = 1 + (z * PHASES + t if phases_fastest else t * SLICES + z)
            data.TriggerTime, data.CardiacNumberOfImages = 60.0 * t, PHASES
            data.RepetitionTime, data.EchoTime = 40.0, 1.2
            data.ImagePositionPatient = [0, 0, 8.0 * z]
            data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
            data.PixelSpacing, data.SliceThickness = [1.5, 1.4], 8
            data.Rows = data.Columns = 32
            data.BitsAllocated = data.BitsStored = 16
            data.HighBit, data.PixelRepresentation, data.SamplesPerPixel = 15, 0, 1
            data.PhotometricInterpretation = "MONOCHROME2"
            picture = np.zeros((32, 32), np.uint16)
            picture[8:24, 8:24] = 100 * (z + 1) + t + 1  # says which it is
            data.PixelData = picture.tobytes()
            data.save_as(f"{folder}/IM{data.InstanceNumber:04d}.dcm", enforce_file_format=True)


import dicom2nifti
import nibabel as nib

for name, phases_fastest in (("slices", False), ("phases", True)):
    write(name, phases_fastest)
    os.makedirs(f"{name}-nifti")
    dicom2nifti.convert_directory(name, f"{name}-nifti", reorient=False)
made = {name: os.listdir(f"{name}-nifti") for name in ("slices", "phases")}
print("dicom2nifti 2.6.2, numbers through slices first:", made["slices"])
print("numbers through phases first:", made["phases"])
assert len(made["slices"]) == 1 and made["phases"] == []
image = nib.load("slices-nifti/" + made["slices"][0])
header = image.header
shown = np.asanyarray(image.dataobj)[10, 10]
assert (shown == 100 * np.arange(1, 5)[:, None] + np.arange(1, 7)).all()  # each in its place
mark = bytes(header["db_name"].tobytes()).rstrip(b"\0").decode()
print(image.shape, "pixdim[4]", float(header["pixdim"][4]), "unit", header.get_xyzt_units()[1])
print("db_name", mark)
assert abs(float(header["pixdim"][4]) - 0.04) < 1e-6 and mark.startswith("?TR:40")
PY
grep -q NOT_A_VOLUME log && echo "logged: NOT_A_VOLUME"
