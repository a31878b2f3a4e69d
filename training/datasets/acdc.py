"""ACDC: hearts at end-diastole and end-systole with labels, as files and on a model's grid.

A patient's folder, as the challenge gives it, holds ``Info.cfg``, which gives the frames of ED and
ES (counted from 1; ED is not always the first), the two frames, and the labels of both.
O. Bernard et al.: Deep Learning Techniques for Automatic MRI Cardiac Multi-structures
Segmentation and Diagnosis, IEEE Transactions on Medical Imaging 37(11), 2018.
"""

import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.label_order import ACDC, AUTO, order_by_anatomy, order_named
from facewarp.cardiac.io.nifti_reader import read_volume
from facewarp.cardiac.io.patient import INFO, Info, frame_files, read_info
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.model_grid import Array3, ModelGrid, model_input
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

log = logging.getLogger(__name__)

GROUP_SIZE = 20  # patients 1-20 are one diagnosis, 21-40 the next, and so on
PHASES = ("ED", "ES")


@dataclass(frozen=True, eq=False)
class HeartPatient:
    """A patient at end-diastole and end-systole, as scanned and labelled.

    Attributes:
        name: the patient's folder.
        folder: where it is.
        info: content of ``Info.cfg``: the frames of ED and ES, the diagnosis, ...
        images: the two volumes: ED, ES.
        labels: their labels, parts as in `HeartPart`.
        dataset: where the patient is from, as ``facewarp eval`` names it.
    """

    name: str
    folder: Path
    info: Info
    images: tuple[Volume, Volume]
    labels: tuple[Volume, Volume]
    dataset: str = "acdc"

    def stacked(self) -> NDArray[np.float32]:
        """Return both phases' gray values, (2, D, H, W)."""
        return np.stack([volume.data for volume in self.images])


@dataclass(frozen=True, eq=False)
class HeartCase:
    """A patient on the grid of a model, or on a larger one around it.

    Attributes:
        name: the patient's folder.
        images: (2, D, H, W) float32 0..1: ED, ES.
        labels: (2, D, H, W) uint8, parts as in `HeartPart`.
    """

    name: str
    images: NDArray[np.float32]
    labels: NDArray[np.uint8]

    @property
    def center(self) -> tuple[float, float, float]:
        """Middle (x, y, z) px of the heart, over both phases."""
        places = np.nonzero(self.labels.any(axis=0))
        z, y, x = ((axis.min() + axis.max()) / 2 for axis in places)
        return float(x), float(y), float(z)


def patient_number(name: str) -> int:
    """Return the number at the end of a patient's name: 23 for ``patient023``.

    Raises:
        FacewarpError: there is none.
    """
    found = re.search(r"(\d+)$", name)
    if found is None:
        what = f"the patient {name!r} has no number, and splits go by numbers"
        raise FacewarpError(what, fix="Name folders like patient001.")
    return int(found.group(1))


def number_in_group(name: str) -> int:
    """Return a patient's position among the 20 of its diagnosis, from 1: 3 for ``patient023``."""
    return (patient_number(name) - 1) % GROUP_SIZE + 1


def load_acdc_patient(folder: Path, label_order: str = AUTO) -> HeartPatient:
    """Read a patient's folder.

    Args:
        folder: with ``Info.cfg``, the frames of ED and ES and their labels.
        label_order: convention of the labels' ids; by default what anatomy says, else ACDC's.

    Raises:
        FacewarpError: a file is missing or damaged, ``Info.cfg`` doesn't tell ED and ES, the
            volumes don't fit each other, or the labels are no parts of a heart.
    """
    info = read_info(folder)
    files, label_files = frame_files(folder)
    images, labels = [], []
    for phase, frame in zip(PHASES, (info.ed, info.es), strict=True):
        if frame not in files:
            what = f"there is no file of frame {frame}, which is {phase}"
            raise FacewarpError(what, folder, f"{INFO} and the files' names must agree.")
        if frame not in label_files:
            what = f"frame {frame} ({phase}) has no labels"
            fix = f"It takes {folder.name}_frame{frame:02d}_gt.nii.gz."
            raise FacewarpError(what, folder, fix)
        images.append(_volume(files[frame]))
        labels.append(_in_acdc_order(_volume(label_files[frame], labels=True), label_order))
        _check_labels(labels[-1])
    for volume in (images[1], *labels):
        _check_same_grid(volume, images[0])
    ed, es = images
    return HeartPatient(folder.name, folder, info, (ed, es), (labels[0], labels[1]))


def heart_case(patient: HeartPatient, shape: tuple[int, int, int], spacing_mm: Array3) -> HeartCase:
    """Resample a patient to a grid around the middle of its stack, as in inference.

    Args:
        patient: the patient.
        shape: (D, H, W) of the grid.
        spacing_mm: of the grid, along x, y, z.

    Raises:
        FacewarpError: nothing of the heart is on the grid.
    """
    grid = ModelGrid.around(patient.images[0], shape, spacing_mm)
    labels = np.stack([labels_on(grid, volume) for volume in patient.labels])
    if not labels.any():
        what = "no labelled voxel is near the middle of the stack"
        raise FacewarpError(what, patient.folder, "Cut the volumes around the heart.")
    return HeartCase(patient.name, model_input(patient.stacked(), grid), labels)


def labels_on(grid: ModelGrid, labels: Volume) -> NDArray[np.uint8]:
    """Resample labels to a grid in their volume by the nearest voxel; (D, H, W) uint8."""
    return grid.sample(labels.data, "nearest").astype(np.uint8)


def _volume(path: Path, *, labels: bool = False) -> Volume:
    volume = read_volume(path, labels=labels)
    if volume.data.ndim != 3:
        what = f"this frame has {volume.phases} phases"
        raise FacewarpError(what, path, "A frame is one volume.")
    return volume


def _in_acdc_order(labels: Volume, label_order: str) -> Volume:
    """Labels whose ids another convention has, as converters write them, in ACDC's order."""
    if label_order != AUTO:
        return replace(labels, data=order_named(label_order).apply(labels.data))
    seen = order_by_anatomy(labels.data)
    if seen is None or seen == ACDC or not seen.name:  # other ids are refused
        return labels
    log.warning("%s: labels lie as %s would: they are turned", labels.path.name, seen.text)
    return replace(labels, data=seen.apply(labels.data))


def _check_labels(labels: Volume) -> None:
    highest = int(labels.data.max())
    if highest > max(HeartPart):
        fix = "Parts are 0 background, 1 RV, 2 myocardium and 3 LV."
        raise FacewarpError(f"there are labels up to {highest}", labels.path, fix)
    if not (labels.data == HeartPart.LV).any():
        raise FacewarpError("no voxel is labelled 3, the left ventricle", labels.path)


def _check_same_grid(volume: Volume, first: Volume) -> None:
    if volume.shape != first.shape:
        sizes = [" x ".join(str(n) for n in v.shape[::-1]) for v in (volume, first)]
        what = f"this file has {sizes[0]} voxels, {first.path.name} {sizes[1]}"
        raise FacewarpError(what, volume.path, "All four volumes need the same voxels.")
    if not np.allclose(volume.affine, first.affine, rtol=1e-2, atol=0.1):
        what = f"this file lies elsewhere in the world than {first.path.name}"
        raise FacewarpError(what, volume.path, "All four volumes need the same place and spacing.")
