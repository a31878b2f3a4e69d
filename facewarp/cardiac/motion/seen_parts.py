"""Parts of every phase of a cine: on the scan's own slices, or on a heart model's grid."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.cycle_registration import Floats, segment
from facewarp.cardiac.motion.heart_roi import HeartModel
from facewarp.cardiac.motion.model_grid import ModelGrid, model_input
from facewarp.cardiac.motion.slice_parts import (
    MiddleSlices,
    SliceModel,
    SliceParts,
    slice_parts,
)
from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray


@dataclass(frozen=True, eq=False)
class SeenParts:
    """What the model sees in each phase.

    Attributes:
        parts: ``(T, K, d, h, w)`` probabilities on the grid of its features.
        lv: ``(T,)`` size of the left ventricle.
        finest, finest_grid: the finest probabilities there are, and where.
        fine: the parts on the scan's own slices, where it has a network for them.
        volumes_ml: ``(T, K)`` of those, see `SliceParts.volumes_ml`; None without.
    """

    parts: Floats
    lv: FloatArray
    finest: Floats | NDArray[np.float16]
    finest_grid: ModelGrid
    fine: SliceParts | None = None
    volumes_ml: FloatArray | None = None

    @classmethod
    def of_slices(cls, fine: SliceParts, model: HeartModel, grid: ModelGrid) -> Self:
        """Return what was seen on a scan's own slices, for a model on a grid around the heart."""
        parts = fine.on_grid(grid, model.on_grid(grid.shape).config.feature_shape)
        volumes = fine.volumes_ml()
        lv = volumes[:, HeartPart.LV]
        return cls(parts, lv, fine.probabilities, fine.grid, fine, volumes)

    def lighter(self) -> "SeenParts":
        """Return the same, the finest probabilities in half the memory: `SliceParts.lighter`."""
        if self.fine is None:
            return self
        fine = self.fine.lighter()
        return replace(self, finest=fine.probabilities, fine=fine)


def see_parts(
    model: HeartModel,
    slices: SliceModel | None,
    volume: Volume,
    grid: ModelGrid,
    step: Callable[[int], None] | None = None,
    middle: MiddleSlices | None = None,
) -> SeenParts:
    """Segment every phase: on the scan's own slices where there is a network for them.

    Args:
        model: a heart model.
        slices: its part network of slices, see `slice_parts.slices_beside`.
        volume: the cine.
        grid: the window around the heart.
        step: called with the number of phases done.
        middle: slices of the same window that were seen already.
    """
    model = model.on_grid(grid.shape)
    if slices is None:
        parts = segment(model, model_input(volume.data, grid), step)
        lv = parts[:, HeartPart.LV].sum(axis=(1, 2, 3), dtype=np.float64)
        depth, height, width = parts.shape[2:]
        return SeenParts(parts, lv, parts, grid.resized((depth, height, width)))
    return SeenParts.of_slices(slice_parts(slices, volume, grid, step, middle), model, grid)
