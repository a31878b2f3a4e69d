"""Find the patients that a command line names: files, folders, lists."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from facewarp.batch.lists import is_list, listed
from facewarp.cardiac.io.dicom_frames import read_header
from facewarp.cardiac.io.dicom_series import dicom_files, is_dicom
from facewarp.cardiac.io.names.foreign import is_contour, way_in
from facewarp.cardiac.io.names.nifti_names import is_nifti, stem
from facewarp.cardiac.io.names.views import (
    beside_short_axes,
    is_label_file,
    is_label_folder,
    is_long_axis,
)
from facewarp.cardiac.io.nifti_reader import axes_of, read_volume
from facewarp.cardiac.io.patient import INFO, find_patients
from facewarp.cardiac.io.slices.dicom_tags import naming, tag_value
from facewarp.cardiac.io.slices.label_maps import has_few_values
from facewarp.cardiac.report.conventions import MARK
from facewarp.errors import FacewarpError

#: What files and folders are called in which every patient has the same, those of BIDS and XNAT
#: (``scans/5/resources/NIFTI/files``) among them.
_PLAIN_NAMES: Final = {
    "sa", "sax", "short_axis", "cine", "cine_sa", "sa_cine", "4d", "dicom", "study", "image",
    "images", "func", "anat", "nifti", "files", "resources",
}  # fmt: skip
#: Marks the root of a BIDS data set; beside the subjects lie results and other copies of scans.
_BIDS: Final = "dataset_description.json"
_NOT_RAW: Final = {"derivatives", "sourcedata", "code"}
_SESSION: Final = re.compile(r"ses-[A-Za-z0-9]+")

#: Modalities of DICOM files that hold no picture that was taken.
_NO_PICTURES: Final = {
    "SEG", "RTSTRUCT", "RTPLAN", "RTDOSE", "RTRECORD", "SR", "PR", "KO", "DOC", "REG", "FID", "RWV",
    "PLAN", "M3D", "ECG", "AU", "HD",
}  # fmt: skip


def discover(paths: Sequence[Path]) -> dict[str, Path]:
    """Find the patients of some paths, by name.

    A path is a cine as `open_cine` reads it; a folder of such:
    patients' folders with an ``Info.cfg`` at any depth, NIfTI files of four axes, folders at any
    depth that hold NIfTI, or DICOM examinations, told apart by their UIDs; or a list, a ``.txt``
    or ``.csv`` file with one path a line (its first column), relative to itself, ``#`` beginning a
    comment.

    Raises:
        FacewarpError: two patients of one name, a list that names nothing, or points of a contour.
    """
    names: dict[str, Path] = {}
    for path in paths:
        if is_contour(path):
            raise FacewarpError("this is a contour, no list of patients", path, way_in(path))
        for source in listed(path, "patient") if is_list(path) else _below(path):
            name = _name(source)
            if name in names and names[name].resolve() != source.resolve():
                what = f"two patients are called {name}: {names[name]} and {source}"
                raise FacewarpError(what, fix="Run them with different --out.")
            names.setdefault(name, source)
    return names


def _below(path: Path) -> list[Path]:
    """Find the patients in a folder; the path itself where it is one."""
    if not path.is_dir() or (path / INFO).is_file():
        return [path]
    if found := _in_files(path):
        return found
    if found := find_patients(path):
        return found
    folders = {*_nifti_below(path), *_dicom_below(path)}
    if _study(path):
        folders.add(path)  # pictures beside the folders of others are not passed over
    return sorted(folders) or [path]


def _in_files(folder: Path) -> list[Path]:
    """Find the patients in a folder's own NIfTI files: several cines, or all as one patient."""
    files = sorted(p for p in folder.iterdir() if is_nifti(p))
    if not files:
        return []
    axes = {p: axes_of(p) for p in files}
    pictures = [p for p in files if not is_label_file(p)]
    others = {*beside_short_axes(pictures)}  # a name alone leaves nobody out: sites are called LA
    others |= {p for p in pictures if is_long_axis(p) and axes[p] == 4 and _is_one_slice(p)}
    pictures = [p for p in pictures if p not in others] or pictures
    cines = [p for p in pictures if axes[p] in (4, 0)]  # what can't be read is reported later
    whole = sum(axes[p] == 4 for p in pictures)
    slices = any(axes[p] == 4 and _is_one_slice(p) for p in pictures)
    return cines if whole > 1 and not slices else [folder]


