"""Conventions of coordinates: grids, pixels, millimetres, resizing.

Convention
    Tensors are ``(B, C, [D,] H, W)``; ``shape`` always means the spatial part, ``([D,] H, W)``.
    Coordinates are ``(x, y[, z])`` in pixels of a grid, pixel centres at integers, so the first
    pixel's centre is 0 and the grid covers ``[-0.5, n - 0.5]`` along an axis of ``n`` pixels.
    Resizing keeps that covered interval (``align_corners=False`` everywhere): a point moves by
    ``x' = (x + 0.5) * s - 0.5`` and a displacement is multiplied by ``s``.
    Normalised coordinates exist only inside the call to ``grid_sample`` (fields.py).
    Millimetres exist only at the edges: ``u_mm = affine[:3, :3] @ u_vox``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:  # functions of tensors import torch themselves: faces are followed without it
    import torch
    from torch import Tensor

Shape = tuple[int, ...]
FloatArray = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Grid:
    """A regular grid of pixels or voxels, and its position in world coordinates.

    Attributes:
        shape: spatial shape, ``([D,] H, W)``.
        affine: ``(n+1, n+1)`` matrix from ``(x, y[, z], 1)`` in pixels to world units (mm for
            volumes; the identity where nothing is known).
    """

    shape: Shape
    affine: FloatArray = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        if len(self.shape) not in (2, 3) or min(self.shape) < 1:
            raise ValueError(
                f"a grid has two or three axes of at least one pixel, not {self.shape}"
            )
        affine = np.asarray(self.affine, dtype=np.float64)
        if affine.size == 0:
            affine = np.eye(self.ndim + 1)
        if affine.shape != (self.ndim + 1, self.ndim + 1):
            raise ValueError(f"affine {affine.shape} does not fit a {self.ndim}D grid")
        if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:-1, :-1])) < 1e-12:
            raise ValueError("the affine is not finite or not invertible")
        object.__setattr__(self, "affine", affine)

    @property
    def ndim(self) -> int:
        """Number of spatial axes, 2 or 3."""
        return len(self.shape)

    @property
    def spacing(self) -> FloatArray:
        """World length of one pixel step along x, y[, z]: column norms of the affine."""
        norms: FloatArray = np.linalg.norm(self.affine[:-1, :-1], axis=0)
        return norms

    def resized(self, shape: Shape) -> "Grid":
        """Return the grid of another shape with the same extent."""
        scale = np.asarray(self.shape[::-1], float) / np.asarray(shape[::-1], float)
        step = np.eye(self.ndim + 1)
        step[:-1, :-1] = np.diag(scale)
        step[:-1, -1] = 0.5 * scale - 0.5
        return Grid(shape, self.affine @ step)


def spatial_shape(tensor: "Tensor") -> Shape:
    """Return a tensor's spatial shape as plain numbers, also while a graph is traced."""
    return tuple(int(size) for size in tensor.shape[2:])


@lru_cache(maxsize=32)
def pixel_grid(
    shape: Shape, device: "torch.device | None" = None, dtype: "torch.dtype | None" = None
) -> "Tensor":
    """Return each pixel's coordinates: ``(1, n, *shape)``, channels ``(x, y[, z])``.

    The tensor is cached: read it only.

    Args:
        shape: of the grid.
        device: where the tensor lies; None for the CPU.
        dtype: its type; None for float32.
    """
    import torch

    with torch.inference_mode(False):  # it outlives this call: training too
        kind = dtype or torch.float32
        axes = [torch.arange(size, device=device, dtype=kind) for size in shape]
        return torch.stack(torch.meshgrid(*axes, indexing="ij")[::-1])[None]


def axis_scales(source: Shape, target: Shape) -> list[float]:
    """Return the factors of lengths along x, y[, z] from a grid to its resized form."""
    return [t / s for s, t in zip(source[::-1], target[::-1], strict=True)]


def resize_image(image: "Tensor", shape: Shape) -> "Tensor":
    """Resize ``(B, C, *spatial)`` to ``shape``; means over pixels when shrinking by whole factors.

    Whole factors use exact averaging (no aliasing); anything else is linear interpolation.
    """
    from torch.nn import functional as F

    source = spatial_shape(image)
    if source == tuple(shape):
        return image
    factors = [s / t for s, t in zip(source, shape, strict=True)]
    if all(f.is_integer() and f >= 1 for f in factors):
        kernel = [int(f) for f in factors]
        return F.avg_pool2d(image, kernel) if len(shape) == 2 else F.avg_pool3d(image, kernel)
    if len(shape) == 3 and source[0] == shape[0]:  # half of the time, or less
        slices = image.contiguous().flatten(1, 2)
        resized = F.interpolate(slices, list(shape[1:]), mode="bilinear", align_corners=False)
        return resized.view(*image.shape[:3], *shape[1:])
    mode = "bilinear" if len(shape) == 2 else "trilinear"
    return F.interpolate(image, size=list(shape), mode=mode, align_corners=False)


def resize_field(displacement: "Tensor", shape: Shape) -> "Tensor":
    """Resize a field ``(B, n, *spatial)`` in pixels of its own grid: values scale with the grid."""
    scales = axis_scales(spatial_shape(displacement), shape)
    return scale_axes(resize_image(displacement, shape), scales)


def scale_axes(displacement: "Tensor", scales: Sequence[float]) -> "Tensor":
    """Multiply each channel of a field ``(B, n, ...)`` by its factor, x first."""
    if all(scale == scales[0] for scale in scales):
        return displacement if scales[0] == 1 else displacement * scales[0]
    import torch

    channels = zip(displacement.unbind(1), scales, strict=True)
    return torch.stack([channel * scale for channel, scale in channels], 1)


def resize_points(points: FloatArray, source: Sequence[int], target: Sequence[int]) -> FloatArray:
    """Map points ``(..., n)`` from px of a grid of shape ``source`` to its resized ``target``."""
    scales = np.asarray(axis_scales(tuple(source), tuple(target)))
    resized: FloatArray = (np.asarray(points, dtype=np.float64) + 0.5) * scales - 0.5
    return resized
