#!/usr/bin/env bash
# highdicom's Segmentation and a cine (0.28.2).
#
# One would guess: (1) labels of a cine, slices times phases, become one segmentation object, since
# the source is one enhanced MR file that holds all phases; (2) a segmentation of one phase, made
# with plane positions of that phase, names the frames of that phase as its sources.
# What happens: (1) ValueError, plane positions must not contain duplicates, as there is no time
# axis; (2) it works, but every mask names the frames of ALL phases that lie in its place as what
# it was derived from.
# What follows: write one object a phase, and drop the references to other phases yourself.
set -euo pipefail
here=$(mktemp -d); trap 'rm -rf "$here"' EXIT
python3 -m venv "$here/venv"
"$here/venv/bin/pip" install -q highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
"$here/venv/bin/python" - <<'PY'
import sys

import highdicom as hd
import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

print("highdicom", hd.__version__, "pydicom", pydicom.__version__)
PHASES, SLICES = 3, 4
meta = FileMetaDataset()
meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
meta.MediaStorageSOPInstanceUID = generate_uid()
meta.TransferSyntaxUID = ExplicitVRLittleEndian
cine = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
cine.SOPClassUID, cine.SOPInstanceUID = EnhancedMRImageStorage, meta.MediaStorageSOPInstanceUID
for name in ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate",
             "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"):
    setattr(cine, name, "")
cine.StudyInstanceUID, cine.SeriesInstanceUID = generate_uid(), generate_uid()
cine.FrameOfReferenceUID, cine.PositionReferenceIndicator = generate_uid(), ""
cine.Modality, cine.SeriesNumber, cine.InstanceNumber = "MR", 1, 1
cine.Rows = cine.Columns = 8
cine.NumberOfFrames = PHASES * SLICES
cine.SamplesPerPixel, cine.PhotometricInterpretation = 1, "MONOCHROME2"
cine.BitsAllocated, cine.BitsStored, cine.HighBit, cine.PixelRepresentation = 16, 12, 11, 0
cine.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
shared, plane, measures = Dataset(), Dataset(), Dataset()
plane.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
measures.PixelSpacing, measures.SliceThickness = [1.5, 1.5], 8
shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
cine.SharedFunctionalGroupsSequence = [shared]
frames = []
for phase in range(PHASES):
    for z in range(SLICES):
        frame, place, time = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [0, 0, 8 * z]
        time.NominalCardiacTriggerDelayTime = 50.0 * phase
        frame.PlanePositionSequence, frame.CardiacSynchronizationSequence = [place], [time]
        frames.append(frame)
cine.PerFrameFunctionalGroupsSequence = frames

segment = hd.seg.SegmentDescription(
    1, "left ventricle", codes.SCT.AnatomicalStructure, codes.SCT.LeftVentricle, "MANUAL"
)


def segmentation(phases):
    system = hd.CoordinateSystemNames.PATIENT
    places = [hd.PlanePositionSequence(system, [0, 0, 8 * z]) for _ in phases for z in range(SLICES)]
    return hd.seg.Segmentation(
        [cine], np.ones((len(places), 8, 8), np.uint8), "BINARY", [segment],
        generate_uid(), 2, generate_uid(), 1, "none", "none", "1", "1",
        pixel_measures=hd.PixelMeasuresSequence((1.5, 1.5), 8, 8),
        plane_orientation=hd.PlaneOrientationSequence(system, [1, 0, 0, 0, 1, 0]),
        plane_positions=places,
    )


refused = ""
try:
    segmentation(range(PHASES))
except ValueError as error:
    refused = str(error)
print("all phases in one object:", refused or "accepted")
one = segmentation([1])
sources = one.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
numbers = [int(source.ReferencedFrameNumber) for source in sources]
print("frames that the first mask of phase 2 names as its sources:", numbers)
every_phase = len(numbers) == PHASES and len({number % SLICES for number in numbers}) == 1
sys.exit(0 if "duplicates" in refused and every_phase else 1)
PY
