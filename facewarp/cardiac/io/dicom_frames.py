"""The single pictures in DICOM files, classic and enhanced alike, and where and when they are.

What identifies the patient is not read for it: not the name, number, dates, nor the institution.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.slices.acquisition import Piece, refuse_missing_pieces
from facewarp.cardiac.io.slices.dicom_pixels import (
    OverflowingPixelsError,
    has_table,
    stored_values,
)
from facewarp.cardiac.io.slices.dicom_tags import (
    DAMAGE,
    PrivateTag,
    check_groups,
    frame_value,
    modality_word,
    naming,
    number,
    numbers,
    private_number,
    rescaling,
    seconds_of_day,
    tag_value,
    title,
    whole,
)
from facewarp.cardiac.io.slices.slice_image import SliceImage, component_in
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

_CINE_MODALITY: Final = "MR"
_PALETTE: Final = "PALETTE"  # of colors, which pixels are the numbers of
_MOSAIC: Final = "MOSAIC"  # Siemens: all slices of a moment as tiles of one picture
#: MR Image Storage; enhanced; enhanced, converted from classic files.
_MR_CLASSES: Final = {f"1.2.840.10008.5.1.4.1.1.4{kind}" for kind in ("", ".1", ".4")}
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_PHASE_NUMBER: Final = PrivateTag(0x2001, 0x1008, "Philips Imaging DD 001")
#: Of the scanner's own values, and the sequence that holds it in enhanced files.
_PRECISE_SLOPE: Final = PrivateTag(0x2005, 0x100E, "Philips MR Imaging DD 001")
_PRECISE_GROUP: Final = PrivateTag(0x2005, 0x140F, "Philips MR Imaging DD 005")
#: 0 magnitude, 1 phase, 2 real, 3 imaginary.
_COMPLEX_PART: Final = PrivateTag(0x0043, 0x102F, "GEMS_PARM_01")
_GEOMETRY: Final = (
    ("PixelMeasuresSequence", "PixelSpacing", 2, "pixel spacing"),
    ("PlaneOrientationSequence", "ImageOrientationPatient", 6, "orientation"),
    ("PlanePositionSequence", "ImagePositionPatient", 3, "position"),
)
_UNTRUE: Final = 0.01  # by which directions may miss length 1 and right angles
_PARTS: Final = {"magnitude", "phase", "real", "imaginary", "mixed"}
_TEMPORAL_POINTERS: Final = (
    *(0x00209128, 0x00200100, 0x00209153, 0x00181060, 0x00209252),  # positions and trigger times
    *(0x0020930D, 0x00209241, 0x00189074, 0x00189151),  # offsets, shares of the beat, clock times
)
_TEMPORAL_VALUES: Final = (
    ("TemporalPositionSequence", "TemporalPositionTimeOffset"),
    ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
)

_IDENTITY: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyInstanceUID",
)


@dataclass(frozen=True)
class FoundImages:
    """The pictures of some files.

    Attributes:
        images: those that may belong to a cine.
        left_out: how many others there are, by what they are.
    """

    images: tuple[SliceImage, ...]
    left_out: Mapping[str, int]

    @property
    def warnings(self) -> list[str]:
        """A sentence about what was left out."""
        if not self.left_out:
            return []
        said = "; ".join(
            f"{what}, {'once' if count == 1 else f'{count} times'}"
            for what, count in self.left_out.items()
        )
        return [f"pictures that are no MR slices are left out: {said}"]


def read_images(files: Sequence[Path]) -> FoundImages:
    """Find the pictures of some files, without reading their pixels.

    Files that hold no picture by their kind (reports, plans, presentation states) are passed over;
    pictures of another modality, coloured ones and screenshots are left out, and counted.

    Raises:
        FacewarpError: a file is damaged or cut off, does not say where its pictures lie, or all
            pictures are of another kind, or a file of several that hold one object is missing.
    """
    found: list[SliceImage] = []
    pieces: list[Piece] = []
    left_out: dict[str, int] = {}
    refused: FacewarpError | None = None
    for path in files:
        data = read_header(path)
        if "Rows" not in data or "Columns" not in data:
            _refuse_cut_off(data, path)
            continue
        with naming(path):
            kind = _foreign(data)
            found += _images_of(data, path) if kind is None else ()
            if kind is None and (concatenation := str(tag_value(data, "ConcatenationUID") or "")):
                pieces.append(_piece(data, path, concatenation))
        if kind is not None:
            what, fix = kind
            left_out[what] = left_out.get(what, 0) + 1
            refused = refused or FacewarpError(f"this is {what}", path, fix)
    if not found and refused is not None:
        raise refused
    refuse_missing_pieces(pieces)
    return FoundImages(tuple(found), left_out)


def _refuse_cut_off(data: Any, path: Path) -> None:
    """Refuse a file that ends before its picture: else its slice would be missing without a word.

    A file cut off between two attributes of its header reads as a whole one.
    """
    from pydicom.uid import UID

    told = data.get("SOPClassUID"), data.file_meta.get("MediaStorageSOPClassUID")
    kinds = [UID(str(uid or "")).name for uid in told]
    if any(kind.endswith("Image Storage") for kind in kinds) or told[0] is None:
        what = "the file holds no picture, though it is of a kind that has one: it is cut off"
        raise FacewarpError(what, path, "Copy or export it again.")


def identity_of(file: Path) -> dict[str, str]:
    """Whose picture it is and of which study, as its header tells; read only when asked for."""
    data = read_header(file, specific_tags=list(_IDENTITY))
    with naming(file):
        told = {name: tag_value(data, name) for name in _IDENTITY}
        return {name: str(value) for name, value in told.items() if value is not None}


def read_header(path: Path, **options: Any) -> Any:
    """Return a file's data set without its pixels.

    Raises:
        FacewarpError: it is damaged, or no DICOM.
    """
    return _read(path, stop_before_pixels=True, **options)


def read_whole(path: Path) -> Any:
    """Return a file's data set with its pixels, and a transfer syntax where the file tells none.

    Raises:
        FacewarpError: it is damaged, or no DICOM.
    """
    return _read(path)


def _read(path: Path, **options: Any) -> Any:
    import pydicom
    from pydicom.errors import BytesLengthException, InvalidDicomError
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")  # they quote values
            data = pydicom.dcmread(path, force=True, **options)
        known = "Rows" in data or "SOPClassUID" in data or "StudyInstanceUID" in data
    except (BytesLengthException, InvalidDicomError, *DAMAGE) as error:
        what = "the file is damaged or not DICOM"
        raise FacewarpError(what, path, "Copy or export it again.") from error
    if not known and not options.get("specific_tags"):
        raise FacewarpError("the file is damaged or not DICOM", path, "Copy or export it again.")
    if "TransferSyntaxUID" not in data.file_meta:
        implicit, little = data.original_encoding
        explicit = ExplicitVRLittleEndian if little is not False else ExplicitVRBigEndian
        data.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return data


def read_pixels(path: Path) -> NDArray[np.float32]:
    """Return the grey values of a file's pictures after its scaling, ``(frames, H, W)``.

    Raises:
        FacewarpError: they are compressed in a way that nothing here can read, or are cut short.
    """
    data = read_whole(path)
    with naming(path):
        count = whole(data, "NumberOfFrames", 1) or 1
        scaling = [] if has_table(data) else [rescaling(data, frame) for frame in range(count)]
        syntax = data.file_meta.TransferSyntaxUID
        name = syntax.name if syntax.is_transfer_syntax else None
    if name is None:
        raise FacewarpError("the transfer syntax is unknown", path, "Copy or export it again.")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            stored = stored_values(data)
        values = np.asarray(stored, dtype=np.float32).reshape(count, *stored.shape[-2:])
    except OverflowingPixelsError as error:
        what = f"the pixels do not fit the header: {error}"
        raise FacewarpError(
            what, path, "Correct BitsStored and HighBit, or export it again."
        ) from error
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        if not syntax.is_compressed:
            raise _cut(path) from error
        what = f"the pixels are compressed ({name}), which nothing installed can read"
        fix = f"Install decoders: {install_command(packages=['pylibjpeg[all]'])}"
        raise FacewarpError(what, path, fix) from error
    except MemoryError:
        raise
    except Exception as error:
        raise _cut(path) from error
    for frame, (slope, intercept) in enumerate(scaling):
        values[frame] = values[frame] * slope + intercept
    return values


def _cut(path: Path) -> FacewarpError:
    return FacewarpError("the pixels are cut short or damaged", path, "Copy or export it again.")


def _foreign(data: Any) -> tuple[str, str] | None:
    """Return what a file's picture is if it can be no slice of a cine, and what to do."""
    modality = str(tag_value(data, "Modality") or "")
    if not modality and str(tag_value(data, "SOPClassUID") or "") in _MR_CLASSES:
        modality = _CINE_MODALITY
    if modality != _CINE_MODALITY:
        what = f"a picture of modality {modality_word(modality)}"
        what = what if modality else "a picture that tells no modality, nor that it is MR"
        return what, "Give a folder of one MR cine series."
    palette = str(tag_value(data, "PhotometricInterpretation") or "").startswith(_PALETTE)
    if palette or whole(data, "SamplesPerPixel", 1) > 1:
        return "a picture in colour", "Give the series of grey values."
    if str(tag_value(data, "SOPClassUID") or "").startswith(_SECONDARY_CAPTURE):
        return "a secondary capture", "Give the series that the scanner made."
    if _MOSAIC in [str(kind).upper() for kind in tag_value(data, "ImageType") or ()]:
        return "a mosaic of slices", "Give a cine that has a picture a slice."
    return None


