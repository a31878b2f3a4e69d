"""The single pictures in DICOM files, classic and enhanced alike, and where and when they are.

What identifies the patient is not read for it: not the name, number, dates, nor the institution.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.slices.slice_image import SliceImage
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

_CINE_MODALITY: Final = "MR"
_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
_PHASE_NUMBER: Final = (0x2001, 0x1008)  # Philips, private
_COMPLEX_PART: Final = (0x0043, 0x102F)  # GE, private: 0 magnitude, 1 phase, 2 real, 3 imaginary
_COMPONENTS: Final = {
    "P": "phase",
    "PHASE": "phase",
    "PHASE MAP": "phase",
    "PHASE_MAP": "phase",
    "VELOCITY": "phase",
    "VELOCITY MAP": "phase",
    "VELOCITY_MAP": "phase",
    "R": "real",
    "REAL": "real",
    "I": "imaginary",
    "IMAGINARY": "imaginary",
}
_TEMPORAL_POINTERS: Final = (0x00209128, 0x00200100, 0x00209153, 0x00181060)

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
        said = "; ".join(f"{count} {what}" for what, count in self.left_out.items())
        return [f"pictures that are no MR slices are left out: {said}"]


def read_images(files: Sequence[Path]) -> FoundImages:
    """Find the pictures of some files, without reading their pixels.

    Files that hold no picture (reports, plans, presentation states) are passed over; pictures of
    another modality, coloured ones and screenshots are left out, and counted.

    Raises:
        FacewarpError: a file is damaged, does not say where its pictures lie, or all pictures are
            of another kind.
    """
    found: list[SliceImage] = []
    left_out: dict[str, int] = {}
    refused: FacewarpError | None = None
    for path in files:
        data = read_header(path)
        if "Rows" not in data or "Columns" not in data:
            continue
        if (kind := _foreign(data)) is not None:
            what, fix = kind
            left_out[what] = left_out.get(what, 0) + 1
            refused = refused or FacewarpError(f"this is {what}", path, fix)
            continue
        found += _images_of(data, path)
    if not found and refused is not None:
        raise refused
    return FoundImages(tuple(found), left_out)


def identity_of(file: Path) -> dict[str, str]:
    """Whose picture it is and of which study, as its header tells; read only when asked for."""
    data = read_header(file, specific_tags=list(_IDENTITY))
    return {name: str(data.get(name)) for name in _IDENTITY if data.get(name) not in (None, "")}


def read_header(path: Path, **options: Any) -> Any:
    """A file's data set without its pixels.

    Raises:
        FacewarpError: it is damaged, or no DICOM.
    """
    return _read(path, stop_before_pixels=True, **options)


def read_whole(path: Path) -> Any:
    """A file's data set with its pixels, and a transfer syntax where the file tells none.

    Raises:
        FacewarpError: it is damaged, or no DICOM.
    """
    return _read(path)


def _read(path: Path, **options: Any) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        data = pydicom.dcmread(path, force=True, **options)
        known = "Rows" in data or "SOPClassUID" in data or "StudyInstanceUID" in data
    except (InvalidDicomError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
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
    """The grey values of a file's pictures after its scaling, ``(frames, H, W)``.

    Raises:
        FacewarpError: they are compressed in a way that nothing here can read, or are cut short.
    """
    from pydicom.pixels import apply_rescale

    data = read_whole(path)
    count = int(data.get("NumberOfFrames", 1) or 1)
    syntax = data.file_meta.TransferSyntaxUID
    try:
        stored = data.pixel_array
        if data.get("PhotometricInterpretation") == "MONOCHROME1":
            stored = _inverted(stored, data)
        if "PerFrameFunctionalGroupsSequence" not in data:
            stored = apply_rescale(stored, data)
    except (RuntimeError, NotImplementedError, AttributeError) as error:
        if not syntax.is_compressed:
            raise _cut(path) from error
        what = f"the pixels are compressed ({syntax.name}), which nothing installed can read"
        fix = f"Install decoders: {install_command(packages=['pylibjpeg[all]'])}"
        raise FacewarpError(what, path, fix) from error
    except (ValueError, EOFError, OSError) as error:
        raise _cut(path) from error
    values = np.asarray(stored, dtype=np.float32).reshape(count, *stored.shape[-2:])
    if "PerFrameFunctionalGroupsSequence" in data:
        for frame in range(count):
            slope, intercept = _rescale(data, frame)
            values[frame] = values[frame] * slope + intercept
    return values


def _inverted(stored: NDArray[Any], data: Any) -> NDArray[Any]:
    """White on black, by the range that the bits can hold: the same in all phases."""
    bits = int(data.get("BitsStored", 16))
    total = 2**bits - 1 if not int(data.get("PixelRepresentation", 0)) else -1
    return np.asarray(total - stored.astype(np.int64))


def _cut(path: Path) -> FacewarpError:
    return FacewarpError("the pixels are cut short or damaged", path, "Copy or export it again.")


def _foreign(data: Any) -> tuple[str, str] | None:
    """What a file's picture is if it can be no slice of a cine, and what to do."""
    modality = str(data.get("Modality", ""))
    if modality != _CINE_MODALITY:
        what = f"a picture of modality {modality or 'unknown'}"
        return what, "Give a folder of one MR cine series."
    if int(data.get("SamplesPerPixel", 1) or 1) != 1:
        return "a picture in colour", "Give the series of grey values."
    if str(data.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURE):
        return "a secondary capture", "Give the series that the scanner made."
    return None


