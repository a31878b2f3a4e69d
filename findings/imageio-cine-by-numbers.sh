#!/usr/bin/env bash
# imageio.v2.volread of a folder that holds a short-axis cine as one DICOM series.
#
# One would guess: an array of (T, Z, Y, X), or an error, since every place is there six times; and
# the distance of slices, 8 mm, in meta.sampling.
# What happens: it hangs on the numbers of the files. Numbered phase by phase within each slice, as
# Siemens does, all 24 pictures become one "volume" of 24 slices, which lie 1.04 mm apart by
# meta.sampling (the mean of 0 and 8). Numbered slice by slice within each phase, the series is cut
# into six, and volread gives the first phase alone, as if it were all.
# What follows: a volume of voxels is right by neither way of counting. Sort pictures by
# ImagePositionPatient and TriggerTime, or use mvolread and look how many there are.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "imageio==2.38.1" "pydicom==3.0.2" "numpy==2.4.6"
cd "$work"
"$work/venv/bin/python" - <<'PY' 2> log
import contextlib
import io
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


import imageio.v2 as imageio

for name, phases_fastest in (("phases", True), ("slices", False)):
    write(name, phases_fastest)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        volume = imageio.volread(name, "DICOM")
        count = len(imageio.mvolread(name, "DICOM"))
    sampling = tuple(round(float(s), 2) for s in volume.meta["sampling"])
    shown = [int(picture[10, 10]) for picture in volume]
    print(f"numbers through {name} first: {volume.shape}, sampling {sampling}, {count} volumes")
    print("  pictures (100 slice + phase)", shown[:8])
    if phases_fastest:
        assert volume.shape == (24, 32, 32) and sampling == (1.04, 1.5, 1.4) and count == 1
        assert shown[:7] == [101, 102, 103, 104, 105, 106, 201]
    else:
        assert volume.shape == (4, 32, 32) and sampling == (8.0, 1.5, 1.4) and count == 6
        assert shown == [101, 201, 301, 401]
PY
