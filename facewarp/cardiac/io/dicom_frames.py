"""The single pictures in DICOM files, classic and enhanced alike, and where and when they are.

What identifies the patient is not read for it: not the name, number, dates, nor the institution.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command

FloatArray = NDArray[np.float64]

_SKIPPED: Final = {"DICOMDIR"}
_CINE_MODALITY: Final = "MR"

_IDENTITY: Final = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyInstanceUID",
)


@dataclass(frozen=True, eq=False)
class DicomImage:
    """One picture.

    Attributes:
        file: where it is.
        frame: which of the file's pictures, from 0.
        series: what its series is told apart by.
        title: what its series is called; "" where it is not told.
        shape: ``(H, W)``.
        spacing_mm: from column to column and from row to row.
        axes: ``(2, 3)`` directions of rows and of columns, in DICOM's world (LPS).
        place_mm: ``(3,)`` middle of its first pixel, LPS.
        time_ms: after the R wave; None where it is not told.
        order: what it is sorted by where no time is told.
        thickness_mm: of the slice; None where it is not told.
        gap_mm: from slice to slice, as told; None where it is not told.
        cycle_ms: length of a heartbeat, as told; None where it is not.
    """

    file: Path
    frame: int
    series: str
    title: str
    shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    axes: FloatArray
    place_mm: FloatArray
    time_ms: float | None
    order: float
    thickness_mm: float | None
    gap_mm: float | None
    cycle_ms: float | None

    @property
    def normal(self) -> FloatArray:
        """Direction at right angles to the picture, LPS."""
        return np.asarray(np.cross(self.axes[0], self.axes[1]), dtype=np.float64)


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do."""
    try:
        with open(path, "rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def dicom_files(place: Path) -> list[Path]:
    """The DICOM files of a folder at any depth, or the file itself, by name."""
    if place.is_file():
        return [place] if is_dicom(place) else []
    found = sorted(path for path in place.rglob("*") if path.is_file())
    return [path for path in found if path.name not in _SKIPPED and is_dicom(path)]


def read_images(files: list[Path]) -> list[DicomImage]:
    """Find the pictures of some files, without reading their pixels.

    Files that hold no picture (reports, plans, presentation states) are passed over.

    Raises:
        FacewarpError: a file is damaged, of another modality, or does not say where it lies.
    """
    import pydicom
    from pydicom.errors import InvalidDicomError

    found: list[DicomImage] = []
    for path in files:
        try:
            data = pydicom.dcmread(path, stop_before_pixels=True)
        except (InvalidDicomError, OSError, EOFError, ValueError, KeyError) as error:
            what = "the file is damaged or not DICOM"
            raise FacewarpError(what, path, "Copy or export it again.") from error
        if "Rows" not in data or "Columns" not in data:
            continue
        modality = str(data.get("Modality", ""))
        if modality != _CINE_MODALITY:
            what = f"this is a picture of modality {modality or 'unknown'}"
            raise FacewarpError(what, path, "Give a folder of one MR cine series.")
        if int(data.get("SamplesPerPixel", 1)) != 1:
            raise FacewarpError("the picture is coloured", path, "Give the series of grey values.")
        found += _images_of(data, path)
    return found


def identity_of(file: Path) -> dict[str, str]:
    """Whose picture it is and of which study, as its header tells; read only when asked for."""
    import pydicom

    data = pydicom.dcmread(file, stop_before_pixels=True, specific_tags=list(_IDENTITY))
    return {name: str(data.get(name)) for name in _IDENTITY if data.get(name) not in (None, "")}


def read_pixels(path: Path) -> NDArray[np.float32]:
    """The grey values of a file's pictures after its scaling, ``(frames, H, W)``.

    Raises:
        FacewarpError: they are compressed in a way that nothing here can read, or are cut short.
    """
    import pydicom
    from pydicom.pixels import apply_rescale

    data = pydicom.dcmread(path)
    count = int(data.get("NumberOfFrames", 1) or 1)
    syntax = data.file_meta.TransferSyntaxUID
    try:
        stored = data.pixel_array
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
    if data.get("PhotometricInterpretation") == "MONOCHROME1":
        values = values.max() + values.min() - values
    return values


def _cut(path: Path) -> FacewarpError:
    return FacewarpError("the pixels are cut short or damaged", path, "Copy or export it again.")


def _images_of(data: Any, path: Path) -> Iterator[DicomImage]:
    """The pictures of one file."""
    frames = int(data.get("NumberOfFrames", 1) or 1)
    if frames > 1 and "PerFrameFunctionalGroupsSequence" not in data:
        what = f"the file holds {frames} pictures and does not say where each lies"
        raise FacewarpError(what, path, "Export it as enhanced MR, or as single pictures.")
    for frame in range(frames):
        yield _image(data, path, frame)


def _image(data: Any, path: Path, frame: int) -> DicomImage:
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
    return DicomImage(
        path,
        frame,
        str(data.get("SeriesInstanceUID", "")),
        str(data.get("SeriesDescription", "") or data.get("ProtocolName", "")),
        (int(data.Rows), int(data.Columns)),
        (between_columns, between_rows),
        directions,
        np.array([float(n) for n in place]),
        _time_ms(data, frame),
        float(data.get("InstanceNumber") or 0) + frame / 1e5,
        _float(thickness),
        _float(gap),
        _float(data.get("NominalInterval")),
    )


def _time_ms(data: Any, frame: int) -> float | None:
    for name in ("NominalCardiacTriggerDelayTime", "CardiacTriggerDelayTime", "TriggerDelayTime"):
        found = _value(data, frame, "CardiacSynchronizationSequence", name, "TriggerTime")
        if found is not None:
            return float(found)
    return None


def _value(data: Any, frame: int, group: str, name: str, classic: str = "") -> Any:
    """A value of one picture: its own, that of all pictures, or that of the file."""
    groups = []
    if "PerFrameFunctionalGroupsSequence" in data:
        groups.append(data.PerFrameFunctionalGroupsSequence[frame])
    groups += list(data.get("SharedFunctionalGroupsSequence", ()) or ())
    for one in groups:
        if group in one and getattr(one, group) and name in getattr(one, group)[0]:
            return getattr(getattr(one, group)[0], name)
    return data.get(classic or name)


def _rescale(data: Any, frame: int) -> tuple[float, float]:
    slope = _value(data, frame, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _value(data, frame, "PixelValueTransformationSequence", "RescaleIntercept")
    return float(1 if slope is None else slope), float(0 if intercept is None else intercept)


def _float(value: Any) -> float | None:
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None
