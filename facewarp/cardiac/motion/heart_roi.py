"""Where the heart is in a stack of slices: the window that a model looks through."""

import math
from typing import Final, Protocol, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.model_grid import Array3, ModelGrid, model_input
from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.core.config import ModelConfig
from facewarp.core.geometry import Shape
from facewarp.errors import FacewarpError

_MARGIN_MM: Final = 25.0  # around the heart; what surrounds it helps to see it
_TILE: Final = 16  # in the slices, windows are whole multiples of this: networks halve them
_LEAST: Final = 96  # px of a window's side
SEEN: Final = 0.5  # probability from which a voxel counts as heart
_LEAST_ML: Final = 10.0  # less than this is no heart


class HeartModel(Protocol):
    """What is needed of a model; `model.Model` has it."""

    config: ModelConfig
    sha256: str

    def on_grid(self, shape: Shape) -> Self:
        """Return the model on a grid of another size."""

    def rough(self) -> "HeartModel | None":
        """Return a quicker model that sees about the same, or None; for choices looked at again."""

    def release(self) -> None:
        """Give memory back that is made again, at some cost, when the model next runs."""

    def probabilities(self, images: Tensor) -> Tensor:
        """Part probabilities ``(B, K, *feature_shape)`` of images ``(B, 1, *grid_shape)``."""

    def fields(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """Fields ``(B, 3, *field_shape)`` from part probabilities."""


def around_heart(model: HeartModel, volume: Volume, phase: int, turn: FloatArray) -> ModelGrid:
    """Find the window around the heart in a volume or cine: all slices, and a margin.

    The model looks at the middle of the stack through the window it was trained with, and again
    around what it saw if that is not in the middle.

    Args:
        model: a heart model.
        volume: the volume or cine.
        phase: which phase to look at.
        turn: order and direction of the axes; see `ModelGrid.around`.

    Raises:
        FacewarpError: the model sees no heart there.
    """
    spacing, full = _spacing(model.config), _shape3(model.config.grid_shape)
    middles = [(n - 1) / 2 for n in volume.shape[::-1]]
    stack = int(np.abs(turn[:, 2]).argmax())
    middles[stack] = sum(volume.pictured(stack)) / 2
    grid = ModelGrid.around(volume, full, spacing, (middles[0], middles[1], middles[2]), turn)
    for _ in range(3):
        low, high = _heart_box(model, volume, grid, phase)
        middle = (low + high) / 2
        away_mm = (middle - (np.asarray(full[::-1]) - 1) / 2) * spacing
        cx, cy, cz = (grid.to_volume @ np.append(middle, 1.0))[:3].tolist()
        center = (cx, cy, cz)
        if np.abs(away_mm[:2]).max() < _MARGIN_MM / 2:
            break
        grid = ModelGrid.around(volume, full, spacing, center, turn)
    wanted = (high - low) + 2 * _MARGIN_MM / np.asarray(spacing)
    width, height = (
        min(max(int(np.ceil(n / _TILE)) * _TILE, _LEAST), most)
        for n, most in zip(wanted[:2].tolist(), full[:0:-1], strict=True)
    )
    multiple = math.lcm(2, model.config.grain[0])
    return stack_roi(volume, (height, width), spacing, center, turn=turn, multiple=multiple)


def stack_roi(
    volume: Volume,
    size: tuple[int, int],
    spacing_mm: Array3,
    center_vox: Array3,
    depth: int | None = None,
    turn: FloatArray | None = None,
    multiple: int = 2,
) -> ModelGrid:
    """Return a window of given height and width around a point.

    Args:
        volume: the volume or cine.
        size: ``(H, W)`` px.
        spacing_mm: of the window, along x, y, z.
        center_vox: voxels ``(x, y, z)`` of the volume; along the stack its middle counts.
        depth: slices; by default all that hold a picture and one beyond each end, or more.
        turn: see `ModelGrid.around`.
        multiple: what the depth that isn't given is a multiple of.
    """
    probe = ModelGrid.around(volume, (2, *size), spacing_mm, center_vox, turn)
    along = int(np.abs(probe.to_volume[:3, 2]).argmax())
    first, last = volume.pictured(along)
    needed = int(np.ceil((last - first + 1) / abs(probe.to_volume[along, 2]) - 1e-6)) + 2
    center = np.asarray(center_vox, dtype=np.float64)
    center[along] = (first + last) / 2
    cx, cy, cz = center.tolist()
    depth = depth or needed + -needed % multiple
    return ModelGrid.around(volume, (depth, *size), spacing_mm, (cx, cy, cz), turn)


def _heart_box(
    model: HeartModel, volume: Volume, grid: ModelGrid, phase: int
) -> tuple[FloatArray, FloatArray]:
    """First and last voxel ``(x, y, z)`` of the grid that the largest heart in it reaches."""
    heart = 1 - window_parts(model, volume, grid, phase)[HeartPart.BACKGROUND]
    seen, count = ndimage.label(heart > SEEN)
    ratio = np.asarray(grid.shape) / heart.shape
    voxel_ml = float(np.prod(grid.spacing_mm) * np.prod(ratio)) / 1000
    sizes_ml = np.bincount(seen.ravel(), minlength=2)[1:] * voxel_ml
    if not count or sizes_ml.max() < _LEAST_ML:
        what = "the model sees no heart here"
        raise FacewarpError(what, volume.path, "It takes short-axis cine MRI.")
    box = ndimage.find_objects(seen)[int(sizes_ml.argmax())]
    low = [(axis.start + 0.5) * r - 0.5 for axis, r in zip(box, ratio, strict=True)]
    high = [(axis.stop - 0.5) * r - 0.5 for axis, r in zip(box, ratio, strict=True)]
    return np.array(low[::-1]), np.array(high[::-1])


def window_parts(
    model: HeartModel, volume: Volume, grid: ModelGrid, phase: int
) -> NDArray[np.float32]:
    """Part probabilities ``(K, d, h, w)`` of one phase."""
    data = volume.data[phase] if volume.data.ndim == 4 else volume.data
    image = torch.from_numpy(model_input(data, grid))[None, None]
    return np.asarray(model.probabilities(image)[0].cpu().numpy())


def _shape3(shape: Shape) -> tuple[int, int, int]:
    depth, height, width = shape
    return depth, height, width


def _spacing(config: ModelConfig) -> Array3:
    if config.kind != "heart":
        raise FacewarpError(f"this is a model of kind {config.kind!r}", fix="Give a heart model.")
    if len(config.spacing_mm) != 3:
        what = f"this heart model tells {len(config.spacing_mm)} voxel sizes instead of 3"
        raise FacewarpError(what, fix="Give the weights that training wrote, or train anew.")
    x, y, z = config.spacing_mm
    return x, y, z
