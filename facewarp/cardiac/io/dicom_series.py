"""DICOM in: which files of a folder are DICOM, and a short-axis cine of them as one volume."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.dicom_frames import read_images, read_pixels
from facewarp.cardiac.io.slices.cine_choice import choose_cine
from facewarp.cardiac.io.slices.slice_image import SliceImage
from facewarp.cardiac.io.slices.stack import assemble
from facewarp.cardiac.io.timing import ReadOptions
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError
from facewarp.system.user_folders import files_below

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
    """Return the DICOM files of a folder at any depth, or the file itself."""
    if place.is_file():
        return DicomFiles((place,) if is_dicom(place) else (), ())
    files: list[Path] = []
    others: list[Path] = []
    for path in sorted(files_below(place)):
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
    """Return the DICOM files of a folder at any depth, or the file itself, by name."""
    return list(find_dicom(place).files)


def has_dicom(folder: Path) -> bool:
    """Whether there is a DICOM file in a folder, at any depth, or one that was meant to be."""
    return any(
        path.suffix.lower() in _DICOM_SUFFIXES or is_dicom(path)
        for path in files_below(folder)
        if path.name not in _SKIPPED
    )


def read_dicom(
    place: Path,
    options: ReadOptions = ReadOptions(),  # noqa: B008 - frozen
) -> Volume:
    """Read a cine: a folder of single pictures or enhanced files, or one enhanced file.

    Pictures are gathered by where they lie along the stack and sorted by their time after the
    R wave. Series of one slice each make one stack together; of several series the short-axis
    cine is chosen, and the others are named.

    Args:
        place: the folder, searched at any depth, or the file.
        options: what the user knows better than the files.

    Returns:
        ``(T, D, H, W)``; see `stack.assemble`.

    Raises:
        FacewarpError: no pictures, files that cannot be read, several cines or patients, missing
            or duplicate slices or phases, nothing to sort by, or what `dicom_frames.read_images`
            refuses.
    """
    found = find_dicom(place)
    found.refuse_broken(place)
    pictures = read_images(found.files)
    if not pictures.images:
        count = len(found.files)
        what = "there is no DICOM picture" + (f" among {count} files" if count else "")
        raise FacewarpError(what, place, "Give the folder of a cine short-axis series.")
    images, said = choose_cine(pictures.images, place, options.series)
    _refuse_several_patients(images, place)
    whole: dict[Path, NDArray[np.float32]] = {}

    def pixels(image: SliceImage) -> NDArray[np.float32]:
        if image.file in whole:
            return whole[image.file][image.frame]
        read = read_pixels(image.file)
        if len(read) > 1:
            whole[image.file] = read
        return read[image.frame]

    return assemble(images, pixels, place, options, [*pictures.warnings, *said])


def _refuse_several_patients(images: Sequence[SliceImage], place: Path) -> None:
    """Refuse a stack of slices of several patients, which programs that replace UIDs may make.

    One that replaces the patient's ID in each file anew is no reason: each is there once.

    Raises:
        FacewarpError: there are several IDs, and several files of each.
    """
    files = Counter(patient for _, patient in {(image.file, image.patient) for image in images})
    del files[""]
    if len(files) > 1 and min(files.values()) > 1:
        counts = " and ".join(f"{count}" for count in files.values())
        what = f"the files of this series are of {len(files)} patients by their IDs: {counts} files"
        raise FacewarpError(what, place, "Give a folder for each patient, or one PatientID to all.")


def _begins_without_preamble(head: bytes) -> bool:
    """Whether bytes are a first data element: its group, a small element number, a VR or length."""
    if len(head) < 12 or head[:2] not in _FIRST_GROUPS:
        return False
    representation = head[4:6]
    explicit = representation.isalpha() and representation.isupper()
    length = int.from_bytes(head[4:8], "little")
    return explicit or 0 < length <= 256


def _kind(path: Path) -> str:
    """Return a file's suffix; those that are numbers, as in UIDs and ``IM.1``, are of one kind."""
    suffix = path.suffix.lower()
    return "" if suffix[1:].isdecimal() else suffix


def _name(path: Path) -> str:
    return f"{path.name} (empty)" if path.stat().st_size == 0 else path.name
