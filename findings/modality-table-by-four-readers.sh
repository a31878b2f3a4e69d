#!/usr/bin/env bash
# A DICOM picture whose modality table (Modality LUT Sequence) tells what stored values mean: who follows it?
#
# One would guess: every reader that applies slope and intercept, since the standard has the table in their place.
# What happens: pydicom's apply_modality_lut follows it. SimpleITK (GDCM), nibabel's DICOM wrappers and dcm2niix return the
# stored values, without a word.
# What follows: of a table that is not a straight line gray values are of another contrast in three of four readers; one
# that falls gives a negative. MR seldom has one, secondary captures and scans of films do; where the sequence is there,
# apply it before others read the file.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pydicom==3.0.2" "SimpleITK==2.5.7" "nibabel==5.4.2" "numpy==2.4.6" "dcm2niix==1.0.20260724"
cd "$work"
PATH="$work/venv/bin:$PATH" python - <<'PY'
import subprocess
import sys
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

warnings.simplefilter("ignore")
from nibabel.nicom.dicomwrappers import wrapper_from_file  # noqa: E402 - it warns on import

stored = np.random.default_rng(0).integers(10, 900, (24, 32)).astype(np.uint16)
meaning = (np.sqrt(np.arange(1024)) * 100).astype(np.uint16)  # as a film's curve bends
table = Dataset()
table.add_new("LUTDescriptor", "US", [1024, 0, 16])
table.ModalityLUTType = "US"
table.add_new("LUTData", "OW", meaning.astype("<u2").tobytes())
meta = FileMetaDataset()
meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
meta.TransferSyntaxUID = ExplicitVRLittleEndian
data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
for name, value in {
    "SOPClassUID": SecondaryCaptureImageStorage, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "Modality": "MR",
    "ConversionType": "DF", "Manufacturer": "SIEMENS", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3",
    "SeriesNumber": 1, "InstanceNumber": 1, "ImageType": ["DERIVED", "SECONDARY"], "PixelSpacing": [1.5, 1.5],
    "SliceThickness": 8, "ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
    "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2", "Rows": 24, "Columns": 32, "BitsAllocated": 16,
    "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 0, "PixelData": stored.tobytes(), "ModalityLUTSequence": [table],
}.items():
    setattr(data, name, value)
Path("scan").mkdir()
data.save_as("scan/1.dcm", enforce_file_format=True)
subprocess.run(["dcm2niix", "-f", "out", "-o", ".", "scan"], check=True, capture_output=True)
told = pydicom.dcmread("scan/1.dcm")
found = {
    "pydicom": apply_modality_lut(told.pixel_array, told),
    "SimpleITK": sitk.GetArrayFromImage(sitk.ReadImage("scan/1.dcm")),
    "nibabel": wrapper_from_file("scan/1.dcm").get_data(),
    "dcm2niix": nib.load("out.nii").get_fdata(),
}
true, raw = np.sort(meaning[stored].ravel()), np.sort(stored.ravel())
said = {}
for reader, values in found.items():
    values = np.sort(np.asarray(values, np.float64).ravel())
    said[reader] = "by the table" if np.array_equal(values, true) else "as stored" if np.array_equal(values, raw) else "else"
    print(f"{reader:<10} values {said[reader]}, up to {values.max():g}")
sys.exit(0 if list(said.values()) == ["by the table"] + ["as stored"] * 3 else 1)
PY
