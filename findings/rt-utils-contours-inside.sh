#!/usr/bin/env bash
# The wall of a ventricle as contours of an RTSTRUCT, written by rt-utils 1.2.7.
#
# One would guess: the contours run along the edges of the mask, so that the area between them is the mask's.
# What happens: they run through the centers of the mask's outermost pixels (cv2.findContours), so every outline lies
# half a pixel too far in, seen from the part: a cavity loses half a pixel all around, a wall on both sides. At 1.5
# mm a ring 6 mm thick has 423 mm2 between its contours instead of 549 (23 % less), a ring of one pixel next to
# nothing, a single pixel a contour of one point. rt-utils itself does not notice: it fills contours with
# their outlines drawn, and reads back exactly what it wrote.
# What follows: a reader that takes contours for outlines, as the standard means them and planning systems do, gets
# smaller cavities and a mass that is a quarter too small. Masks go by SEG or NIfTI; or enlarge them first, make
# contours there and scale back.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "rt-utils==1.2.7" "pydicom==3.0.2" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - "$work" <<'PY'
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid
from rt_utils import RTStructBuilder

PIXEL_MM, SLICES = 1.5, 3
series = Path(sys.argv[1]) / "series"
series.mkdir()
study, name, frame = generate_uid(), generate_uid(), generate_uid()
for z in range(SLICES):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = MRImageStorage, meta.MediaStorageSOPInstanceUID
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = study, name, frame
    for key in ("PatientBirthDate", "PatientSex", "StudyID", "AccessionNumber", "ReferringPhysicianName"):
        setattr(data, key, "")
    data.PatientName, data.PatientID, data.StudyDate, data.StudyTime = "A", "1", "20260101", "000000"
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 1, z + 1
    data.Rows = data.Columns = 64
    data.PixelSpacing, data.SliceThickness = [PIXEL_MM, PIXEL_MM], 8
    data.ImageOrientationPatient, data.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 8 * z]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.PixelData = np.zeros((64, 64), np.uint16).tobytes()
    data.save_as(series / f"{z}.dcm", enforce_file_format=True)

y, x = np.mgrid[:64, :64]
radius = np.hypot(y - 30, x - 34)
masks = {
    "cavity": radius <= 8,
    "wall of 4 pixels": (radius <= 12) & (radius > 8),
    "wall of 1 pixel": (radius <= 9) & (radius > 8),
    "pixel": radius < 1,
}
structures = RTStructBuilder.create_new(dicom_series_path=str(series))
for title, mask in masks.items():
    structures.add_roi(mask=np.repeat(mask[..., None], SLICES, axis=2), color=[255, 0, 0], name=title)
path = str(Path(sys.argv[1]) / "contours.dcm")
structures.save(path)


def area(contour):
    points = np.asarray(contour.ContourData, dtype=float).reshape(-1, 3)
    return abs(np.dot(points[:, 0], np.roll(points[:, 1], 1)) - np.dot(points[:, 1], np.roll(points[:, 0], 1))) / 2


print("rt-utils", version("rt-utils"))
again = RTStructBuilder.create_from(dicom_series_path=str(series), rt_struct_path=path)
shares, same = {}, True
for (title, mask), roi in zip(masks.items(), pydicom.dcmread(path).ROIContourSequence, strict=True):
    sizes = sorted(area(one) for one in roi.ContourSequence if abs(one.ContourData[2]) < 1e-3)
    between = sizes[-1] - sum(sizes[:-1])
    true = float(mask.sum() * PIXEL_MM**2)
    shares[title] = between / true
    back = again.get_roi_mask_by_name(title)[..., 1] if title != "pixel" else mask
    same &= bool((back == mask).all())
    print(f"{title}: mask {true:.0f} mm2, between its contours {between:.0f} mm2 ({100 * shares[title]:.0f} %)")
print("read back by rt-utils:", "the same masks" if same else "other masks")
short = shares["cavity"] < 0.93 and 0.7 < shares["wall of 4 pixels"] < 0.85 and shares["wall of 1 pixel"] < 0.3
sys.exit(0 if same and short and shares["pixel"] == 0 else 1)
PY