def _nifti_below(folder: Path) -> list[Path]:
    """Find folders at any depth that hold NIfTI, or the cines in them.

    Folders of labels, by name and content, are left out where others are beside them: a name
    alone leaves nobody out.
    """
    raw = (folder / _BIDS).is_file()
    subs = sorted(
        p
        for p in folder.iterdir()
        if p.is_dir() and not p.name.startswith(".") and not (raw and p.name in _NOT_RAW)
    )
    found = {s: _in_files(s) or _nifti_below(s) for s in subs if not _is_result(s)}
    scans = [sub for sub in found if found[sub] and not _holds_labels(sub, found[sub])]
    return [place for sub in scans or found for place in found[sub]]


def _holds_labels(folder: Path, places: Sequence[Path]) -> bool:
    """Whether a folder is named like one of labels, and the first file found in it holds labels."""
    if not is_label_folder(folder):
        return False
    first = places[0]
    if first.is_dir():
        first = next(path for path in sorted(first.iterdir()) if is_nifti(path))
    try:
        return has_few_values(read_volume(first).data)
    except FacewarpError:
        return False


def _is_result(folder: Path) -> bool:
    """Whether a folder holds a patient's results: --out may lie among the patients."""
    return (folder / MARK).is_file()


def _dicom_below(folder: Path) -> list[Path]:
    """Folders of DICOM examinations, each as high up as it holds no other; [] for one alone."""
    studies: dict[Path, str] = {}
    for place in sorted({path.parent for path in dicom_files(folder)}):
        if not _is_result(place) and (study := _study(place)):
            studies[place] = study
    if len(set(studies.values())) < 2:
        return []
    found = set()
    for study in set(studies.values()):
        own = [place for place, name in studies.items() if name == study]
        others = [place for place, name in studies.items() if name != study]
        top = Path(os.path.commonpath(own))
        while top != folder and not any(o.is_relative_to(top.parent) for o in others):
            top = top.parent
        found.add(top)
    return sorted(found)


def _study(folder: Path) -> str:
    """Return what tells the examination of a folder's own pictures from others; "" without any.

    Labels, reports and the like are no pictures: a segmentation that a workstation filed under a
    study of its own, above the scan or beside it, is no patient.
    """
    for path in sorted(p for p in folder.iterdir() if p.is_file() and is_dicom(p)):
        try:
            data = read_header(path, specific_tags=["StudyInstanceUID", "Modality"])
            with naming(path):
                if str(tag_value(data, "Modality") or "") not in _NO_PICTURES:
                    return str(tag_value(data, "StudyInstanceUID") or folder)
        except FacewarpError:
            return str(folder)
    return ""


def _is_one_slice(path: Path) -> bool:
    """Whether a NIfTI file of four axes holds one slice alone, as converters write series."""
    import nibabel as nib

    return int(nib.load(path).shape[2]) == 1  # type: ignore[attr-defined]


def _name(path: Path) -> str:
    """Name a patient; files and folders called by what they hold have their folder's name."""
    if path.is_dir():
        name = path.resolve().name
    else:
        name = stem(path).removesuffix("_4d") if is_nifti(path) else path.stem
    above = path.resolve().parent
    while name.lower() in _PLAIN_NAMES and above.name:
        name, above = above.name, above.parent
    if _SESSION.fullmatch(name) and above.name:
        return f"{above.name}_{name}"  # as BIDS names the files of a session
    return name