def _images_of(data: Any, path: Path) -> Iterator[SliceImage]:
    """Return the pictures of one file."""
    frames = whole(data, "NumberOfFrames", 1) or 1
    check_groups(data, frames)
    if frames > 1 and "PerFrameFunctionalGroupsSequence" not in data:
        what = f"the file holds {frames} pictures and does not say where each lies"
        raise FacewarpError(what, path, "Export it as enhanced MR, or as single pictures.")
    for frame in range(frames):
        yield _image(data, path, frame)


def _image(data: Any, path: Path, frame: int) -> SliceImage:
    geometry: list[list[float]] = []
    for group, keyword, count, name in _GEOMETRY:
        told = numbers(frame_value(data, frame, group, keyword), keyword, count)
        if told is None:
            what = f"the picture does not tell its {name}"
            raise FacewarpError(what, path, "Export the series again, with its geometry.")
        geometry.append(told)
    (between_rows, between_columns), axes, place = geometry
    directions = np.array(axes).reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1)
    across = abs(float(directions[0] @ directions[1]))
    if min(between_rows, between_columns) <= 0 or max(*np.abs(lengths - 1), across) > _UNTRUE:
        what = "its pixel spacing or orientation cannot be true"
        raise FacewarpError(what, path, "Export the series again.")
    thickness = frame_value(data, frame, "PixelMeasuresSequence", "SliceThickness")
    gap = frame_value(data, frame, "PixelMeasuresSequence", "SpacingBetweenSlices")
    slope = frame_value(data, frame, "PixelValueTransformationSequence", "RescaleSlope")
    return SliceImage(
        path,
        frame,
        (whole(data, "Rows"), whole(data, "Columns")),
        (between_columns, between_rows),
        directions / lengths[:, None],  # cosines are written with few digits
        np.array(place),
        series=str(tag_value(data, "SeriesInstanceUID") or ""),
        series_number=int(number(tag_value(data, "SeriesNumber")) or 0),
        title=title(data, "SeriesDescription", "ProtocolName"),
        study=str(tag_value(data, "StudyInstanceUID") or ""),
        patient=str(tag_value(data, "PatientID") or "").strip(),
        component=_component(data, frame),
        acquisition=int(number(tag_value(data, "AcquisitionNumber")) or 0),
        uid=str(tag_value(data, "SOPInstanceUID") or ""),
        trigger_ms=_trigger_ms(data, frame),
        temporal=_temporal(data, frame),
        acquired_s=_acquired_s(data, frame),
        number=_number(data, frame),
        thickness_mm=number(thickness),
        gap_mm=number(gap),
        cycles_s=_cycles_s(data, frame),
        slope=number(slope),
        precise=_precise(data, frame, number(slope)),
        told_phases=int(number(tag_value(data, "CardiacNumberOfImages")) or 0),
        told_pictures=int(number(tag_value(data, "ImagesInAcquisition")) or 0),
    )


