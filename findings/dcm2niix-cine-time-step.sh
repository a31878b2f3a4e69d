#!/usr/bin/env bash
# What dcm2niix writes as the time step of a cine MRI.
#
# One would guess: the step from phase to phase (the difference of TriggerTime, 80 ms here) stands in
# pixdim[4] of the 4D NIfTI, as it does for functional MRI, where TR is that step.
# What happens: pixdim[4] is DICOM's RepetitionTime (64.16 ms here), with the unit seconds.
# What follows: a heart rate computed as 60 / (pixdim[4] x phases) is wrong: here 77.9 instead of 62.5
# beats a minute, and so is cardiac output. Take the rate from the DICOM files (NominalInterval,
# HeartRate, TriggerTime), or disbelieve a step that equals RepetitionTime of the JSON file beside it.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dcm2niix==1.0.20260724" "pydicom==3.0.2" "nibabel==5.4.2"
cd "$work"; mkdir dicom nifti
"$work/venv/bin/python" - <<'PY'
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

series, study, frame = generate_uid(), generate_uid(), generate_uid()
rng = np.random.default_rng(0)
for t in range(12):
    for z in range(7):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
        data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, series, frame
        data.Modality, data.Manufacturer, data.SeriesDescription = "MR", "SIEMENS", "cine_sax"
        data.PatientName = data.PatientID = "phantom"
        data.SeriesNumber, data.AcquisitionNumber = 5, 1
        data.InstanceNumber = t * 7 + z + 1  # slices numbered fastest
        data.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
        data.RepetitionTime, data.EchoTime, data.FlipAngle = 64.16, 1.2, 50
        data.TriggerTime, data.NominalInterval = 80.0 * t, 960
        data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 10.0 * z]
        data.PixelSpacing, data.SliceThickness, data.SpacingBetweenSlices = [1.8, 1.8], 8, 10
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Rows = data.Columns = 32
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.PixelData = rng.integers(0, 4000, (32, 32)).astype(np.uint16).tobytes()
        data.save_as(f"dicom/{t:02}_{z:02}.dcm", enforce_file_format=True)
PY
"$work/venv/bin/dcm2niix" -f cine -z n -b y -o nifti dicom > log.txt
"$work/venv/bin/python" - <<'PY'
import json, sys
from pathlib import Path

import nibabel as nib

(path,) = Path("nifti").glob("*.nii")
header, told = nib.load(path).header, json.loads(path.with_suffix(".json").read_text())
step, unit = float(header["pixdim"][4]), header.get_xyzt_units()[1]
print(f"{nib.load(path).shape}: pixdim[4] = {step:g} {unit}; RepetitionTime in the JSON file "
      f"{told['RepetitionTime']:g} s; phases are 0.08 s apart")
print(f"heart rate from pixdim[4]: {60 / (step * 12):.1f} a minute; true: {60 / 0.96:.1f}")
sys.exit(0 if abs(step - 0.06416) < 1e-5 and unit == "sec" else 1)
PY
