"""Register two hearts, or two phases of one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.cycle_registration import Floats, make_inverse_consistent
from facewarp.cardiac.motion.heart_roi import HeartModel, stack_roi
from facewarp.cardiac.motion.labels import Labels, carry_labels, part_depths, seen_labels
from facewarp.cardiac.motion.model_grid import ModelGrid, model_input
from facewarp.cardiac.motion.orientation import find_heart_roi
from facewarp.cardiac.motion.refinement.refine import ImagePair, refine
from facewarp.cardiac.motion.slice_parts import slice_parts, slices_beside
from facewarp.core.fields import jacobian_determinant, sample
from facewarp.core.geometry import pixel_grid, resize_image
from facewarp.errors import FacewarpError


@dataclass(frozen=True, eq=False)
class VolumePair:
    """Result of registering a moving volume to a fixed one.

    Attributes:
        fixed, moving: the volumes, each on its own grid.
        labels_fixed, labels_moving: their segmentations, part ids.
        fixed_grid, moving_grid: the field's grid, placed in each of them.
        found: ``(3, d, h, w)`` voxels of the field's grid, from fixed into moving.
    """

    fixed: Volume
    moving: Volume
    labels_fixed: Labels
    labels_moving: Labels
    fixed_grid: ModelGrid
    moving_grid: ModelGrid
    found: Floats

    @cached_property
    def field(self) -> Floats:
        """``(3, D, H, W)`` voxels of the fixed volume.

        Voxel ``p`` of fixed corresponds to the world point of ``p + u(p)`` in moving: an offset
        between the two volumes in the world is part of the field.
        """
        to_fixed = np.linalg.inv(self.fixed.affine) @ self.moving.affine
        return _through(to_fixed, self._places(self.found)) - _own(self.fixed)

    @cached_property
    def warped(self) -> NDArray[np.float32]:
        """Warp the moving volume to the fixed one, ``(D, H, W)``."""
        return _values(self.moving.data, self._places(self.found))

    @cached_property
    def before(self) -> NDArray[np.float32]:
        """Resample the moving volume to the fixed grid, hearts aligned, not registered."""
        return _values(self.moving.data, self._places(np.zeros_like(self.found)))

    @cached_property
    def labels_warped(self) -> Labels:
        """Warp the moving volume's labels to the fixed one."""
        return self._carried(self._places(self.found))

    @cached_property
    def labels_before(self) -> Labels:
        """Resample the moving volume's labels to the fixed grid, not registered."""
        return self._carried(self._places(np.zeros_like(self.found)))

    def jacobian(self) -> Floats:
        """Return the Jacobian determinant in the ROI, ``(D, H, W)`` of the fixed volume."""
        determinant = jacobian_determinant(torch.from_numpy(self.found)[None])[0].numpy()
        return self.fixed_grid.to_volume_grid(determinant, outside="edge")

    def _carried(self, places: Floats) -> Labels:
        return carry_labels(part_depths(self.labels_moving, self.moving.spacing_mm), places)

    def _places(self, found: Floats) -> Floats:
        """Return the position in moving of each voxel of fixed, ``(3, D, H, W)`` voxels."""
        moved = _own(self.fixed) + self.fixed_grid.field_to_volume(found)
        return _through(self.moving_grid.to_volume @ self.fixed_grid.from_volume, moved)


def register_volumes(
    model: HeartModel, fixed: Volume, moving: Volume, *, refined: bool = True
) -> VolumePair:
    """Register two volumes of hearts.

    Volumes on one grid, such as phases of a cine, share one ROI; others have one ROI each, around
    the heart.

    Args:
        model: a heart model.
        fixed: one volume, ``(D, H, W)``.
        moving: another; its grid may differ.
        refined: fields of both directions are refined into one invertible motion, see
            `motion.refinement`; otherwise the network's are reconciled.

    Raises:
        FacewarpError: one of them is a cine, or the model finds no heart in it.
    """
    for volume in (fixed, moving):
        if volume.data.ndim != 3:
            what = f"the file is a cine of {volume.phases} phases"
            raise FacewarpError(what, volume.path, "Give one volume, or use facewarp cine.")
    windows = [find_heart_roi(model, fixed)]
    together = fixed.shape == moving.shape and np.allclose(fixed.affine, moving.affine, atol=1e-2)
    windows.append(windows[0] if together else find_heart_roi(model, moving))
    shape = tuple(max(sizes) for sizes in zip(*(w.shape for w in windows), strict=True))
    depth, height, width = shape
    grids = [
        window
        if window.shape == shape
        else stack_roi(volume, (height, width), window.spacing_mm, _middle(window), depth)
        for window, volume in zip(windows, (fixed, moving), strict=True)
    ]
    slices, gray = slices_beside(model), None
    model = model.on_grid(shape)
    if slices is None:
        images = [model_input(v.data, g) for v, g in zip((fixed, moving), grids, strict=True)]
        parts = model.probabilities(torch.from_numpy(np.stack(images))[:, None]).cpu()
        d, h, w = parts.shape[2:]
        pairs = zip(parts.numpy(), grids, strict=True)
        labels = [seen_labels(seen, grid.resized((d, h, w))) for seen, grid in pairs]
        finest = parts
    else:
        fine = [slice_parts(slices, v, g) for v, g in zip((fixed, moving), grids, strict=True)]
        feature_shape = model.config.feature_shape
        whole = [one.on_grid(g, shape) for one, g in zip(fine, grids, strict=True)]
        finest = torch.from_numpy(np.concatenate(whole))
        sampled = [grid.sample(v.data) for v, grid in zip((fixed, moving), grids, strict=True)]
        gray = torch.from_numpy(np.stack(sampled))[:, None]
        parts = resize_image(finest, feature_shape)
        labels = [seen_labels(one.probabilities[0], one.grid) for one in fine]
    network = (model.rough() if refined else None) or model
    there = network.fields(parts, parts.flip(0)).cpu()
    if refined:
        pair = ImagePair(finest[:1], finest[1:], gray, one_heart=together)
        out, _ = refine(pair, there[:1], there[1:])
    else:
        out, _ = make_inverse_consistent(there[:1], there[1:])
    d, h, w = out.shape[2:]
    at_fixed, at_moving = (grid.resized((d, h, w)) for grid in grids)
    return VolumePair(fixed, moving, labels[0], labels[1], at_fixed, at_moving, out[0].numpy())


def _middle(grid: ModelGrid) -> tuple[float, float, float]:
    center = (np.asarray(grid.shape[::-1]) - 1) / 2
    x, y, z = (grid.to_volume @ np.append(center, 1.0))[:3].tolist()
    return x, y, z


def _own(volume: Volume) -> Floats:
    return np.asarray(pixel_grid(volume.shape)[0].numpy(), dtype=np.float32)


def _through(matrix: NDArray[np.float64], points: Floats) -> Floats:
    """Map points ``(3, ...)`` by a (4, 4) matrix."""
    moved = np.tensordot(matrix[:3, :3], points, axes=1) + matrix[:3, 3].reshape(3, 1, 1, 1)
    return np.asarray(moved, dtype=np.float32)


def _values(data: NDArray[np.float32], places: Floats) -> NDArray[np.float32]:
    image, where = torch.from_numpy(data)[None, None], torch.from_numpy(places)[None]
    return np.asarray(sample(image, where, padding="zeros")[0, 0].numpy(), dtype=np.float32)
