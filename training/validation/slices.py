"""Validation of part networks of slices during training: scores on held-out patients, a sheet."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.motion.slice_parts import slice_input, slice_parts
from facewarp.cardiac.parts import PART_COLORS, HeartPart
from facewarp.cardiac.short_axis import short_axis_order
from facewarp.core.metrics import dice_per_part
from facewarp.core.model import Model
from facewarp.core.networks.guided_registration import GuidedRegistration
from facewarp.drawing.png import write_png
from facewarp.training.datasets.acdc import HeartPatient

_WINDOW = (2, 96, 96)  # of 1.8 mm around the heart, as `heart_roi` takes it
_WINDOW_MM = (1.8, 1.8, 10.0)
_SHOWN = 9  # slices of a patient


class SliceValidator:
    """Score a part network on the same patients each time, as `Trainer.run` calls it.

    Args:
        patients: patients that are held out of training, one at least.
        folder: where ``validation_STEP.png`` goes: the best, the median and the worst patient.
    """

    def __init__(self, patients: Sequence[HeartPatient], folder: Path) -> None:
        self.folder = folder
        self.cases = [(patient, _grid(patient)) for patient in patients]

    def __call__(self, net: GuidedRegistration, step: int) -> dict[str, float]:
        """Return scores at a step: Dice in percent on the scan's voxels, volumes' errors in ml."""
        model = Model(net)
        dice, errors, rows = [], [], []
        for patient, window in self.cases:
            volume = replace(patient.images[0], data=patient.stacked())
            seen = slice_parts(model, volume, window)
            grid, parts = seen.grid, seen.probabilities
            images = slice_input(volume, grid)
            truth = np.stack([volume.data for volume in patient.labels])
            dice.append(
                np.nanmean([_dice(p, t, grid) for p, t in zip(parts, truth, strict=True)], 0)
            )
            lv_true = (truth == HeartPart.LV).sum((1, 2, 3)) * patient.images[0].voxel_ml
            lv = seen.volumes_ml()[:, HeartPart.LV]
            ef = 100 * (1 - lv[1] / max(lv[0], 1e-6)) - 100 * (1 - lv_true[1] / lv_true[0])
            errors.append([*(lv - lv_true), ef])
            rows.append(
                _row(images[1], parts[1], grid.sample(truth[1], "nearest").astype(np.uint8))
            )
        means = 100 * np.array(dice)
        ranked = means.mean(axis=1).argsort()[::-1]
        shown = [rows[i] for i in (ranked[0], ranked[len(ranked) // 2], ranked[-1])]
        write_png(self.folder / f"validation_{step}.png", np.concatenate(shown))
        off = np.array(errors)
        rv, myo, lv_dice = means.mean(axis=0).tolist()
        return {
            "dice_mean": float(means.mean()),
            "dice_rv": rv,
            "dice_myo": myo,
            "dice_lv": lv_dice,
            "edv_mae_ml": float(np.abs(off[:, 0]).mean()),
            "edv_bias_ml": float(off[:, 0].mean()),
            "esv_mae_ml": float(np.abs(off[:, 1]).mean()),
            "esv_bias_ml": float(off[:, 1].mean()),
            "ef_mae": float(np.abs(off[:, 2]).mean()),
            "ef_bias": float(off[:, 2].mean()),
        }


def _grid(patient: HeartPatient) -> ModelGrid:
    """Return the window around a labelled heart, of both phases."""
    volume = patient.images[0]
    places = np.nonzero(np.any([one.data for one in patient.labels], axis=0))
    z, y, x = ((axis.min() + axis.max()) / 2 for axis in places)
    turn = short_axis_order(volume.affine, volume.stack_axis)
    return ModelGrid.around(volume, _WINDOW, _WINDOW_MM, (float(x), float(y), float(z)), turn)


def _dice(
    parts: NDArray[np.float32], truth: NDArray[np.uint8], grid: ModelGrid
) -> NDArray[np.float64]:
    """Dice of each part on the volume's voxels, without background."""
    shares = grid.to_volume_grid(parts)
    shares[HeartPart.BACKGROUND] += 1e-3  # beyond the window all are 0
    return dice_per_part(shares.argmax(axis=0).astype(np.uint8), truth, len(HeartPart))


def _row(
    image: NDArray[np.float32], parts: NDArray[np.float32], truth: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Draw slices of a phase: the network's parts above the true ones."""
    chosen = np.linspace(0, len(image) - 1, _SHOWN).round().astype(int)
    rows = []
    for ids in (parts.argmax(axis=0), truth):
        cells = []
        for z in chosen:
            gray = cv2.cvtColor((255 * image[z]).astype(np.uint8), cv2.COLOR_GRAY2RGB)
            heart = ids[z][..., None] > 0
            mixed = 0.65 * gray + 0.35 * PART_COLORS[ids[z]]
            cells.append(np.where(heart, mixed, gray).astype(np.uint8))
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows)