def _images_of(data: Any, path: Path) -> Iterator[SliceImage]:
    """The pictures of one file."""
    frames = int(data.get("NumberOfFrames", 1) or 1)
    if frames > 1 and "PerFrameFunctionalGroupsSequence" not in data:
        what = f"the file holds {frames} pictures and does not say where each lies"
        raise FacewarpError(what, path, "Export it as enhanced MR, or as single pictures.")
    for frame in range(frames):
        yield _image(data, path, frame)


def _image(data: Any, path: Path, frame: int) -> SliceImage:
    spacing = _value(data, frame, "PixelMeasuresSequence", "PixelSpacing")
    axes = _value(data, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
    place = _value(data, frame, "PlanePositionSequence", "ImagePositionPatient")
    for value, count, name in (
        (spacing, 2, "pixel spacing"),
        (axes, 6, "orientation"),
        (place, 3, "position"),
    ):
        if value is None or len(value) != count:
            what = f"the picture does not tell its {name}"
            raise FacewarpError(what, path, "Export the series again, with its geometry.")
    between_rows, between_columns = (float(n) for n in spacing)
    directions = np.array([float(n) for n in axes]).reshape(2, 3)
    lengths = np.linalg.norm(directions, axis=1)
    if min(between_rows, between_columns) <= 0 or np.abs(lengths - 1).max() > 0.01:
        what = "its pixel spacing or orientation cannot be true"
        raise FacewarpError(what, path, "Export the series again.")
    thickness = _value(data, frame, "PixelMeasuresSequence", "SliceThickness")
    gap = _value(data, frame, "PixelMeasuresSequence", "SpacingBetweenSlices")
    return SliceImage(
        path,
        frame,
        (int(data.Rows), int(data.Columns)),
        (between_columns, between_rows),
        directions,
        np.array([float(n) for n in place]),
        series=str(data.get("SeriesInstanceUID", "")),
        series_number=int(_float(data.get("SeriesNumber")) or 0),
        title=str(data.get("SeriesDescription", "") or data.get("ProtocolName", "") or ""),
        study=str(data.get("StudyInstanceUID", "")),
        component=_component(data, frame),
        acquisition=int(_float(data.get("AcquisitionNumber")) or 0),
        uid=str(data.get("SOPInstanceUID", "")),
        trigger_ms=_trigger_ms(data, frame),
        temporal=_temporal(data, frame),
        acquired_s=_acquired_s(data, frame),
        number=float(_float(data.get("InstanceNumber")) or 0) + frame / 1e5,
        thickness_mm=_float(thickness),
        gap_mm=_float(gap),
        cycles_s=_cycles_s(data, frame),
    )


def _component(data: Any, frame: int) -> str:
    told = _value(data, frame, "MRImageFrameTypeSequence", "ComplexImageComponent")
    if told:
        return str(told).lower()
    private = _float(data[_COMPLEX_PART].value) if _COMPLEX_PART in data else None
    if private:
        return {1: "phase", 2: "real", 3: "imaginary"}.get(int(private), "magnitude")
    kinds = [str(kind).upper() for kind in data.get("ImageType", ()) or ()][2:]
    return next((_COMPONENTS[kind] for kind in kinds if kind in _COMPONENTS), "magnitude")


def _trigger_ms(data: Any, frame: int) -> float | None:
    """Time after the R wave; legacy-converted files keep it among the unassigned attributes."""
    for name in ("NominalCardiacTriggerDelayTime", "ActualCardiacTriggerDelayTime"):
        found = _value(data, frame, "CardiacSynchronizationSequence", name)
        if (number := _float(found)) is not None:
            return number
    group = "UnassignedPerFrameConvertedAttributesSequence"
    return _float(_value(data, frame, group, "TriggerTime"))


def _temporal(data: Any, frame: int) -> float | None:
    """Which phase a picture is, by its temporal position or the index of a dimension of time."""
    if _PHASE_NUMBER in data and (number := _float(data[_PHASE_NUMBER].value)) is not None:
        return number
    found = _value(data, frame, "FrameContentSequence", "TemporalPositionIndex")
    found = found or data.get("TemporalPositionIdentifier")
    if (number := _float(found)) is not None and _number_of_positions(data) != 1:
        return number
    values = _value(data, frame, "FrameContentSequence", "DimensionIndexValues")
    if values is not None:
        for place, one in enumerate(data.get("DimensionIndexSequence", ()) or ()):
            if int(one.get("DimensionIndexPointer", 0)) in _TEMPORAL_POINTERS:
                return float(np.atleast_1d(values)[place])
    return None


def _number_of_positions(data: Any) -> int:
    return int(_float(data.get("NumberOfTemporalPositions")) or 0)


def _acquired_s(data: Any, frame: int) -> float | None:
    """Second of the day in which a picture was acquired; its date is not looked at."""
    for name in ("FrameAcquisitionDateTime", "FrameReferenceDateTime"):
        found = _value(data, frame, "FrameContentSequence", name)
        if found:
            return _seconds(str(found)[8:])
    told = data.get("AcquisitionDateTime")
    return _seconds(str(told)[8:]) if told else _seconds(str(data.get("AcquisitionTime", "")))


def _seconds(text: str) -> float | None:
    """Seconds of ``HHMMSS.ffffff``."""
    digits = text.partition("+")[0].partition("-")[0].replace(":", "")
    try:
        return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + float(digits[4:])
    except ValueError:
        return None


def _cycles_s(data: Any, frame: int) -> dict[str, float]:
    """The RR interval told, by what tells it, the most trusted first."""
    sequence = "CardiacSynchronizationSequence"
    converted = "UnassignedPerFrameConvertedAttributesSequence"
    told = {
        "NominalInterval": _float(_value(data, frame, converted, "NominalInterval")),
        "RRIntervalTimeNominal": _float(_value(data, frame, sequence, "RRIntervalTimeNominal")),
    }
    found = {name: value / 1000 for name, value in told.items() if value and value > 0}
    rate = _float(_value(data, frame, converted, "HeartRate"))
    return found | ({"HeartRate": 60 / rate} if rate and rate > 0 else {})


def _value(data: Any, frame: int, group: str, name: str) -> Any:
    """A value of one picture: its own, that of all pictures, or that of the file."""
    groups = []
    if "PerFrameFunctionalGroupsSequence" in data:
        groups.append(data.PerFrameFunctionalGroupsSequence[frame])
    groups += list(data.get("SharedFunctionalGroupsSequence", ()) or ())
    for one in groups:
        for held in (group, group.replace("PerFrame", "Shared")):
            if held in one and getattr(one, held) and name in getattr(one, held)[0]:
                return getattr(getattr(one, held)[0], name)
    return data.get(name)


def _rescale(data: Any, frame: int) -> tuple[float, float]:
    slope = _value(data, frame, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _value(data, frame, "PixelValueTransformationSequence", "RescaleIntercept")
    return float(1 if slope is None else slope), float(0 if intercept is None else intercept)


def _float(value: Any) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None