def _piece(data: Any, path: Path, concatenation: str) -> Piece:
    names = "InConcatenationNumber", "InConcatenationTotalNumber", "ConcatenationFrameOffsetNumber"
    number, total, offset = (whole(data, name, 0) for name in names)
    return Piece(path, concatenation, number, total, offset, whole(data, "NumberOfFrames", 1) or 1)


def _number(data: Any, frame: int) -> float:
    """Return what a picture is numbered by: its file's number, and its own within it.

    The files of a concatenation are one object cut into pieces: frames are counted through them.
    """
    if tag_value(data, "ConcatenationUID"):
        return (whole(data, "ConcatenationFrameOffsetNumber", 0) + frame) / 1e5
    return float(number(tag_value(data, "InstanceNumber")) or 0) + frame / 1e5


def _component(data: Any, frame: int) -> str:
    told = frame_value(data, frame, "MRImageFrameTypeSequence", "ComplexImageComponent")
    if told:
        part = str(told).lower()
        return part if part in _PARTS else "unknown"
    if private := private_number(data, _COMPLEX_PART):
        return {1: "phase", 2: "real", 3: "imaginary"}.get(int(private), "magnitude")
    told = frame_value(data, frame, "MRImageFrameTypeSequence", "FrameType")
    return component_in(told or tag_value(data, "ImageType") or ())


