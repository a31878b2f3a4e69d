"""The two published protocols of cardiac registration on ACDC: patients, grid, labels."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.model_grid import Array3, ModelGrid
from facewarp.cardiac.parts import HeartPart
from facewarp.core import fields
from facewarp.errors import FacewarpError
from facewarp.training.dataloading.heart_data import (
    LAST_OF_TRAINING_SET,
    chosen_patients,
    patient_folders,
    spans,
)
from facewarp.training.datasets.acdc import number_in_group, patient_number

SDLOGJ = (
    "standard deviation of log(J + 3), two voxels left out at every side of the grid "
    "(as MemWarp's published code has it)"
)
SDLOGJ_STRICT = "standard deviation of log(J), J clipped to 1e-9 and more, over the whole grid"


@dataclass(frozen=True)
class HeartProtocol:
    """An evaluation protocol: patients, grid, treatment of labels.

    Attributes:
        name: ``"paper"`` or ``"memwarp"``.
        shape: (D, H, W) of the grid that labels are compared on.
        spacing_mm: of that grid, along x, y, z.
        both_directions: ED to ES is measured too, and the two averaged.
        nearest: labels are warped by the nearest voxel; else one-hot, linear, argmax.
        tested: positions in each 20 of the training set's patients that are tested on.
        prefers_official: the challenge's own test patients are used where present.
    """

    name: str
    shape: tuple[int, int, int]
    spacing_mm: Array3
    both_directions: bool
    nearest: bool
    tested: range
    prefers_official: bool

    def grid(self, volume: Volume) -> ModelGrid:
        """Return the protocol's grid, around the middle of a stack."""
        return ModelGrid.around(volume, self.shape, self.spacing_mm)

    def carry(self, labels: NDArray[np.uint8], field: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Warp labels of moving (D, H, W) to fixed by a field (3, D, H, W)."""
        moving, u = torch.from_numpy(labels)[None], torch.from_numpy(field)[None]
        if self.nearest:
            found = fields.warp(moving[None].float(), u, mode="nearest")[0]
        else:
            found = fields.warp_labels(moving, u, len(HeartPart))
        return found[0].numpy().astype(np.uint8)

    def patients(self, folder: Path, numbers: str | None = None) -> tuple[str, list[Path]]:
        """Return the folders of the patients to measure on, and a name for them.

        Args:
            folder: holds patients' folders, at any depth.
            numbers: to select, see `chosen_patients`; None for the protocol's own.

        Raises:
            FacewarpError: there are none.
        """
        folders = patient_folders(folder)
        if numbers is not None:
            chosen = chosen_patients(folders, numbers)
            return f"patients {_spans(chosen)}", chosen
        ours = [p for p in folders if patient_number(p.name) <= LAST_OF_TRAINING_SET]
        official = [p for p in folders if patient_number(p.name) > LAST_OF_TRAINING_SET]
        if official and (self.prefers_official or not ours):
            return f"official test patients {_spans(official)}", official
        chosen = [p for p in ours if number_in_group(p.name) in self.tested]
        if not chosen:
            what = f"none of the patients of the protocol {self.name!r} are here"
            fix = f"They are {self.tested[0]} to {self.tested[-1]} of every 20; or name --patients."
            raise FacewarpError(what, folder, fix)
        kind = "validation" if self.prefers_official else "test"
        return f"{kind} patients {_spans(chosen)}", chosen


PROTOCOLS = {
    "paper": HeartProtocol(
        name="paper",
        shape=(64, 128, 128),
        spacing_mm=(1.56, 1.56, 1.56),
        both_directions=False,
        nearest=False,
        tested=range(15, 21),
        prefers_official=False,
    ),
    "memwarp": HeartProtocol(
        name="memwarp",
        shape=(16, 128, 128),
        spacing_mm=(1.8, 1.8, 10.0),
        both_directions=True,
        nearest=True,
        tested=range(18, 21),
        prefers_official=True,
    ),
}


def carry_field(
    field: NDArray[np.float32], source: ModelGrid, target: ModelGrid
) -> NDArray[np.float32]:
    """Resample a displacement field from one grid to another in the same volume.

    Args:
        field: (3, D, H, W) voxels of `source`, channels x, y, z.
        source: the grid of the field.
        target: the grid of the result.

    Returns:
        (3, *target.shape) voxels of `target`: the same motion in millimetres.
    """
    if source.shape == target.shape and np.allclose(source.to_volume, target.to_volume):
        return field
    between = target.from_volume @ source.to_volume
    return ModelGrid(source.shape, source.spacing_mm, target.shape, between).field_to_volume(field)


def _spans(folders: list[Path]) -> str:
    return spans([patient_number(path.name) for path in folders])
