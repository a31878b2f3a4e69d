#!/usr/bin/env bash
# A classic MR picture that tells a rescale slope and no intercept, or an intercept and no slope: which gray values?
#
# One would guess: those that are told, the other one being 1 or 0, in every reader.
# What happens: pydicom's apply_rescale and apply_modality_lut return the stored values, unless both attributes are there,
# and say nothing. SimpleITK (GDCM), nibabel's DICOM wrappers and dcm2niix apply the one that is told.
# What follows: a stack whose pictures have slopes of their own (Philips), from which a program has dropped intercepts of
# 0, has slices of different brightness with pydicom, and right ones elsewhere. Take slope and intercept by yourself, with
# 1 and 0 where one is absent.
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
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut, apply_rescale
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

warnings.simplefilter("ignore")
from nibabel.nicom.dicomwrappers import wrapper_from_file  # noqa: E402 - it warns on import

STORED = np.random.default_rng(0).integers(10, 900, (24, 32)).astype(np.uint16)


def picture(folder, **scaling):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    for name, value in {
        "SOPClassUID": MRImageStorage, "SOPInstanceUID": meta.MediaStorageSOPInstanceUID, "Modality": "MR",
        "Manufacturer": "SIEMENS", "StudyInstanceUID": "1.2", "SeriesInstanceUID": "1.2.3", "SeriesNumber": 1,
        "InstanceNumber": 1, "ImageType": ["ORIGINAL", "PRIMARY", "M"], "PixelSpacing": [1.5, 1.5], "SliceThickness": 8,
        "ImagePositionPatient": [0, 0, 0], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0], "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2", "Rows": 24, "Columns": 32, "BitsAllocated": 16, "BitsStored": 16,
        "HighBit": 15, "PixelRepresentation": 0, "PixelData": STORED.tobytes(), **scaling,
    }.items():
        setattr(data, name, value)
    folder.mkdir()
    data.save_as(folder / "1.dcm", enforce_file_format=True)
    return folder / "1.dcm"


def scaling_of(values):
    """Slope and intercept by which values follow from those stored, whatever way rows and columns run."""
    slope, intercept = np.polyfit(np.sort(STORED.ravel()), np.sort(np.asarray(values, np.float64).ravel()), 1)
    return round(float(slope), 3) + 0.0, round(float(intercept), 1) + 0.0


def converted(path):
    name = f"{path.parent.name}-out"
    subprocess.run(["dcm2niix", "-f", name, "-o", ".", str(path.parent)], check=True, capture_output=True)
    return nib.load(f"{name}.nii").get_fdata()


found = {}
for name, told in {"slope alone": {"RescaleSlope": "2.5"}, "intercept alone": {"RescaleIntercept": "100"}}.items():
    path = picture(Path(name.replace(" ", "-")), **told)
    data = pydicom.dcmread(path)
    found[name] = {
        "pydicom apply_rescale": scaling_of(apply_rescale(data.pixel_array, data)),
        "pydicom apply_modality_lut": scaling_of(apply_modality_lut(data.pixel_array, data)),
        "SimpleITK": scaling_of(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))),
        "nibabel": scaling_of(wrapper_from_file(path).get_data()),
        "dcm2niix": scaling_of(converted(path)),
    }
    for reader, (slope, intercept) in found[name].items():
        print(f"{name}: {reader:<27}stored x {slope:g} + {intercept:g}")
same = all(
    one[reader] == ((1.0, 0.0) if reader.startswith("pydicom") else true)
    for one, true in zip(found.values(), ((2.5, 0.0), (1.0, 100.0)), strict=True)
    for reader in one
)
sys.exit(0 if same else 1)
PY
