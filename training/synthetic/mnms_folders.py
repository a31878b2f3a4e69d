"""Patients' folders in the layouts of M&Ms and M&Ms-2, with hearts that are drawn."""

from collections.abc import Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.label_order import MNMS
from facewarp.training.synthetic.acdc_folders import SMALL, SPACING_MM, drawn_heart
from facewarp.training.synthetic.beating_heart import BeatingCine, beating_cine

_PHASES = 5
_TO_WORLD = np.diag([-1.0, -1.0, 1.0, 1.0])
TABLE = "211230_M&Ms_Dataset_information_diagnosis_opendataset.csv"
TABLE_2 = "dataset_information.csv"


def write_drawn_mnms(folder: Path, names: Sequence[str], split: str = "Testing") -> list[Path]:
    """Write patients as M&Ms has them: a cine, labels of two phases, and the table.

    Args:
        folder: gets the table and ``SPLIT/NAME``.
        names: such as ``A0S9V9``; each draws a heart of its own.
        split: ``"Training/Labeled"``, ``"Validation"`` or ``"Testing"``.

    Returns:
        The patients' folders.
    """
    folders, rows = [], [",External code,VendorName,Vendor,Centre,ED,ES,Age,Pathology,Sex"]
    for number, name in enumerate(names, start=1):
        cine, es = _drawn(number)
        labels = np.zeros_like(cine.labels)
        labels[[0, es]] = _in_their_order(cine.labels[[0, es]])
        place = folder / split / name
        place.mkdir(parents=True)
        _write(place / f"{name}_sa.nii.gz", _gray(cine.images), cine)
        _write(place / f"{name}_sa_gt.nii.gz", labels, cine)
        rows.append(f"{number},{name},Siemens,A,1,0,{es},50,HCM,F")
        folders.append(place)
    (folder / TABLE).write_text("\n".join(rows) + "\n", "utf-8")
    return folders


def write_drawn_mnms2(folder: Path, numbers: Sequence[int]) -> list[Path]:
    """Write patients as M&Ms-2 has them: both moments, their labels, and the table.

    Returns:
        The patients' folders, ``dataset/NNN``.
    """
    folders, rows = [], ["SUBJECT_CODE,DISEASE,VENDOR,SCANNER,FIELD"]
    for number in numbers:
        cine, es = _drawn(number)
        name = f"{number:03d}"
        place = folder / "dataset" / name
        place.mkdir(parents=True)
        _write(place / f"{name}_SA_CINE.nii.gz", _gray(cine.images), cine)
        for moment, phase in (("ED", 0), ("ES", es)):
            _write(place / f"{name}_SA_{moment}.nii.gz", _gray(cine.images[phase]), cine)
            drawn = _in_their_order(cine.labels[phase])
            _write(place / f"{name}_SA_{moment}_gt.nii.gz", drawn, cine)
        rows.append(f"{number},LV,SIEMENS,Symphony,1.5")
        folders.append(place)
    (folder / TABLE_2).write_text("\n".join(rows) + "\n", "utf-8")
    return folders


def _drawn(number: int) -> tuple[BeatingCine, int]:
    cine = beating_cine(drawn_heart(number), _PHASES, SMALL, SPACING_MM, seed=number)
    return cine, int(cine.contraction.argmax())


def _in_their_order(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    ids = np.zeros_like(labels)
    for one, part in MNMS.parts.items():
        ids[labels == part] = one
    return ids


def _gray(images: NDArray[np.float32]) -> NDArray[np.int16]:
    return np.rint(600 * images).astype(np.int16)


def _write(path: Path, data: NDArray[np.generic], cine: BeatingCine) -> None:
    image = nib.Nifti1Image(np.asarray(data).T, _TO_WORLD @ cine.to_heart)
    nib.save(image, path)
