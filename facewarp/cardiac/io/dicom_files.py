"""Which files of a folder are DICOM, and which look as if they had been."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facewarp.errors import FacewarpError

_SKIPPED: Final = {"DICOMDIR", "DICOMDIR.", "Thumbs.db"}
_DICOM_SUFFIXES: Final = {".dcm", ".ima", ".dicom", ".dic"}
_FIRST_GROUPS: Final = (b"\x02\x00", b"\x08\x00", b"\x00\x08")  # of files without a preamble
_NAMED: Final = 3


@dataclass(frozen=True)
class DicomFiles:
    """What a folder holds.

    Attributes:
        files: those that begin as DICOM does, by name.
        broken: those that are named like them and do not.
    """

    files: tuple[Path, ...]
    broken: tuple[Path, ...]

    def refuse_broken(self, place: Path) -> None:
        """Refuse a series with files that cannot be read: slices or phases would be missing.

        Raises:
            FacewarpError: there are such files.
        """
        if not self.broken:
            return
        names = ", ".join(_name(path) for path in self.broken[:_NAMED])
        more = f" and {len(self.broken) - _NAMED} more" if len(self.broken) > _NAMED else ""
        total = len(self.broken) + len(self.files)
        what = f"{len(self.broken)} of {total} files cannot be read: {names}{more}"
        raise FacewarpError(what, place, "Copy them again, or take them out of the folder.")


def is_dicom(path: Path) -> bool:
    """Whether a file begins as DICOM files do, with or without a preamble."""
    try:
        with open(path, "rb") as file:
            head = file.read(132)
    except OSError:
        return False
    return head[128:] == b"DICM" or _begins_without_preamble(head)


def find_dicom(place: Path) -> DicomFiles:
    """The DICOM files of a folder at any depth, or the file itself."""
    if place.is_file():
        return DicomFiles((place,) if is_dicom(place) else (), ())
    files: list[Path] = []
    others: list[Path] = []
    for path in sorted(p for p in place.rglob("*") if p.is_file()):
        if path.name not in _SKIPPED and not path.name.startswith("."):
            (files if is_dicom(path) else others).append(path)
    kinds: dict[Path, set[str]] = {}
    for path in files:
        kinds.setdefault(path.parent, set()).add(_kind(path))
    broken = [
        path
        for path in others
        if path.suffix.lower() in _DICOM_SUFFIXES or _kind(path) in kinds.get(path.parent, ())
    ]
    return DicomFiles(tuple(files), tuple(broken))


def dicom_files(place: Path) -> list[Path]:
    """The DICOM files of a folder at any depth, or the file itself, by name."""
    return list(find_dicom(place).files)


def has_dicom(folder: Path) -> bool:
    """Whether there is a DICOM file in a folder, at any depth, or one that was meant to be."""
    return any(
        path.suffix.lower() in _DICOM_SUFFIXES or is_dicom(path)
        for path in folder.rglob("*")
        if path.is_file() and path.name not in _SKIPPED
    )


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


def _begins_without_preamble(head: bytes) -> bool:
    """Whether bytes are a first data element: its group, a small element number, a VR or length."""
    if len(head) < 12 or head[:2] not in _FIRST_GROUPS:
        return False
    representation = head[4:6]
    explicit = representation.isalpha() and representation.isupper()
    length = int.from_bytes(head[4:8], "little")
    return explicit or 0 < length <= 256


def _kind(path: Path) -> str:
    """A file's suffix; those that are numbers, as in UIDs and ``IM.1``, are of one kind."""
    suffix = path.suffix.lower()
    return "" if suffix[1:].isdigit() else suffix


def _name(path: Path) -> str:
    return f"{path.name} (empty)" if path.stat().st_size == 0 else path.name
