"""The study that results are filed under: headers of the DICOM frames a cine was read from."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.cardiac.cine_result import CineResult
from facewarp.cardiac.io.dicom_frames import read_header
from facewarp.cardiac.io.dicom_series import has_dicom, is_dicom
from facewarp.cardiac.io.slices.dicom_tags import naming, tag_in, tag_value
from facewarp.errors import FacewarpError
from facewarp.system.installation import install_command
from facewarp.version import __version__

MANUFACTURER: Final = "facewarp"
MODEL_NAME: Final = "facewarp cine"
CHARACTER_SET: Final = "ISO_IR 192"  # UTF-8: holds any name, and what we say beside it
RESEARCH: Final = "Research use, not for diagnosis"
_SERIES: Final = {"segmentation": 9100, "measurements": 9001, "report": 9002}
_REQUIRED: Final = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
)
#: Attributes that a valid file holds, if only empty; taken over into every file that is written.
STUDY: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime",
    "StudyID", "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
_NEEDS: Final = ("highdicom", "weasyprint")


@dataclass(frozen=True, eq=False)
class DicomStudy:
    """What the cine was read from.

    Attributes:
        headers: of every slice of every phase, ``[phase][slice]``; an enhanced file's stands in
            all places.
        frames: number of the frame in its file, from 0, ``[phase][slice]``.
        key: tells this result from others: the same result gets the same UIDs.
    """

    headers: tuple[tuple[Any, ...], ...]
    frames: tuple[tuple[int, ...], ...]
    key: str

    @property
    def first(self) -> Any:
        """Header of the first frame: patient and study are the same in all."""
        return self.headers[0][0]

    @property
    def is_multiframe(self) -> bool:
        """Whether the files hold several frames each."""
        return "PerFrameFunctionalGroupsSequence" in self.first

    def files(self, phase: int | None = None) -> list[Any]:
        """Headers of the files of one phase or of all, each once."""
        rows = self.headers if phase is None else (self.headers[phase],)
        return list({str(one.SOPInstanceUID): one for row in rows for one in row}.values())

    def uid(self, *what: str) -> str:
        """Return a UID of something made of this result, the same whenever it is made again."""
        from pydicom.uid import generate_uid

        return str(generate_uid(entropy_srcs=[self.key, *what]))

    def series_number(self, kind: str, offset: int = 0) -> int:
        """Return the number of a series of results, far from a scanner's."""
        return _SERIES[kind] + offset


def check_dicom_out(source: Path) -> None:
    """Check before the work begins that results can be written as DICOM.

    Raises:
        FacewarpError: what writes them is not installed, or the cine is no DICOM.
    """
    missing = [name for name in _NEEDS if find_spec(name) is None]
    if missing:
        what = f"writing DICOM needs {' and '.join(missing)}"
        fix = f"Install what is missing: {install_command('dicom-out')}"
        raise FacewarpError(what, "--dicom-out", fix)
    if source.exists() and not _is_dicom(source):
        raise _no_study(source)


def study_of(result: CineResult) -> DicomStudy:
    """Read the headers of the frames that a cine was read from.

    Raises:
        FacewarpError: it was not read from DICOM, its frames are of several studies or patients,
            lack what results are filed by, or do not lie where the cine lies.
    """
    place, sources = result.cine.path, result.cine.volume.sources
    if not sources and _is_dicom(place):
        what = "the frames were laid onto another grid, so that labels lie in none of them"
        raise FacewarpError(what, place, "Leave out --dicom-out: labels_4d.nii.gz has them.")
    if not sources:
        raise _no_study(place)
    read: dict[Path, Any] = {}
    for path in {path for row in sources for path, _ in row}:
        header = read_header(path)
        with naming(path):
            absent = [name for name in _REQUIRED if not tag_value(header, name)]
        if absent:
            what = f"the file tells no {', '.join(absent)}: results can't be filed with it"
            raise FacewarpError(what, path, "Export the series again, or leave out --dicom-out.")
        with naming(path):
            _complete(header)
        read[path] = header
    for name in ("StudyInstanceUID", "PatientID", "FrameOfReferenceUID"):
        told = sorted({str(header.get(name)) for header in read.values()})
        if len(told) > 1:
            what = f"the frames tell {len(told)} values of {name}"
            raise FacewarpError(what, place, "Give the series of one study of one patient.")
    study = DicomStudy(
        tuple(tuple(read[path] for path, _ in row) for row in sources),
        tuple(tuple(frame for _, frame in row) for row in sources),
        _key(result, [str(header.SOPInstanceUID) for header in read.values()]),
    )
    _check_places(study, result)
    return study


@contextmanager
def as_dicom(place: Path) -> Iterator[None]:
    """Turn what the writing libraries raise about a header into one line.

    Their warnings are dropped: they quote the patient's name and number.

    Raises:
        FacewarpError: a value of the scan's headers can't be written into the results.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="highdicom|pydicom")
            yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = tag_in(error) or type(error).__name__  # its own text quotes values
        what = f"the scan's headers can't be taken over into DICOM results: {found}"
        raise FacewarpError(what, place, "Correct them, or leave out --dicom-out.") from error


def _complete(header: Any) -> None:
    """Leave empty what is missing, or no value that the standard has: files stay valid."""
    for name in STUDY:
        if name not in header or not _is_valid(name, header.get(name)):
            setattr(header, name, None)


def _is_valid(name: str, value: Any) -> bool:
    """Whether sex, date or time is one that can be written."""
    from pydicom.valuerep import DA, TM

    if name == "PatientSex":
        return value in ("M", "F", "O")
    kind = DA if name.endswith("Date") else TM if name.endswith("Time") else None
    try:
        return kind is None or not value or kind(value) is not None
    except ValueError:
        return False


def frame_position(header: Any, frame: int) -> list[float]:
    """Where the middle of a frame's first pixel lies, LPS mm."""
    if "PerFrameFunctionalGroupsSequence" in header:
        groups = header.PerFrameFunctionalGroupsSequence[frame]
        return [float(n) for n in groups.PlanePositionSequence[0].ImagePositionPatient]
    return [float(n) for n in header.ImagePositionPatient]


def _is_dicom(source: Path) -> bool:
    return has_dicom(source) if source.is_dir() else is_dicom(source)


def _check_places(study: DicomStudy, result: CineResult) -> None:
    """Every frame lies where the labels of its slice lie."""
    affine, spacing = result.cine.volume.affine, min(result.cine.volume.spacing_mm[:2])
    for row, frames in zip(study.headers, study.frames, strict=True):
        for z, (header, frame) in enumerate(zip(row, frames, strict=True)):
            told = np.array(frame_position(header, frame)) * (-1, -1, 1)
            off = float(np.linalg.norm(affine[:3, 3] + z * affine[:3, 2] - told))
            if off > spacing:
                what = f"slice {z + 1} lies {off:.1f} mm from where its file says"
                fix = "Its slices are not in one line: leave out --dicom-out."
                raise FacewarpError(what, result.cine.path, fix)


def _key(result: CineResult, sources: Sequence[str]) -> str:
    weights = result.model_sha256 + result.parts_sha256
    told = [__version__, weights, result.labels_by, str((result.ed, result.es))]
    found = sha256("\n".join([*told, *sorted(sources)]).encode())
    found.update(result.labels.tobytes())
    return found.hexdigest()


def _no_study(place: Path) -> FacewarpError:
    what = "the cine is not DICOM: there is no study to file results under"
    fix = "Give the DICOM series itself, or leave out --dicom-out."
    return FacewarpError(what, place, fix)
