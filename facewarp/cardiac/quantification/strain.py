r"""Strain of the left ventricle's wall from the fields defined on end-diastole.

With ``x(p) = p + u(p)`` in mm and ``F = dx/dp``, the Green-Lagrange strain along a unit vector
``e`` at end-diastole is ``e' E e`` with ``E = (F'F - I) / 2``, that is ``(|F e|^2 - 1) / 2``; the
engineering strain is the change in length ``|F e| - 1``. Both are Lagrangian: they belong to the
tissue at a point at end-diastole. ``e`` is radial, from the middle of the cavity in the
slice outwards, or circumferential, at right angles to that within the slice.

Derivatives are those of the cubic spline through the field's values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from facewarp.cardiac.motion.cycle_registration import Fields, Motion
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.quantification.aha_segments import (
    LEVEL_NAMES,
    SEGMENT_NAMES,
    Segments,
    aha_segments,
)
from facewarp.cardiac.quantification.lv_wall import Wall, find_wall
from facewarp.core.arrays import FloatArray

RegionKind = Literal["global", "level", "segment", "slice"]

_LEAST_SHOWN: Final = 0.25  # share of a region's angles that must show wall
_DECAYED: Final = 12  # voxels: a cubic spline forgets a border to 1e-7 of it


@dataclass(frozen=True, eq=False)
class RegionStrain:
    """Strain of one region over the cycle; means over its area at end-diastole, in percent.

    Attributes:
        kind: of the region.
        number: of the segment, of the slice (from 1, as images show it), of the level (1 basal
            to 3 apical); 0 for all of the wall.
        name: in words.
        circumferential_green: ``(T,)`` Green-Lagrange strain.
        circumferential_engineering: ``(T,)`` change in length.
        radial_green: ``(T,)``.
        radial_engineering: ``(T,)``.
        thickness_mm: ``(T,)`` of the wall, along the ray from the middle of the cavity.
        thickening: ``(T,)`` change of the thickness against end-diastole.
    """

    kind: RegionKind
    number: int
    name: str
    circumferential_green: FloatArray
    circumferential_engineering: FloatArray
    radial_green: FloatArray
    radial_engineering: FloatArray
    thickness_mm: FloatArray
    thickening: FloatArray


@dataclass(frozen=True, eq=False)
class Strain:
    """Strain of a left ventricle at each sample of its wall.

    Attributes:
        wall: the samples.
        segments: of the samples.
        circumferential_green: ``(T, S, A, L)`` Green-Lagrange strain, 1 = 100 %.
        radial_green: ``(T, S, A, L)``.
        thickness_mm: ``(T, S, A)``; NaN where there is no wall.
        inner_mm: ``(T, S, A, 3)`` where the points of the cavity's edge are, in the heart's frame.
        outer_mm: ``(T, S, A, 3)`` likewise those of the wall's outer edge.
    """

    wall: Wall
    segments: Segments
    circumferential_green: FloatArray
    radial_green: FloatArray
    thickness_mm: FloatArray
    inner_mm: FloatArray
    outer_mm: FloatArray

    @cached_property
    def regions(self) -> tuple[RegionStrain, ...]:
        """Return the whole wall, then the levels, segments and slices that show enough of it."""
        levels, ids = self.segments.levels, self.segments.ids
        every = np.ones(ids.shape, dtype=bool)
        asked: list[tuple[RegionKind, int, str, NDArray[np.bool_]]] = [
            ("global", 0, "left ventricle", every)
        ]
        asked += [
            ("level", n + 1, LEVEL_NAMES[n], every & (levels == n)[:, None])
            for n in sorted(set(levels.tolist()))
        ]
        asked += [("segment", n, SEGMENT_NAMES[n], ids == n) for n in self.segments.numbers]
        places = self.wall.slices
        asked += [
            ("slice", int(z) + 1, f"slice {z + 1}", every & (places == z)[:, None]) for z in places
        ]
        found = [self._region(*one) for one in asked]
        return tuple(region for region in found if region is not None)

    def region(self, kind: RegionKind, number: int = 0) -> RegionStrain | None:
        """Return one of the regions; None where too little of it is shown."""
        for region in self.regions:
            if (region.kind, region.number) == (kind, number):
                return region
        return None

    def _region(
        self, kind: RegionKind, number: int, name: str, part: NDArray[np.bool_]
    ) -> RegionStrain | None:
        shown = part & self.wall.valid
        if shown.sum() < _LEAST_SHOWN * part.sum():
            return None
        weights = self.wall.weights[shown]
        weights = weights / weights.sum()

        def mean(strain: FloatArray) -> FloatArray:
            return 100 * np.tensordot(strain[:, shown], weights, axes=2)

        around, outwards = self.circumferential_green, self.radial_green
        along = (self.wall.inner_mm + self.wall.outer_mm)[shown]
        thickness = self.thickness_mm[:, shown] @ (along / along.sum())
        return RegionStrain(
            kind,
            number,
            name,
            mean(around),
            mean(engineering(around)),
            mean(outwards),
            mean(engineering(outwards)),
            thickness,
            100 * (thickness / self._thickness_at_ed(shown, along) - 1),
        )

    def _thickness_at_ed(self, shown: NDArray[np.bool_], along: FloatArray) -> float:
        thickness = (self.wall.outer_mm - self.wall.inner_mm)[shown]
        return float(thickness @ (along / along.sum()))


def engineering(green: FloatArray) -> FloatArray:
    """Convert Green-Lagrange strain along a direction to engineering strain: sqrt(1 + 2 E) - 1."""
    strain: FloatArray = np.sqrt(np.maximum(1 + 2 * green, 0)) - 1
    return strain


def measure_strain(motion: Motion, labels_ed: Labels) -> Strain | None:
    """Measure the strain of a left ventricle's wall.

    Args:
        motion: the fields.
        labels_ed: ``(D, H, W)`` part ids of end-diastole on the volume's grid.

    Returns:
        None where the labels show no wall around a cavity.
    """
    wall = find_wall(labels_ed, motion.grid)
    return None if wall is None else wall_strain(motion.from_ed, motion.grid, wall)


def wall_strain(from_ed: Fields, grid: ModelGrid, wall: Wall) -> Strain:
    """Measure the strain of a known wall.

    Args:
        from_ed: ``(T, 3, d, h, w)`` voxels of the grid, from end-diastole into every phase.
        grid: the fields' grid; the heart's frame are its axes in mm.
        wall: the wall at end-diastole in that frame.
    """
    places = wall.points_mm(wall.radii_mm)
    edges = [wall.points_mm(radii) for radii in (wall.inner_mm, wall.outer_mm)]
    across, down, *moved = _displacements(
        from_ed, grid, [(places, 0), (places, 1), (edges[0], None), (edges[1], None)]
    )
    cos, sin = (f(wall.angles)[:, None] for f in (np.cos, np.sin))

    def green(x: FloatArray, y: FloatArray) -> FloatArray:
        """Return the strain ``(|F e|^2 - 1) / 2`` along ``e = (x, y, 0)``."""
        stretched = across * x[..., None] + down * y[..., None]
        stretched[..., 0] += x
        stretched[..., 1] += y
        return ((stretched**2).sum(axis=-1) - 1) / 2

    inner, outer = (edge + by for edge, by in zip(edges, moved, strict=True))
    return Strain(
        wall,
        aha_segments(wall),
        green(-sin, cos),
        green(cos, sin),
        _thickness(inner, outer, wall.valid),
        inner,
        outer,
    )


def _displacements(
    from_ed: Fields, grid: ModelGrid, wanted: Sequence[tuple[FloatArray, int | None]]
) -> list[FloatArray]:
    """Sample displacements, or their derivatives, by cubic splines, phase after phase.

    Args:
        from_ed: ``(T, 3, d, h, w)`` voxels of the grid.
        grid: the fields' grid.
        wanted: points ``(..., 3)`` mm, each with the axis of the derivative; None for none.

    Returns:
        ``(T, ..., 3)`` mm, or mm a mm.
    """
    spacing = np.asarray(grid.spacing_mm)
    voxels = [points.reshape(-1, 3) / spacing for points, _ in wanted]
    every = np.concatenate(voxels)
    low = np.maximum(np.floor(every.min(axis=0)).astype(int) - _DECAYED, 0)
    high = np.ceil(every.max(axis=0)).astype(int) + _DECAYED
    x, y, z = (slice(first, last + 1) for first, last in zip(low, high, strict=True))
    shape = from_ed[0][:, z, y, x].shape[1:]
    matrices = [
        _spline_matrix(where - low, shape, along)
        for where, (_, along) in zip(voxels, wanted, strict=True)
    ]
    found = [np.empty((len(from_ed), *points.shape)) for points, _ in wanted]
    for phase, field in enumerate(from_ed):
        coefficients = field[:, z, y, x].astype(np.float64) * spacing.reshape(3, 1, 1, 1)
        for axis in (1, 2, 3):
            coefficients = ndimage.spline_filter1d(coefficients, 3, axis, mode="mirror")
        flat = np.ascontiguousarray(coefficients.reshape(3, -1).T)
        for into, matrix, (points, along) in zip(found, matrices, wanted, strict=True):
            scale = 1.0 if along is None else spacing[along]
            into[phase] = (matrix @ flat).reshape(points.shape) / scale
    return found


def _thickness(inner: FloatArray, outer: FloatArray, valid: NDArray[np.bool_]) -> FloatArray:
    """Measure the wall thickness ``(T, S, A)`` along in-plane rays from the cavity's middle.

    The edges of a phase are sampled at the angle that the middle of the wall has moved to, so
    that the rotation of its layers against one another does not bias the thickness.
    """
    center = inner.mean(axis=2, keepdims=True)
    found = np.full(inner.shape[:3], np.nan)
    for phase, z in np.ndindex(inner.shape[:2]):
        here = valid[z]
        rays = [(edge[phase, z] - center[phase, z])[..., :2] for edge in (inner, outer)]
        middle = (rays[0] + rays[1]) / 2
        wanted = np.arctan2(middle[here, 1], middle[here, 0])
        radii = [
            np.interp(wanted, np.arctan2(ray[:, 1], ray[:, 0]), np.hypot(*ray.T), period=2 * np.pi)
            for ray in rays
        ]
        found[phase, z, here] = radii[1] - radii[0]
    return found


def _spline_matrix(
    where: FloatArray, shape: tuple[int, ...], along: int | None
) -> sparse.csr_array:
    """Return the matrix from coefficients of a cubic spline to values or derivatives at points.

    Args:
        where: ``(N, 3)`` voxels, x first.
        shape: ``(d, h, w)`` of the coefficients, mirrored at the border.
        along: axis of the derivative, 0 for x; None for the values.
    """
    index = np.zeros((len(where), 1), dtype=np.int64)
    weight = np.ones((len(where), 1))
    for axis, size in enumerate(shape):  # z, y, x
        here = 2 - axis
        taps, shares = _taps(where[:, here], size, here == along)
        index = (index[:, :, None] * size + taps[:, None]).reshape(len(where), -1)
        weight = (weight[:, :, None] * shares[:, None]).reshape(len(where), -1)
    rows = np.repeat(np.arange(len(where)), index.shape[1])
    entries = (weight.ravel(), (rows, index.ravel()))
    return sparse.csr_array(entries, shape=(len(where), int(np.prod(shape))))


def _taps(where: FloatArray, size: int, slope: bool) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the four coefficients at each point of an axis, and their weights."""
    inside = np.clip(where, 0, size - 1)
    low = np.floor(inside).astype(np.int64)
    t = inside - low
    if slope:
        shares = [-((1 - t) ** 2) / 2, (3 * t**2 - 4 * t) / 2, (1 + 2 * t - 3 * t**2) / 2, t**2 / 2]
    else:
        shares = [
            (1 - t) ** 3 / 6,
            (4 - 6 * t**2 + 3 * t**3) / 6,
            (1 + 3 * t + 3 * t**2 - 3 * t**3) / 6,
            t**3 / 6,
        ]
    taps = low[:, None] + np.arange(-1, 3)
    period = max(2 * (size - 1), 1)
    taps = np.abs(taps) % period
    return np.where(taps >= size, period - taps, taps), np.stack(shares, axis=1)
