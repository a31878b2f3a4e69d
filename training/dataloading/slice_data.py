"""Patients for training and validation of a part network of slices.

Of every 20 patients, who share a diagnosis, 1 to 17 are trained on and 18 to 20 choose the
weights: MemWarp's split. Both phases, and slices beyond base and apex too, which are background.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError
from facewarp.training.config.train_config import TrainConfig
from facewarp.training.dataloading.heart_data import (
    LAST_OF_TRAINING_SET,
    patient_folders,
    spans,
)
from facewarp.training.dataloading.slice_augmentation import SliceAugment
from facewarp.training.dataloading.slice_batches import SliceBatches, SliceStack
from facewarp.training.datasets.acdc import HeartPatient, number_in_group, patient_number
from facewarp.training.datasets.hearts import load_patient

HELD_OUT = range(18, 21)
_SEEN_MM = 40.0  # around the heart, where gray values are counted as in use
_KEPT_MM = 110.0  # around the heart's middle: what views can reach


@dataclass
class SliceData:
    """The patients of a training run.

    Attributes:
        stacks: what is trained on: end-diastole and end-systole of each patient.
        patients: numbers of the patients trained on.
        held_out: patients kept for validation, never trained on.
        name: of the folder they were read from.
    """

    stacks: list[SliceStack]
    patients: list[int]
    held_out: list[HeartPatient] = field(default_factory=list)
    name: str = ""

    @property
    def description(self) -> str:
        """One line: the folder, the patients' numbers and their count."""
        return f"{self.name}: {spans(self.patients)} ({len(self.patients)} patients)"

    @property
    def size(self) -> int:
        """Number of patients trained on."""
        return len(self.patients)

    def batches(self, config: TrainConfig, workers: int) -> SliceBatches:
        """Return batches of random views of the slices."""
        height, width = config.trained_model.grid_shape
        augment = SliceAugment.of_strength(config.augment)
        return SliceBatches(
            self.stacks,
            config.batch,
            (height, width),
            config.model.spacing_mm[0],
            augment,
            seed=config.seed,
            workers=workers,
        )


def slice_training_data(
    folder: Path,
    *,
    held_out: Sequence[int] | None = None,
    hold_out: bool = True,
) -> SliceData:
    """Read patients of every 20 for training, and others for validation.

    Args:
        folder: holds patients' folders, at any depth.
        held_out: numbers of those who choose the weights, among the 20 of each diagnosis; all
            others are trained on. None for `HELD_OUT`.
        hold_out: without it these aren't read.

    Raises:
        FacewarpError: there are no such patients, or one of them can't be read.
    """
    folders = [p for p in patient_folders(folder) if patient_number(p.name) <= LAST_OF_TRAINING_SET]
    choosing = HELD_OUT if held_out is None else held_out
    learnt = [p for p in folders if number_in_group(p.name) not in choosing]
    kept = [p for p in folders if hold_out and number_in_group(p.name) in choosing]
    if not learnt:
        wanted = ", ".join(str(n) for n in range(1, 21) if n not in choosing)
        fix = f"Of every 20 these are trained on: {wanted}; folders are named patient001, ..."
        raise FacewarpError("there are no patients to train on", folder, fix)
    if hold_out and not kept:
        what = (
            f"there are no patients to validate with: {', '.join(map(str, choosing))} of every 20"
        )
        raise FacewarpError(what, folder, "Add some, or train with --no-validate.")
    stacks = [stack for path in learnt for stack in slice_stacks(load_patient(path))]
    numbers = [patient_number(path.name) for path in learnt]
    return SliceData(stacks, numbers, [load_patient(p) for p in kept], folder.resolve().name)


def slice_stacks(patient: HeartPatient) -> list[SliceStack]:
    """Return a patient's phases, cut around the heart and with the base first."""
    images, labels = patient.stacked(), np.stack([one.data for one in patient.labels])
    x_mm, y_mm, z_mm = patient.images[0].spacing_mm
    low, high = _box(np.asarray(labels.any(axis=0)))
    seen = _around(low, high, _SEEN_MM, (x_mm, y_mm))
    counted = np.zeros(images.shape[1:], dtype=bool)
    counted[:, *seen] = True
    grays = _scaled(images, counted)
    middle = (low + high) / 2
    kept = _around(middle, middle, _KEPT_MM, (x_mm, y_mm))
    grays, labels = grays[:, :, *kept], labels[:, :, *kept]
    if base_is_last(labels):
        grays, labels = grays[:, ::-1], labels[:, ::-1]
    center = (float(middle[0] - kept[1].start), float(middle[1] - kept[0].start))
    parts = np.arange(len(HeartPart))
    return [
        SliceStack(
            np.ascontiguousarray(gray),
            np.where(ids[..., None] == parts, 255, 0).astype(np.uint8),
            (x_mm, y_mm),
            center,
            z_mm,
        )
        for gray, ids in zip(grays, labels, strict=True)
    ]


def base_is_last(labels: NDArray[np.uint8]) -> bool:
    """Whether a labelled stack runs from apex to base: hearts are wider at the base.

    Args:
        labels: (..., D, H, W) part ids.
    """
    areas = (labels > 0).sum(axis=(-1, -2)).reshape(-1, labels.shape[-3]).sum(axis=0)
    inside = np.flatnonzero(areas)
    first, last = areas[inside[: len(inside) // 2]], areas[inside[-(len(inside) // 2) :]]
    return bool(last.sum() > first.sum())


def _scaled(images: NDArray[np.float32], counted: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Scale gray values as `normalize` does, by the voxels counted, and keep the others too."""
    inside = images[:, counted]
    low, high = np.percentile(inside, (1.0, 99.0))
    return ((images - np.float32(low)) / np.float32(max(high - low, 1e-6))).clip(0, 1)


def _box(heart: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last pixel (x, y) of a heart (D, H, W)."""
    _, y, x = np.nonzero(heart)
    return np.array([x.min(), y.min()], float), np.array([x.max(), y.max()], float)


def _around(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    margin_mm: float,
    spacing_mm: tuple[float, float],
) -> tuple[slice, slice]:
    """Rows and columns from `low` to `high` (x, y) with a margin; cut by the caller's array."""
    margin = margin_mm / np.array(spacing_mm)
    first = np.maximum(np.floor(low - margin), 0).astype(int)
    last = np.ceil(high + margin).astype(int) + 1
    return slice(int(first[1]), int(last[1])), slice(int(first[0]), int(last[0]))
