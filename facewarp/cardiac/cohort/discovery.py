"""Find the patients that a command line names: files, folders, lists."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from facewarp.batch.lists import is_list, listed
from facewarp.cardiac.io.dicom_frames import read_header
from facewarp.cardiac.io.dicom_series import dicom_files, is_dicom
from facewarp.cardiac.io.nifti_folder import cines_apart, is_label_file
from facewarp.cardiac.io.nifti_reader import axes_of, is_nifti, stem
from facewarp.cardiac.io.patient import INFO, find_patients
from facewarp.cardiac.io.slices.dicom_tags import naming, tag_value
from facewarp.cardiac.report.conventions import MARK
from facewarp.errors import FacewarpError

#: What files and folders are called in which every patient has the same.
_PLAIN_NAMES: Final = {
    "sa", "sax", "short_axis", "cine", "cine_sa", "sa_cine", "4d", "dicom", "study", "image",
    "images",
}  # fmt: skip


def discover(paths: Sequence[Path]) -> dict[str, Path]:
    """Find the patients of some paths, by name.

    A path is a cine as `open_cine` reads it; a folder of such:
    patients' folders with an ``Info.cfg`` at any depth, NIfTI files of four axes, folders at any
    depth that hold NIfTI, or DICOM examinations, told apart by their UIDs; or a list, a ``.txt``
    or ``.csv`` file with one path a line (its first column), relative to itself, ``#`` beginning a
    comment.

    Raises:
        FacewarpError: two patients of one name, or a list that names nothing.
    """
    names: dict[str, Path] = {}
    for path in paths:
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
    if any(is_dicom(p) for p in path.iterdir() if p.is_file()):
        folders.add(path)  # pictures beside the folders of others are not passed over
    return sorted(folders) or [path]


def _in_files(folder: Path) -> list[Path]:
    """Find the patients in a folder's own NIfTI files: several cines, or all as one patient."""
    files = sorted(p for p in folder.iterdir() if is_nifti(p))
    if not files:
        return []
    axes = {p: axes_of(p) for p in files}
    pictures, _ = cines_apart([p for p in files if not is_label_file(p)], None)
    cines = [p for p in pictures if axes[p] in (4, 0)]  # what can't be read is reported later
    whole = sum(axes[p] == 4 for p in pictures)
    slices = any(axes[p] == 4 and _is_one_slice(p) for p in pictures)
    return cines if whole > 1 and not slices else [folder]


def _nifti_below(folder: Path) -> list[Path]:
    """Find folders at any depth that hold NIfTI, or the cines in them."""
    found = []
    for sub in sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".")):
        if not _is_result(sub):
            found += _in_files(sub) or _nifti_below(sub)
    return found


def _is_result(folder: Path) -> bool:
    """Whether a folder holds a patient's results: --out may lie among the patients."""
    return (folder / MARK).is_file()


def _dicom_below(folder: Path) -> list[Path]:
    """Folders of DICOM examinations, each as high up as it holds no other; [] for one alone."""
    studies: dict[Path, str] = {}
    for place in sorted({path.parent for path in dicom_files(folder)}):
        if _is_result(place):
            continue
        studies[place] = _study(next(p for p in sorted(place.iterdir()) if is_dicom(p)))
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


def _study(path: Path) -> str:
    """Return what tells an examination from others; a file that tells none has its folder's."""
    try:
        data = read_header(path, specific_tags=["StudyInstanceUID"])
        with naming(path):
            return str(tag_value(data, "StudyInstanceUID") or path.parent)
    except FacewarpError:
        return str(path.parent)


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
    return above.name if name.lower() in _PLAIN_NAMES and above.name else name
