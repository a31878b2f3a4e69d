"""The beating heart as valid DICOM of one study, and its analysis."""

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from facewarp.cardiac.cine import analyse_cine
from facewarp.cardiac.io.dicom_series import read_dicom

LPS = np.diag([-1.0, -1.0, 1.0])
STUDY = {
    "PatientName": "Doe^Jane",
    "PatientID": "ID-4711",
    "PatientBirthDate": "19700101",
    "PatientSex": "F",
    "StudyDate": "20260102",
    "StudyTime": "101112",
    "StudyID": "77",
    "AccessionNumber": "A-1",
    "ReferringPhysicianName": "",
}


def base(storage, study_uid, series_uid, frame_of_reference):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = storage, generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = storage, meta.MediaStorageSOPInstanceUID
    for name, value in STUDY.items():
        setattr(data, name, value)
    data.StudyInstanceUID, data.SeriesInstanceUID = study_uid, series_uid
    data.FrameOfReferenceUID, data.PositionReferenceIndicator = frame_of_reference, ""
    data.Modality, data.SeriesNumber, data.InstanceNumber = "MR", 5, 1
    data.SeriesDescription, data.Manufacturer = "cine_sa", "Nobody"
    data.ImageType = ["ORIGINAL", "PRIMARY", "M", "NONE"]
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    return data


def place_of(affine, z):
    x, y = (LPS @ affine[:3, axis] for axis in (0, 1))
    place = LPS @ (affine[:3, 3] + affine[:3, 2] * z)
    spacing = [round(float(np.linalg.norm(axis)), 6) for axis in (y, x)]
    axes = [*(x / np.linalg.norm(x)), *(y / np.linalg.norm(y))]
    return [round(float(n), 8) for n in axes], [round(float(n), 6) for n in place], spacing


def write_classic(folder, images, affine, step_ms=150.0):
    """(T, D, H, W) 0..1 as one file a picture."""
    folder.mkdir(parents=True)
    uids = [generate_uid() for _ in range(3)]
    for t, z in np.ndindex(images.shape[:2]):
        data = base(MRImageStorage, *uids)
        axes, place, spacing = place_of(affine, z)
        data.ImageOrientationPatient, data.ImagePositionPatient = axes, place
        data.PixelSpacing, data.SliceThickness = spacing, "8"
        data.InstanceNumber, data.TriggerTime = z * images.shape[0] + t + 1, step_ms * t
        stored = np.rint(1000 * images[t, z]).astype(np.uint16)
        data.Rows, data.Columns = stored.shape
        data.PixelData = stored.tobytes()
        data.save_as(folder / f"IM{z:02d}{t:02d}.dcm", enforce_file_format=True)
    return folder


def write_enhanced(folder, images, affine, step_ms=150.0):
    """(T, D, H, W) 0..1 as one enhanced file, a phase after the other."""
    folder.mkdir(parents=True)
    data = base(EnhancedMRImageStorage, *(generate_uid() for _ in range(3)))
    frames = []
    for t, z in np.ndindex(images.shape[:2]):
        axes, place, spacing = place_of(affine, z)
        frame, position, time = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = place
        time.NominalCardiacTriggerDelayTime = step_ms * t
        frame.PlanePositionSequence, frame.CardiacSynchronizationSequence = [position], [time]
        frames.append(frame)
    shared, plane, measures = Dataset(), Dataset(), Dataset()
    plane.ImageOrientationPatient = axes
    measures.PixelSpacing, measures.SliceThickness = spacing, "8"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [plane], [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    data.PerFrameFunctionalGroupsSequence = frames
    data.NumberOfFrames = len(frames)
    data.Rows, data.Columns = images.shape[2:]
    data.PixelData = np.rint(1000 * images).astype(np.uint16).tobytes()
    data.save_as(folder / "all.dcm", enforce_file_format=True)
    return folder


@pytest.fixture(scope="session", params=["classic", "enhanced"])
def series(request, beating, plain, oblique, tmp_path_factory):
    """A folder of a DICOM cine."""
    write = {"classic": write_classic, "enhanced": write_enhanced}[request.param]
    affine = oblique(25.0) @ plain @ beating.to_heart
    return write(tmp_path_factory.mktemp(request.param) / "scan", beating.images, affine)


@pytest.fixture(scope="session")
def dicom_result(series, knowing):
    """The analysis of the DICOM cine."""
    assert read_dicom(series).sources
    return analyse_cine(series, knowing)


@pytest.fixture(scope="session")
def result(beating, knowing, write_nifti, plain, oblique, tmp_path_factory):
    """The analysis of the same cine as NIfTI."""
    affine = oblique(25.0) @ plain @ beating.to_heart
    path = tmp_path_factory.mktemp("nifti") / "cine.nii.gz"
    return analyse_cine(write_nifti(path, beating.images, affine, time_step=0.15), knowing)
