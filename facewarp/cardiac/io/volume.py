"""A scan: voxels, geometry in mm, and time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import MAX_SHEAR_COSINE, shear_cosine
from facewarp.cardiac.io.timing import covers_cycle
from facewarp.core.arrays import FloatArray

STACKED: Final = 1.5  # times the usual step that tells the axis of the slices


@dataclass(frozen=True, eq=False)
class Volume:
    """A volume or a cine of volumes, and where it lies.

    Attributes:
        data: ``([T,] D, H, W)``: float32 after the file's scaling, or uint8 part ids.
        affine: (4, 4) from voxels ``(x, y, z, 1)`` to RAS+ mm, after the rule above.
        time_step_s: seconds between two phases; None if the file does not tell.
        warnings: what the user should know about the file, one sentence each.
        header: the file's header, which outputs on the same grid take over.
        path: the file.
        axes: which of the file's axes (0, 1, 2 for its x, y, z) run along the data's x, y, z;
            others than these in this order after `slices_first` and the like alone.
        oriented: whether the file tells how the scan lay in the patient.
        cycle_s: seconds from R wave to R wave, where something other than the phases tells it.
        conflicting: whether sform and qform of the file differ: outputs get the affine in both.
        origins: what spacing, orientation, time step and RR interval are from, by their names.
        sources: file and number (from 0) of the DICOM frame of every slice of every phase,
            ``[phase][slice]``; empty where the volume is from elsewhere.
        phase_of: index of the phase of every DICOM picture by its UID and its number in the file,
            from 0; empty where the volume is from elsewhere.
    """

    data: NDArray[Any]
    affine: FloatArray
    time_step_s: float | None
    warnings: tuple[str, ...]
    header: nib.Nifti1Header
    path: Path
    axes: tuple[int, int, int] = (0, 1, 2)
    oriented: bool = True
    cycle_s: float | None = None
    conflicting: bool = False
    origins: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[tuple[tuple[Path, int], ...], ...] = ()
    phase_of: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(D, H, W)``."""
        depth, height, width = self.data.shape[-3:]
        return depth, height, width

    @property
    def phases(self) -> int:
        """Number of phases; 1 for a single volume."""
        return self.data.shape[0] if self.data.ndim == 4 else 1

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of a step along x, y, z."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0).tolist()
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        """What one voxel holds: the affine's determinant, which is right with sheared axes too."""
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000.0

    @property
    def stack_axis(self) -> int:
        """The axis (0 to 2 for x to z) of the slices: the one of longer steps, or z."""
        sizes = np.asarray(self.spacing_mm)
        return int(sizes.argmax()) if sizes.max() > STACKED * np.median(sizes) else 2

    @property
    def has_stack(self) -> bool:
        """Whether the voxels tell the axis of the slices: one is longer than the others."""
        sizes = np.asarray(self.spacing_mm)
        return bool(sizes.max() > STACKED * np.median(sizes))

    @property
    def covers_cycle(self) -> bool:
        """Whether the phases cover the whole heartbeat, as far as is told."""
        return covers_cycle(self.time_step_s, self.phases, self.cycle_s)

    @cached_property
    def _pictured(self) -> tuple[tuple[int, int], ...]:
        """First and last step along x, y, z at which some voxel differs from those beside it."""
        data = self.data.reshape(-1, *self.data.shape[-3:])
        found = []
        for axis in (3, 2, 1):
            across = tuple({0, 1, 2, 3} - {axis})
            here = np.flatnonzero(data.max(axis=across) != data.min(axis=across))
            found.append((int(here[0]), int(here[-1])) if here.size else (0, data.shape[axis] - 1))
        return tuple(found)

    def pictured(self, stack: int) -> tuple[int, int]:
        """First and last slice along an axis (0 to 2 for x to z) that is not of one value.

        Others hold no picture: programs pad stacks with them.
        """
        return self._pictured[stack]

    def slices_first(self) -> "Volume":
        """Return the same with the slices along z, the first spatial axis of the data."""
        return self.stacked_along(self.stack_axis)

    def stacked_along(self, stack: int) -> "Volume":
        """Return the same with one of its axes (0 to 2: x to z) as z, the others in their order."""
        order = [axis for axis in range(3) if axis != stack] + [stack]
        lead = self.data.ndim - 3
        data = self.data.transpose(*range(lead), *(lead + 2 - axis for axis in order[::-1]))
        affine = self.affine[:, [*order, 3]]
        x, y, z = (self.axes[axis] for axis in order)
        sources = self.sources if order == [0, 1, 2] else ()
        data = np.ascontiguousarray(data)
        return replace(self, data=data, affine=affine, axes=(x, y, z), sources=sources)

    def in_file_order(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return an array ``(..., D, H, W)`` like the data with its axes as the file has them."""
        lead = data.ndim - 3
        return data.transpose(
            *range(lead), *(lead + 2 - self.axes.index(axis) for axis in (2, 1, 0))
        )

    @property
    def file_affine(self) -> FloatArray:
        """The affine with its columns as the file has them."""
        return self.affine[:, [*(self.axes.index(axis) for axis in range(3)), 3]]

    @property
    def is_sheared(self) -> bool:
        """Whether the axes are not at right angles."""
        return shear_cosine(self.affine) > MAX_SHEAR_COSINE
