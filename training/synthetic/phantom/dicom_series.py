"""A phantom's cine as DICOM: a classic MR series, a file a slice and phase, written by pydicom."""

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.training.synthetic.phantom.recipe import PhantomRecipe
from facewarp.training.synthetic.phantom.scan import PhantomScan
from facewarp.version import __version__

_LPS: Final = np.diag([-1.0, -1.0, 1.0])
_DATE: Final = "20200101"  # of nobody: the same seed gives the same bytes
_UID: Final = "1.2.826.0.1.3680043.8.498."  # pydicom's root
_WINDOW: Final = (500, 1000)


def write_dicom_series(
    folder: Path, recipe: PhantomRecipe, scan: PhantomScan, images: NDArray[np.int16]
) -> None:
    """Write ``IM0001.dcm`` and so on, phase after phase in each slice.

    Args:
        folder: an empty folder.
        recipe: of the phantom; UIDs follow from it.
        scan: where the slices lie.
        images: ``(T, D, H, W)``.
    """
    from pydicom.uid import generate_uid

    told = repr(sorted(recipe.to_dict().items()))
    uids = {name: str(generate_uid(prefix=_UID, entropy_srcs=[told, name]))
            for name in ("study", "series", "frame of reference")}  # fmt: skip
    for z, t in np.ndindex(images.shape[1], images.shape[0]):
        number = z * images.shape[0] + t + 1
        uid = str(generate_uid(prefix=_UID, entropy_srcs=[told, str(number)]))
        data = _dataset(recipe, scan, uids, uid, (t, z), number)
        stored = np.ascontiguousarray(images[t, z].astype(np.uint16))
        data.Rows, data.Columns = stored.shape
        data.PixelData = stored.tobytes()
        data.save_as(folder / f"IM{number:04d}.dcm", enforce_file_format=True)


def _dataset(
    recipe: PhantomRecipe,
    scan: PhantomScan,
    uids: dict[str, str],
    uid: str,
    place: tuple[int, int],
    number: int,
) -> Any:
    """Return all of a file but its pixels."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage

    t, z = place
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = MRImageStorage, UID(uid)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(_UID + "1")
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    x_mm, _, slice_mm = scan.settings.spacing_mm
    step_ms = 1000 * scan.settings.rr_s / scan.settings.phases
    affine = scan.affine
    axes = _LPS @ affine[:3, :2] / np.linalg.norm(affine[:3, :2], axis=0)
    corner = _LPS @ (affine[:3, 3] + affine[:3, 2] * z)
    for name, value in {
        "SpecificCharacterSet": "ISO_IR 192",
        "ImageType": ["DERIVED", "PRIMARY", "M", "SYNTHETIC"],
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": uid,
        "StudyDate": _DATE,
        "StudyTime": "000000",
        "AccessionNumber": "",
        "Modality": "MR",
        "Manufacturer": "facewarp",
        "ManufacturerModelName": "phantom",
        "SoftwareVersions": __version__,
        "ReferringPhysicianName": "",
        "StudyDescription": "synthetic phantom, nobody's heart",
        "SeriesDescription": "cine_sa phantom",
        "PatientName": f"Phantom^{recipe.name}",
        "PatientID": recipe.name,
        "PatientBirthDate": "",
        "PatientSex": "",
        "BodyPartExamined": "HEART",
        "ScanningSequence": "GR",
        "SequenceVariant": "SS",
        "ScanOptions": "CG",  # gated by the heart: only then a trigger time may be told
        "MRAcquisitionType": "2D",
        "SliceThickness": _decimal(slice_mm),
        "RepetitionTime": _decimal(step_ms),
        "EchoTime": "1.5",
        "EchoTrainLength": 1,
        "SpacingBetweenSlices": _decimal(slice_mm),
        "TriggerTime": _decimal(step_ms * t),
        "NominalInterval": round(1000 * scan.settings.rr_s),
        "CardiacNumberOfImages": scan.settings.phases,
        "PatientPosition": "HFS",
        "StudyInstanceUID": uids["study"],
        "SeriesInstanceUID": uids["series"],
        "StudyID": "1",
        "SeriesNumber": 1,
        "AcquisitionNumber": 1,
        "InstanceNumber": number,
        "FrameOfReferenceUID": uids["frame of reference"],
        "PositionReferenceIndicator": "",
        "ImageOrientationPatient": [_decimal(v) for v in axes.T.ravel().tolist()],
        "ImagePositionPatient": [_decimal(v) for v in corner.tolist()],
        "PixelSpacing": [_decimal(x_mm), _decimal(x_mm)],
        "DerivationDescription": "made by facewarp phantom",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "WindowCenter": str(_WINDOW[0]),
        "WindowWidth": str(_WINDOW[1]),
    }.items():
        setattr(data, name, value)
    return data


def _decimal(value: float) -> str:
    """Return a number as a decimal string of at most 16 letters."""
    return f"{value:.9g}"[:16]
