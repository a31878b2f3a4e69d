"""Segmentations and contours in one file or in a folder of them, as labels of a cine's phases."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.dicom_frames import read_header
from facewarp.cardiac.io.dicom_labels.contours import read_contours
from facewarp.cardiac.io.dicom_labels.phases import PHASE_FIX
from facewarp.cardiac.io.dicom_labels.segmentation import Drawn, read_segmentation
from facewarp.cardiac.io.dicom_labels.structures import (
    PartChoice,
    compose,
    moment_in,
    refuse_twice,
)
from facewarp.cardiac.io.dicom_series import find_dicom
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

Labels = NDArray[np.uint8]

_KINDS: Final = {"SEG": read_segmentation, "RTSTRUCT": read_contours}


@dataclass(frozen=True, eq=False)
class DicomLabels:
    """Labels of one phase that is not told, or of some phases.

    Attributes:
        data: ``(T, D, H, W)`` part ids; T is 1, or the cine's number of phases.
        filled: indices of the phases that are drawn, where T is the cine's.
        moment: ``"ED"`` or ``"ES"`` where the structures' names say so; "" otherwise.
        own_ml: volume of the left ventricle in all phases on the file's own grid; None for
            contours.
        warnings: what is to be said, one sentence each.
    """

    data: Labels
    filled: tuple[int, ...]
    moment: str
    own_ml: float | None
    warnings: tuple[str, ...]


def label_files(path: Path) -> list[Path]:
    """Return the segmentations and structure sets of a folder, or a DICOM file itself.

    Raises:
        FacewarpError: there are none.
    """
    files = list(find_dicom(path).files)
    kinds = [(one, modality_of(one)) for one in files]
    found = [one for one, kind in kinds if kind in _KINDS]
    if not found:
        what = "this DICOM is no labels" if path.is_file() else "there are no DICOM labels here"
        fix = "Give a segmentation (SEG), contours (RTSTRUCT), or NIfTI."
        raise FacewarpError(what, path, fix)
    return found


def modality_of(path: Path) -> str:
    """Return the modality that a DICOM file tells."""
    return str(read_header(path, specific_tags=["Modality"]).get("Modality", ""))


def read_dicom_labels(path: Path, volume: Volume, choice: PartChoice) -> DicomLabels:
    """Read segmentations and contours onto a cine's grid.

    Args:
        path: a file, or a folder of files that each draw other phases.
        volume: the cine, slices first.
        choice: what the user says of the structures.

    Raises:
        FacewarpError: there are no labels, or what `read_segmentation` and `read_contours` refuse.
    """
    drawn = [_KINDS[modality_of(one)](one, volume, choice) for one in label_files(path)]
    said = list(dict.fromkeys(text for one in drawn for text in one.warnings))
    phases: dict[int | None, Labels] = {}
    by: dict[int | None, Path] = {}
    own_ml: float | None = 0.0
    for one in drawn:
        if not one.bits:
            continue
        keys = list(one.bits)
        if not choice.is_given:
            refuse_twice(list(one.bits.values()), one.structures, one.path)
        parts, told = compose(np.stack([one.bits[key] for key in keys]), one.structures, one.path)
        said += [text for text in told if text not in said]
        for key, labels in zip(keys, parts, strict=True):
            if not labels.any():
                continue
            if key in by or (by and None in (key, *by)):
                _refuse_two(key, by.get(key, next(iter(by.values()))), one.path)
            phases[key], by[key] = labels, one.path
        own_ml = _with_own(own_ml, one)
    if not phases:
        raise FacewarpError("nothing is labelled", path, "Give a file with labels in it.")
    moment = moment_in([part for one in drawn for part in one.structures])
    if None in phases:
        return DicomLabels(phases[None][None], (), moment, own_ml, tuple(said))
    data = np.zeros((volume.phases, *volume.shape), np.uint8)
    filled = sorted(key for key in phases if key is not None)
    for key in filled:
        data[key] = phases[key]
    return DicomLabels(data, tuple(filled), "", own_ml, tuple(said))


def _with_own(so_far: float | None, one: Drawn) -> float | None:
    """Add a file's left ventricle on its own grid; None where there is no such grid."""
    if so_far is None or one.own is None:
        return None
    parts, _ = compose(one.own[None], one.structures, one.path)
    return so_far + float(np.count_nonzero(parts == HeartPart.LV)) * one.own_ml


def _refuse_two(key: int | None, first: Path, second: Path) -> None:
    if key is None or first == second:
        what = f"which phases {first.name} and {second.name} are of is not told"
        raise FacewarpError(what, second.parent, PHASE_FIX)
    what = f"{first.name} and {second.name} both label phase {key + 1}"
    raise FacewarpError(what, second.parent, "Give one of them.")
