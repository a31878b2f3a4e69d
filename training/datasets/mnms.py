"""M&Ms and M&Ms-2: hearts of several vendors, as the challenges distribute them.

M&Ms: ``[Training/Labeled|Validation|Testing/]A0S9V9/A0S9V9_sa.nii.gz``, the whole cine, and
``A0S9V9_sa_gt.nii.gz``, of which two phases are labelled; a table beside the folders tells them,
counted from 0, and the pathology. V. M. Campello et al.: Multi-Centre, Multi-Vendor and
Multi-Disease Cardiac Segmentation: The M&Ms Challenge, IEEE Transactions on Medical Imaging
40(12), 2021.

M&Ms-2: ``dataset/001/001_SA_ED.nii.gz``, ``001_SA_ED_gt.nii.gz``, the same of ES, and
``dataset_information.csv``; long axes and the cine lie beside them and are not read here. C.
Martin-Isla et al.: Deep Learning Segmentation of the Right Ventricle in Cardiac MRI: The M&Ms
Challenge, IEEE Journal of Biomedical and Health Informatics 27(7), 2023.

Ids are 1 left ventricle, 2 myocardium, 3 right ventricle; patients are read in this program's
order.
"""

import csv
import logging
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.cardiac.io.label_order import AUTO, MNMS
from facewarp.cardiac.io.label_reader import GivenLabels, read_labels
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.io.patient import Info
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError
from facewarp.system.user_folders import files_below
from facewarp.training.datasets.acdc import PHASES, HeartPatient

log = logging.getLogger(__name__)

_SUFFIXES: Final = (".nii.gz", ".nii")
_TABLE_LEVELS: Final = 4  # folders upwards in which the table may lie
_TESTED_2: Final = range(201, 361)  # M&Ms-2's test patients, by number
_CODES: Final = ("External code", "SUBJECT_CODE")
_GROUPS: Final = ("Pathology", "DISEASE")


def is_mnms(folder: Path) -> bool:
    """Whether a folder holds a labelled patient of M&Ms."""
    return _file(folder, "_sa_gt") is not None


def is_mnms2(folder: Path) -> bool:
    """Whether a folder holds a labelled patient of M&Ms-2."""
    return _file(folder, "_SA_ED_gt") is not None


def load_mnms_patient(folder: Path, label_order: str = AUTO) -> HeartPatient:
    """Read a patient of M&Ms: the two labelled phases of its cine.

    Raises:
        FacewarpError: a file is missing or damaged, or not two phases are labelled.
    """
    cine = read_volume(_required(folder, "_sa")).slices_first()
    labels = read_labels(_required(folder, "_sa_gt"), cine, label_order, MNMS)
    _tell(folder, labels)
    sizes = {p: int((labels.data[p] == HeartPart.LV).sum()) for p in labels.filled}
    if len(sizes) < 2:
        what = f"{len(sizes)} phases are labelled, and it takes two"
        raise FacewarpError(what, labels.path, "Leave this patient out.")
    row = _row_of(folder)
    told = tuple(_whole(row.get(moment)) for moment in PHASES)
    filled = max(sizes, key=lambda p: sizes[p]), min(sizes, key=lambda p: sizes[p])
    ed, es = (one if one in sizes else other for one, other in zip(told, filled, strict=True))
    if (ed, es) != told and any(one is not None for one in told):
        log.warning("%s: the table says phases %s, labelled are %s", folder.name, told, filled)
    images = [replace(cine, data=cine.data[phase]) for phase in (ed, es)]
    drawn = [_like(images[0], labels, phase) for phase in (ed, es)]
    info = Info(ed + 1, es + 1, _group(row), n_frames=cine.phases)
    return HeartPatient(
        folder.name, folder, info, (images[0], images[1]), (drawn[0], drawn[1]), "mnms"
    )


def load_mnms2_patient(folder: Path, label_order: str = AUTO) -> HeartPatient:
    """Read a patient of M&Ms-2: both moments of its short axis.

    Raises:
        FacewarpError: a file is missing or damaged, or the volumes don't fit each other.
    """
    images: list[Volume] = []
    drawn: list[Volume] = []
    for moment in PHASES:
        image = read_volume(_required(folder, f"_SA_{moment}")).slices_first()
        if image.data.ndim != 3 or (images and image.shape != images[0].shape):
            what = f"{moment} has other voxels than {PHASES[0]}, or several phases"
            raise FacewarpError(what, image.path, "Both moments are single volumes of one grid.")
        labels = read_labels(_required(folder, f"_SA_{moment}_gt"), image, label_order, MNMS)
        _tell(folder, labels)
        images.append(image)
        drawn.append(_like(images[0], labels, 0))
    info = Info(1, 2, _group(_row_of(folder)))  # which frames of the cine they are is not told
    return HeartPatient(
        folder.name, folder, info, (images[0], images[1]), (drawn[0], drawn[1]), "mnms2"
    )


