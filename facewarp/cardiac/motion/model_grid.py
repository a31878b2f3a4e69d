"""The grid a heart model works on, and the way there and back.

A model sees a window of fixed size, shape and spacing, its axes those of a short-axis stack as
ACDC stores them: x from the right ventricle to the left, y down, slices along z. The window is
laid into the world by the volume's affine, so that volumes of any spacing, axis order or shear
come to look alike, and what the model finds goes back to the volume's own voxels.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.affine_resampling import Order, Outside, resample
from facewarp.cardiac.io.placement import orthonormal
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.short_axis import short_axis_order
from facewarp.core.arrays import FloatArray
from facewarp.core.geometry import Grid

Array3 = tuple[float, float, float]

SHAPE: Final = (16, 128, 128)
SPACING_MM: Final = (1.8, 1.8, 10.0)
PERCENTILES: Final = (1.0, 99.0)


@dataclass(frozen=True, eq=False)
class ModelGrid:
    """A model's grid laid into a volume.

    Attributes:
        shape: of the grid, ``(D, H, W)``.
        spacing_mm: of the grid, along x, y, z.
        volume_shape: of the volume, ``(D, H, W)``.
        to_volume: (4, 4) from the grid's voxels ``(x, y, z, 1)`` to the volume's.
    """

    shape: tuple[int, int, int]
    spacing_mm: Array3
    volume_shape: tuple[int, int, int]
    to_volume: FloatArray

    @classmethod
    def around(
        cls,
        volume: Volume,
        shape: tuple[int, int, int] = SHAPE,
        spacing_mm: Array3 = SPACING_MM,
        center_vox: Array3 | None = None,
        turn: FloatArray | None = None,
    ) -> "ModelGrid":
        """Return the grid around a point of a volume.

        Its axes run along the volume's; its slices are laid onto slices of the volume as far as
        the spacings allow.

        Args:
            volume: the volume or cine.
            shape: of the grid.
            spacing_mm: of the grid, along x, y, z.
            center_vox: the point, in voxels ``(x, y, z)`` of the volume; by default its centre.
            turn: order and direction of the axes, by default that of `short_axis_order`.
        """
        if turn is None:
            turn = short_axis_order(volume.affine, volume.stack_axis)
        frame = orthonormal(volume.affine[:3, :3]) @ turn
        step = np.linalg.inv(volume.affine[:3, :3]) @ frame @ np.diag(spacing_mm)
        middle = (np.asarray(volume.shape[::-1]) - 1) / 2
        center = middle if center_vox is None else np.asarray(center_vox, dtype=np.float64)
        stack = int(np.abs(turn[:, 2]).argmax())  # the volume's axis that the grid's z runs along
        center = center.copy()
        center[stack] = round(float(center[stack] - 1e-6 * turn[stack, 2]))
        middle_vox = [(shape[2] - 1) / 2, (shape[1] - 1) / 2, (shape[0] - 1) // 2]
        first = center - step @ np.array(middle_vox)
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = step, first
        return cls(shape, spacing_mm, volume.shape, matrix)

    def resized(self, shape: tuple[int, int, int]) -> "ModelGrid":
        """Return the grid of another shape that covers the same part of the volume."""
        grid = Grid(self.shape, self.to_volume).resized(shape)
        ratios = np.asarray(self.shape[::-1]) / np.asarray(shape[::-1])
        x, y, z = (np.asarray(self.spacing_mm) * ratios).tolist()
        to_volume = np.asarray(grid.affine, dtype=np.float64)
        return ModelGrid(shape, (x, y, z), self.volume_shape, to_volume)

    def on_part(self, part: tuple[slice, slice, slice]) -> "ModelGrid":
        """Return the same grid, laid into a part ``(z, y, x)`` of the volume alone."""
        spans = [axis.indices(n) for axis, n in zip(part, self.volume_shape, strict=True)]
        depth, height, width = (stop - start for start, stop, _ in spans)
        shift = np.eye(4)
        shift[:3, 3] = [-start for start, _, _ in reversed(spans)]
        to_part = np.asarray(shift @ self.to_volume, dtype=np.float64)
        return ModelGrid(self.shape, self.spacing_mm, (depth, height, width), to_part)

    @property
    def turn(self) -> FloatArray:
        """(3, 3) signed permutation: which of the volume's axes its own are, and which way."""
        linear = self.to_volume[:3, :3]
        turn = np.zeros((3, 3))
        # of all ways to pair the axes the one with the largest product: the same for any spacing
        ways = [np.array(way) for way in permutations(range(3))]
        columns = np.arange(3)
        axes = max(ways, key=lambda way: float(np.abs(linear[way, columns]).prod()))
        turn[axes, columns] = np.sign(linear[axes, columns])
        return turn

    @cached_property
    def from_volume(self) -> FloatArray:
        """(4, 4) from the volume's voxels to the grid's."""
        return np.asarray(np.linalg.inv(self.to_volume), dtype=np.float64)

    @cached_property
    def inside(self) -> NDArray[np.bool_]:
        """Which voxels of the grid lie in the volume, ``(D, H, W)``."""
        ones = np.ones(self.volume_shape, dtype=np.float32)
        return self.sample(ones, "nearest") > 0.5

    def sample(self, data: NDArray[np.generic], order: Order = "linear") -> NDArray[np.float32]:
        """Carry arrays of the volume's shape onto the grid.

        Args:
            data: ``(..., D, H, W)``.
            order: ``"linear"``, or ``"nearest"`` for what must not be mixed.

        Returns:
            float32 ``(..., *shape)``; 0 outside of the volume.
        """
        return resample(data, self.to_volume, self.shape, order, outside="zero")

    def to_volume_grid(
        self,
        data: NDArray[np.generic],
        order: Order = "linear",
        outside: Outside = "zero",
    ) -> NDArray[np.float32]:
        """Carry arrays of the grid ``(..., *shape)`` onto the volume: ``(..., D, H, W)``."""
        return resample(data, self.from_volume, self.volume_shape, order, outside)

    def field_to_volume(
        self, field: NDArray[np.floating], unit: FloatArray | None = None
    ) -> NDArray[np.float32]:
        """Carry displacements in voxels of the grid to the volume's voxels and unit.

        Args:
            field: ``(..., 3, *shape)``, channels x, y, z.
            unit: (3, 3) from displacements in voxels of the volume to what is returned.

        Returns:
            ``(..., 3, D, H, W)`` in voxels of the volume. Beyond the grid its edge goes on, so
            that there is no tear.
        """
        return self.to_volume_grid(self.in_unit(field, unit), outside="edge")

    def in_unit(
        self, field: NDArray[np.floating], unit: FloatArray | None = None
    ) -> NDArray[np.float32]:
        """Return displacements ``(..., 3, *shape)`` of the grid in another unit.

        See `field_to_volume`.
        """
        matrix = self.to_volume[:3, :3] if unit is None else unit @ self.to_volume[:3, :3]
        linear = torch.from_numpy(matrix.astype(np.float32))
        lead, spatial = field.shape[:-4], field.shape[-3:]
        flat = np.array(field, dtype=np.float32).reshape(*lead, 3, -1)
        turned = (linear @ torch.from_numpy(flat)).numpy()  # numpy's threads wait for one another
        return turned.reshape(*lead, 3, *spatial)


