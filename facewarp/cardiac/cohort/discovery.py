"""Find the patients that a command line names: files, folders, lists."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from facewarp.cardiac.io.dicom_series import dicom_files
from facewarp.cardiac.io.nifti_reader import is_nifti, stem
from facewarp.cardiac.io.patient import INFO, find_patients
from facewarp.errors import FacewarpError

LISTS: Final = (".txt", ".lst", ".csv")


def discover(paths: Sequence[Path]) -> dict[str, Path]:
    """The patients meant by some paths, by name.

    A path is a cine as :func:`~facewarp.cardiac.io.patient.open_cine` reads it; a folder of such:
    patients' folders with an ``Info.cfg`` at any depth, NIfTI files of four axes, or folders that
    hold NIfTI or DICOM; or a list, a ``.txt`` or ``.csv`` file with one path a line (its first
    column), relative to itself, ``#`` beginning a comment.

    Raises:
        FacewarpError: two patients of one name, or a list that names nothing.
    """
    names: dict[str, Path] = {}
    for path in paths:
        for source in _listed(path) if path.suffix.lower() in LISTS else _below(path):
            name = _name(source)
            if name in names and names[name].resolve() != source.resolve():
                what = f"two patients are called {name}: {names[name]} and {source}"
                raise FacewarpError(what, fix="Run them with different --out.")
            names.setdefault(name, source)
    return names


def _listed(path: Path) -> list[Path]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        what = "the list of patients cannot be read"
        raise FacewarpError(what, path, "Give a text file with one path a line.") from error
    named = [line.partition("#")[0].split(",")[0].strip().strip('"') for line in lines]
    found = [path.parent / name for name in named if name and name not in ("path", "source")]
    if not found:
        raise FacewarpError("the list names no patient", path, "Write one path a line.")
    return found


def _below(path: Path) -> list[Path]:
    """The patients in a folder; the path itself where it is one."""
    if not path.is_dir() or (path / INFO).is_file():
        return [path]
    files = sorted(p for p in path.iterdir() if is_nifti(p))
    if files:
        axes = {p: _axes(p) for p in files}
        cines = [p for p in files if axes[p] in (4, 0)]  # what can't be read shall be told of
        return cines if list(axes.values()).count(4) > 1 else [path]
    if found := find_patients(path):
        return found
    folders = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    held = [p for p in folders if any(is_nifti(f) for f in p.iterdir() if f.is_file())]
    held += [p for p in folders if p not in held and dicom_files(p)]
    return sorted(held) if held and not _one_study(held) else [path]


def _one_study(folders: Sequence[Path]) -> bool:
    """Whether several folders are the series of one examination rather than patients."""
    import pydicom

    if len(folders) < 2:
        return False
    studies = set()
    for folder in folders:
        files = dicom_files(folder)
        if not files:
            return False
        try:
            data = pydicom.dcmread(files[0], stop_before_pixels=True)
        except (OSError, ValueError, EOFError, KeyError):
            return False
        studies.add(str(data.get("StudyInstanceUID", folder.name)))
    return len(studies) == 1


def _axes(path: Path) -> int:
    """Number of a NIfTI file's axes; 0 where it cannot be read."""
    import nibabel as nib
    from nibabel.filebasedimages import ImageFileError

    try:
        return len(nib.load(path).shape)  # type: ignore[attr-defined]
    except (OSError, EOFError, ValueError, ImageFileError):
        return 0


def _name(path: Path) -> str:
    if path.is_dir():
        return path.resolve().name
    return stem(path).removesuffix("_4d") if is_nifti(path) else path.stem
