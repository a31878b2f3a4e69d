"""Parts of a heart on the scan's own slices, by a part network of slices.

The network sees one slice at a time, finely, with two on either side as further channels
(2.5D): the next slice is 5 to 10 mm away and seldom lies as its neighbour does, so that it says
where base and apex are rather than where an outline is.
"""

from collections.abc import Callable
from typing import Final, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.model_grid import Array3, ModelGrid, model_input
from facewarp.cardiac.parts import HeartPart
from facewarp.core.config import ModelConfig
from facewarp.core.geometry import Shape

Floats = NDArray[np.float32]

SLICES: Final = "heart-slices"
"""Kind of the part networks' configurations."""

REACH: Final = 2  # slices read on either side
_TILE: Final = 16  # px; windows are whole multiples: networks halve them
_APART_MM: Final = 9.0  # between slices read together: thinner ones are skipped over


def slice_step(thickness_mm: float) -> int:
    """Return how many slices of a stack lie from one that is read to the next."""
    return max(1, round(_APART_MM / thickness_mm))


def with_neighbors(stack: NDArray[np.float32], step: int = 1) -> NDArray[np.float32]:
    """Put each slice of a stack together with those beside it.

    Args:
        stack: ``(..., D, H, W)``, from base to apex.
        step: see `slice_step`.

    Returns:
        ``(..., D, 2 * REACH + 1, H, W)``; 0 beyond the ends of the stack.
    """
    beyond = [(0, 0)] * (stack.ndim - 3) + [(REACH * step, REACH * step), (0, 0), (0, 0)]
    framed, depth = np.pad(stack, beyond), stack.shape[-3]
    beside = [framed[..., k * step : k * step + depth, :, :] for k in range(2 * REACH + 1)]
    return np.stack(beside, axis=-3)


class SliceModel(Protocol):
    """What is needed of a part network of slices; `model.Model` has it."""

    config: ModelConfig

    def on_grid(self, shape: Shape) -> Self:
        """The model on slices of another size."""

    def probabilities(self, images: Tensor) -> Tensor:
        """Part probabilities ``(B, K, H, W)`` of slices with neighbors ``(B, N, H, W)``."""


def slice_parts(
    model: SliceModel, volume: Volume, roi: ModelGrid, step: Callable[[int], None] | None = None
) -> Floats:
    """Segment a volume or cine on its own voxels: part probabilities ``(T, K, D, H, W)``.

    Args:
        model: a part network of slices, e.g. ``load("heart-slices")``.
        volume: the volume or cine.
        roi: the heart's window, see `heart_roi.around_heart`; all is background beyond it.
        step: called with the number of phases done.
    """
    grid = slice_grid(volume, roi, model.config.spacing_mm)
    found = segment_slices(model, slice_input(volume, grid), grid.spacing_mm[2], step)
    parts = grid.to_volume_grid(found)
    parts[:, HeartPart.BACKGROUND] += 1 - parts.sum(axis=1)
    return parts


def slice_grid(volume: Volume, roi: ModelGrid, spacing_mm: tuple[float, ...]) -> ModelGrid:
    """Return the grid of a volume's own slices in a region of interest.

    Args:
        volume: the volume or cine.
        roi: the heart's window, see `heart_roi.around_heart`; its axes are those of the grid.
        spacing_mm: of the model's pixels, along x and y.

    Returns:
        A grid whose slices are all the volume's, the first nearest to the base.
    """
    turn = roi.turn
    stack = int(np.abs(turn[:, 2]).argmax())
    depth, thickness = volume.shape[::-1][stack], volume.spacing_mm[stack]
    ends = np.array([[0, 0, 0, 1], [*(n - 1 for n in roi.shape[::-1]), 1]]).T
    cx, cy, cz = (roi.to_volume @ ends)[:3].mean(axis=1).tolist()
    width, height = (
        _TILE * int(np.ceil(n * size / (px * _TILE) - 1e-6))
        for n, size, px in zip(roi.shape[:0:-1], roi.spacing_mm, spacing_mm, strict=False)
    )
    center = [cx, cy, cz]
    center[stack] = (depth - 1) / 2
    spacing: Array3 = (spacing_mm[0], spacing_mm[1], thickness)
    grid = ModelGrid.around(
        volume, (depth, height, width), spacing, (center[0], center[1], center[2]), turn
    )
    matrix = grid.to_volume.copy()  # slices exactly on those of the volume
    first = 0.0 if turn[stack, 2] > 0 else depth - 1.0
    matrix[stack, 3] = first - matrix[stack, :2] @ [(width - 1) / 2, (height - 1) / 2]
    return ModelGrid(grid.shape, spacing, volume.shape, matrix)


def segment_slices(
    model: SliceModel,
    images: Floats,
    thickness_mm: float,
    step: Callable[[int], None] | None = None,
) -> Floats:
    """Segment each slice of each phase: part probabilities ``(T, K, D, H, W)``.

    Args:
        model: a part network of slices.
        images: ``(T, D, H, W)`` in 0..1 on a `slice_grid`.
        thickness_mm: from slice to slice.
        step: called with the number of phases done.
    """
    model = model.on_grid(images.shape[-2:])
    apart, found = slice_step(thickness_mm), []
    for phase in images:
        seen = model.probabilities(torch.from_numpy(with_neighbors(phase, apart)))
        found.append(seen.cpu().numpy().transpose(1, 0, 2, 3))
        if step:
            step(1)
    return np.ascontiguousarray(np.stack(found), dtype=np.float32)


def slice_input(volume: Volume, grid: ModelGrid) -> Floats:
    """Return a volume or cine on a `slice_grid` as the network sees it, ``(T, D, H, W)``."""
    data = volume.data if volume.data.ndim == 4 else volume.data[None]
    return model_input(data, grid)