def normalize(
    data: NDArray[np.floating], inside: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Grey values as models see them: the 1st to the 99th percentile becomes 0 to 1.

    Args:
        data: ``(..., D, H, W)``; the phases of a cine share their scale.
        inside: ``(D, H, W)``, the voxels that count and stay; the others become 0.

    Returns:
        float32 in 0..1, of the same shape; all 0 where everything is alike.
    """
    chosen = data if inside is None else data[..., inside]
    low, high = gray_levels(chosen, spare=inside is not None)
    del chosen  # a cine is large
    if high <= low:
        return np.zeros(data.shape, dtype=np.float32)
    scaled = np.array(data, dtype=np.float32)  # in place, likewise
    scaled -= np.float32(low)
    scaled /= np.float32(high - low)
    np.clip(scaled, 0.0, 1.0, out=scaled)
    if inside is not None:
        scaled[..., ~inside] = 0.0
    return scaled


def gray_levels(data: NDArray[np.floating], *, spare: bool = False) -> tuple[float, float]:
    """Return the gray values that count as black and white: the 1st and the 99th percentile.

    Args:
        data: of any shape.
        spare: it is needed no more and may be put in another order, which saves a copy.
    """
    if not data.size:
        return 0.0, 0.0
    low, high = np.percentile(data, PERCENTILES, overwrite_input=spare).tolist()
    return low, high


def model_input(data: NDArray[np.floating], grid: ModelGrid) -> NDArray[np.float32]:
    """Return a volume or cine ``([T,] D, H, W)`` as a model sees it, in training as in use.

    Returns:
        float32 ``([T,] *grid.shape)`` in 0..1; 0 outside of the volume.
    """
    return normalize(grid.sample(data), grid.inside)