def mnms_patients(folder: Path, chosen: str | None = None) -> tuple[str, list[Path]]:
    """Labelled patients of M&Ms to measure on, and what to call them.

    Args:
        folder: holds patients' folders, at any depth.
        chosen: ``"all"``, or names separated by commas; None for those of ``Testing``, or all
            where there is no such folder.

    Raises:
        FacewarpError: there are none.
    """
    found = _folders(folder, "_sa_gt", "A0S9V9/A0S9V9_sa_gt.nii.gz")
    if chosen is not None:
        return _named(found, chosen)
    tested = [path for path in found if "testing" in (part.lower() for part in path.parts)]
    if tested:
        return f"test patients (Testing), {len(tested)}", tested
    return f"all {len(found)} labelled patients", found


def mnms2_patients(folder: Path, chosen: str | None = None) -> tuple[str, list[Path]]:
    """Patients of M&Ms-2 to measure on: by default the challenge's test patients, 201 to 360.

    See `mnms_patients`.
    """
    found = _folders(folder, "_SA_ED_gt", "001/001_SA_ED_gt.nii.gz")
    if chosen is not None:
        return _named(found, chosen)
    tested = [path for path in found if path.name.isdecimal() and int(path.name) in _TESTED_2]
    if tested:
        return f"test patients (201 to 360), {len(tested)}", tested
    return f"all {len(found)} labelled patients", found


def _folders(folder: Path, ending: str, example: str) -> list[Path]:
    if not folder.is_dir():
        raise FacewarpError("there is no such folder", folder, "Check the path.")
    ends = tuple(f"{ending}{end}" for end in _SUFFIXES)
    found = {path.parent for path in files_below(folder) if path.name.endswith(ends)}
    if not found:
        raise FacewarpError("there are no patients here", folder, f"It takes {example}.")
    return sorted(found, key=lambda path: path.name)


def _named(found: Sequence[Path], chosen: str) -> tuple[str, list[Path]]:
    if chosen.strip().lower() == "all":
        return f"all {len(found)} labelled patients", list(found)
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    known = {path.name: path for path in found}
    absent = [name for name in names if name not in known]
    if absent or not names:
        what = f"there is no patient {', '.join(absent) or repr(chosen)}"
        raise FacewarpError(what, "--patients", f"There are {', '.join(list(known)[:5])}, ...")
    return f"patients {', '.join(names)}", [known[name] for name in names]


def _like(image: Volume, labels: GivenLabels, phase: int) -> Volume:
    """Labels of a phase as a volume on the image's grid."""
    return replace(image, data=labels.of_phase(phase), path=labels.path)


def _tell(folder: Path, labels: GivenLabels) -> None:
    for text in labels.warnings:
        if labels.order != MNMS or "in the order of" not in text:
            log.warning("%s: %s", folder.name, text)


def _file(folder: Path, ending: str) -> Path | None:
    """Return a patient's file: ``FOLDER_ending.nii.gz``, or the only one that ends so."""
    for end in _SUFFIXES:
        if (path := folder / f"{folder.name}{ending}{end}").is_file():
            return path
        found = sorted(folder.glob(f"*{ending}{end}"))
        if len(found) == 1:
            return found[0]
    return None


def _required(folder: Path, ending: str) -> Path:
    path = _file(folder, ending)
    if path is None:
        what = f"there is no file that ends with {ending}"
        raise FacewarpError(what, folder, f"It takes {folder.name}{ending}.nii.gz.")
    return path


def _row_of(folder: Path) -> dict[str, str]:
    """Return the patient's row of the table beside the folders; empty where there is none."""
    for level in list(folder.resolve().parents)[:_TABLE_LEVELS]:
        for path in sorted(level.glob("*nformation*.csv")):
            text = path.read_text("utf-8-sig", errors="replace")
            heads = text.partition("\n")[0]
            delimiter = ";" if heads.count(";") > heads.count(",") else ","  # as Excel saves it
            rows = list(csv.DictReader(StringIO(text), delimiter=delimiter))
            for row in rows:
                code = next((row[name] for name in _CODES if row.get(name)), "").strip()
                if code and (code == folder.name or code.zfill(3) == folder.name):
                    return row
    return {}


def _group(row: dict[str, str]) -> str:
    return next((row[name].strip() for name in _GROUPS if row.get(name)), "")


def _whole(text: str | None) -> int | None:
    """Return a whole number in a table that may write it as ``4.0``."""
    try:
        number = float(text) if text else float("nan")
    except ValueError:
        return None
    return int(number) if np.isfinite(number) and number == int(number) else None