def _precise(data: Any, frame: int, slope: float | None) -> float | None:
    """Factor from grey values to those that Philips scanners measured; None where it is untold.

    ``floating point value = grey value / (rescale slope x scale slope)``.
    """
    told = private_number(data, _PRECISE_SLOPE)
    groups = tag_value(data, "PerFrameFunctionalGroupsSequence")
    if told is None and groups is not None and (at := _PRECISE_GROUP.of(groups[frame])):
        inner = groups[frame][at].value
        told = private_number(inner[0], _PRECISE_SLOPE) if inner else None
    slope = 1.0 if slope is None else slope
    return 1 / (told * slope) if told and told > 0 and slope > 0 else None


def _trigger_ms(data: Any, frame: int) -> float | None:
    """Time after the R wave; legacy-converted files keep it among the unassigned attributes."""
    for name in ("NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime"):
        told = frame_value(data, frame, "CardiacSynchronizationSequence", name)
        if (found := number(told)) is not None:
            return found
    group = "UnassignedPerFrameConvertedAttributesSequence"
    return number(frame_value(data, frame, group, "TriggerTime"))


def _temporal(data: Any, frame: int) -> float | None:
    """Which phase a picture is, by its temporal position or the index of a dimension of time."""
    if (found := private_number(data, _PHASE_NUMBER)) is not None:
        return found
    told = frame_value(data, frame, "FrameContentSequence", "TemporalPositionIndex")
    told = told or tag_value(data, "TemporalPositionIdentifier")
    positions = number(tag_value(data, "NumberOfTemporalPositions"))
    if (found := number(told)) is not None and positions != 1:
        return found
    for group, keyword in _TEMPORAL_VALUES:
        if (found := number(frame_value(data, frame, group, keyword))) is not None:
            return found
    values = frame_value(data, frame, "FrameContentSequence", "DimensionIndexValues")
    if values is not None:
        for place, one in enumerate(tag_value(data, "DimensionIndexSequence") or ()):
            if int(one.get("DimensionIndexPointer", 0)) in _TEMPORAL_POINTERS:
                return float(np.atleast_1d(values)[place])
    return None


def _acquired_s(data: Any, frame: int) -> float | None:
    """Second of the day in which a picture was acquired; its date is not looked at."""
    for name in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        found = frame_value(data, frame, "FrameContentSequence", name)
        if found:
            return seconds_of_day(str(found)[8:])
    told = tag_value(data, "AcquisitionDateTime")
    time = str(told)[8:] if told else str(tag_value(data, "AcquisitionTime") or "")
    return seconds_of_day(time)


def _cycles_s(data: Any, frame: int) -> dict[str, float]:
    """Return the RR interval told, by what tells it, the most trusted first."""
    sequence = "CardiacSynchronizationSequence"
    converted = "UnassignedPerFrameConvertedAttributesSequence"
    told = {
        "NominalInterval": number(frame_value(data, frame, converted, "NominalInterval")),
        "RRIntervalTimeNominal": number(
            frame_value(data, frame, sequence, "RRIntervalTimeNominal")
        ),
    }
    found = {name: value / 1000 for name, value in told.items() if value and value > 0}
    rate = number(frame_value(data, frame, converted, "HeartRate"))
    return found | ({"HeartRate": 60 / rate} if rate and rate > 0 else {})
