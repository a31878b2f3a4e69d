"""Polar sampling of the LV wall at end-diastole (angle x depth per slice), and its orientation.

Convention
    Points are in mm of the *heart's frame*: the axes of the fields' grid, x from the right
    ventricle to the left, y down in the usual view, z along the stack. Angles are those of
    ``atan2(y, x)``, which grow clockwise on the screen: from the septum (180 degrees) over the
    anterior wall (270) to the lateral one (0) and the inferior one (90).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.short_axis import to_view
from facewarp.core.arrays import FloatArray

BoolArray = NDArray[np.bool_]

ANGLES: Final = 120
LAYERS: Final = 5
_RAY_STEP_MM: Final = 0.25
_RAY_MM: Final = 90.0
_SMOOTH_VOX: Final = 0.7  # takes the stairs of voxels out of the outlines
_RIM_PX: Final = 8  # around the parts, more than what smoothing reaches: depths are negative there
_THINNEST_MM: Final = 1.5  # less is no wall
_LEAST_RING: Final = 0.5  # share of the angles that show a wall in a slice that counts
_LEAST_CAVITY_MM2: Final = 30.0
_BESIDE_MM: Final = (1.0, 5.0)  # so near to the wall the right ventricle makes it septum
_GAP: Final = 8  # angles without right ventricle that do not end the septum
_LEAST_SEPTUM: Final = 10  # angles


@dataclass(frozen=True, eq=False)
class Wall:
    """The wall of the left ventricle at end-diastole, slices ``S`` from base to apex.

    Attributes:
        slices: ``(S,)`` index of each slice along the stack as shown.
        z_mm: ``(S,)`` its position along the stack.
        centers_mm: ``(S, 2)`` middle of the cavity.
        angles: ``(A,)`` rad; the first bin begins at ``septum``.
        inner_mm: ``(S, A)`` distance of the cavity's edge from the middle.
        outer_mm: ``(S, A)`` that of the wall's outer edge.
        valid: ``(S, A)`` whether there is a wall.
        septum: the angle of the septum's middle, rad.
        insertions: ``(S, 2)`` angles at which the right ventricle joins the wall, the inferior
            one first; NaN in slices without it.
        apex_missing: the stack ends where the cavity is still wide.
        base_cut: the stack begins with the ventricle: what lies above it is unknown.
    """

    slices: NDArray[np.int64]
    z_mm: FloatArray
    centers_mm: FloatArray
    angles: FloatArray
    inner_mm: FloatArray
    outer_mm: FloatArray
    valid: BoolArray
    septum: float
    insertions: FloatArray
    apex_missing: bool
    base_cut: bool

    @property
    def radii_mm(self) -> FloatArray:
        """Radii ``(S, A, L)`` of points evenly through the wall, from inside to outside."""
        share = (np.arange(LAYERS) + 0.5) / LAYERS
        thickness = self.outer_mm - self.inner_mm
        radii: FloatArray = self.inner_mm[..., None] + thickness[..., None] * share
        return radii

    @property
    def weights(self) -> FloatArray:
        """Area weights ``(S, A, L)``, mm: wall area around each point per radian, 0 without."""
        area = self.radii_mm * ((self.outer_mm - self.inner_mm) / LAYERS)[..., None]
        weights: FloatArray = np.where(self.valid[..., None], area, 0.0)
        return weights

    def points_mm(self, radii_mm: FloatArray) -> FloatArray:
        """Return points ``(S, A, ..., 3)`` at distances ``(S, A, ...)`` from the centers."""
        extra = radii_mm.ndim - 2
        cos, sin = (f(self.angles).reshape(1, -1, *[1] * extra) for f in (np.cos, np.sin))
        lead = (len(self.slices), *[1] * (extra + 1))
        x = self.centers_mm[:, 0].reshape(lead) + radii_mm * cos
        y = self.centers_mm[:, 1].reshape(lead) + radii_mm * sin
        return np.stack([x, y, np.broadcast_to(self.z_mm.reshape(lead), x.shape)], axis=-1)


def find_wall(labels: Labels, grid: ModelGrid) -> Wall | None:
    """Find the LV wall in the labels of end-diastole.

    A slice is used if the wall surrounds half of the cavity at least; of several runs of such
    slices the longest is used.

    Args:
        labels: ``(D, H, W)`` of the volume.
        grid: the fields' grid in it, which defines the heart's frame.

    Returns:
        None where no slice shows a wall around a cavity.
    """
    seen = to_view(labels, grid.turn)
    to_mm = view_to_mm(grid)
    cavities = np.array([(s == HeartPart.LV).sum() for s in seen]) * _pixel_mm2(to_mm)
    wide = np.flatnonzero(cavities > _LEAST_CAVITY_MM2).tolist()
    found = {z: _Slice.of(seen[z], to_mm, z) for z in wide}
    even = (np.arange(ANGLES) + 0.5) * 2 * np.pi / ANGLES
    evenly = {z: one.edges(even) for z, one in found.items()}
    rings = [z for z, (_, _, valid) in evenly.items() if valid.mean() >= _LEAST_RING]
    run = _longest_run(rings)
    if not run:
        return None
    order = run if _points_to_apex(seen, run) else run[::-1]
    septum_arcs = [found[z].septum(even, *evenly[z][1:]) for z in order]
    septum = _mean_angle([middle for middle, _, _ in septum_arcs])
    angles = septum + even
    edges = [found[z].edges(angles) for z in order]
    step = 1 if order == run else -1
    below, above = order[-1] + step, order[0] - step
    ventricle = (HeartPart.MYOCARDIUM, HeartPart.LV)
    goes_on = 0 <= below < len(seen) and bool(np.isin(seen[below], ventricle).any())
    return Wall(
        np.array(order),
        np.array([found[z].z_mm for z in order]),
        np.stack([found[z].center_mm for z in order]),
        angles,
        np.stack([inner for inner, _, _ in edges]),
        np.stack([outer for _, outer, _ in edges]),
        np.stack([valid for _, _, valid in edges]),
        septum,
        np.array([(first, last) for _, first, last in septum_arcs]),
        cavities[order[-1]] > 0.4 * cavities[order].max() and not goes_on,
        not 0 <= above < len(seen),
    )


def view_to_mm(grid: ModelGrid) -> FloatArray:
    """(4, 4) from voxels ``(x, y, z, 1)`` of the stack as shown to the heart's frame."""
    to_volume = np.eye(4)
    to_volume[:3, :3] = grid.turn
    sizes = np.asarray(grid.volume_shape[::-1], dtype=np.float64)
    backwards = grid.turn.sum(axis=1) < 0  # by the volume's axis
    to_volume[:3, 3] = np.where(backwards, sizes - 1, 0.0)
    mm = np.diag([*grid.spacing_mm, 1.0])
    return np.asarray(mm @ grid.from_volume @ to_volume, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _Slice:
    """Contours of a slice, as signed distances in mm, and its center.

    They are held around the parts alone: beyond, all are negative. ``to_pixel`` ``(2, 3)`` takes
    mm from the middle to their pixels; its last column is the middle.
    """

    inside: FloatArray
    within: FloatArray
    right: FloatArray
    to_pixel: FloatArray
    center_mm: FloatArray
    z_mm: float

    @classmethod
    def of(cls, labels: Labels, to_mm: FloatArray, z: int) -> "_Slice":
        plane = to_mm[:2, :2]
        spacing = np.linalg.norm(plane, axis=0)[::-1]
        cavity, right = labels == HeartPart.LV, labels == HeartPart.RV
        heart = cavity | (labels == HeartPart.MYOCARDIUM)
        y, x = np.nonzero(cavity)
        center = to_mm @ np.array([x.mean(), y.mean(), z, 1.0])
        rows, columns = (_around((heart | right).any(axis=axis)) for axis in (1, 0))
        parts = (mask[rows, columns] for mask in (cavity, heart, right))
        inside, within, beside = (_depth(mask, spacing) for mask in parts)
        middle = [x.mean() - columns.start, y.mean() - rows.start]
        to_pixel = np.column_stack([np.linalg.inv(plane), middle])
        return cls(inside, within, beside, to_pixel, center[:2], float(center[2]))

    def edges(self, angles: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Return inner and outer radius, mm, and whether there is wall between, each ``(A,)``."""
        radii = np.arange(0.0, _RAY_MM, _RAY_STEP_MM)
        rays = self._pixels(angles[:, None], radii[None])
        inner = _crossing(_at(self.inside, rays), radii, np.zeros(len(angles)))
        outer = _crossing(_at(self.within, rays), radii, inner)
        return inner, outer, outer - inner >= _THINNEST_MM

    def septum(
        self, angles: FloatArray, outer: FloatArray, valid: BoolArray
    ) -> tuple[float, float, float]:
        """Return the angles of the septum's middle and ends; NaN without a right ventricle.

        Args:
            angles: ``(A,)``, all around.
            outer: outer radii there, mm, see `edges`.
            valid: whether there is wall.
        """
        offsets = np.arange(*_BESIDE_MM, 0.5)
        places = self._pixels(angles[:, None], outer[:, None] + offsets)
        beside = (_at(self.right, places) > 0).any(axis=1) & valid
        count = len(angles)
        tiled = ndimage.binary_closing(np.tile(beside, 3), np.ones(_GAP + 1))[count : 2 * count]
        arc = _longest_arc(tiled)
        if arc is None or arc[1] < _LEAST_SEPTUM:
            return np.nan, np.nan, np.nan
        bin_width = 2 * np.pi / count
        first = angles[0] + (arc[0] - 0.5) * bin_width
        last = first + arc[1] * bin_width
        return (first + last) / 2, first % (2 * np.pi), last % (2 * np.pi)

    def _pixels(self, angles: FloatArray, radii: FloatArray) -> FloatArray:
        """Return the pixels ``(2, ...)``, y and x, of polar coordinates."""
        away = np.stack([radii * np.cos(angles), radii * np.sin(angles)])
        x, y = np.tensordot(self.to_pixel[:, :2], away, axes=1)
        return np.stack([y + self.to_pixel[1, 2], x + self.to_pixel[0, 2]])


def _around(shown: BoolArray) -> slice:
    """Return the part of an axis that shows something, and some pixels on either side."""
    places = np.flatnonzero(shown)
    return slice(max(int(places[0]) - _RIM_PX, 0), int(places[-1]) + 1 + _RIM_PX)


def _at(depth: FloatArray, pixels: FloatArray) -> FloatArray:
    """Return depths at pixels; the edge goes on outside."""
    values: FloatArray = ndimage.map_coordinates(depth, pixels, order=1, mode="nearest")
    return values


def _depth(mask: BoolArray, spacing: FloatArray) -> FloatArray:
    """Return the signed distance to a mask's edge, positive inside, smoothed over pixels."""
    if not mask.any():
        return np.full(mask.shape, -1e3)
    edt = ndimage.distance_transform_edt
    stairs = edt(mask, sampling=spacing) - edt(~mask, sampling=spacing)
    return np.asarray(ndimage.gaussian_filter(stairs, _SMOOTH_VOX), dtype=np.float64)


def _crossing(depth: FloatArray, radii: FloatArray, least: FloatArray) -> FloatArray:
    """Return where ``(A, R)`` depths first fall below 0 at or beyond start radii."""
    outside = (depth < 0) & (radii >= least[:, None])
    first = np.where(outside.any(axis=1), outside.argmax(axis=1), len(radii) - 1)
    rows = np.arange(len(depth))
    after, before = depth[rows, first], depth[rows, np.maximum(first - 1, 0)]
    share = np.where(before > 0, before / np.maximum(before - after, 1e-9), 1.0)
    return np.maximum(radii[np.maximum(first - 1, 0)] + share * _RAY_STEP_MM, least)


def _longest_run(places: list[int]) -> list[int]:
    runs: list[list[int]] = []
    for place in places:
        if runs and place == runs[-1][-1] + 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return max(runs, key=len, default=[])


def _longest_arc(on: BoolArray) -> tuple[int, int] | None:
    """Return start and length of the longest run on a circle."""
    if not on.any():
        return None
    if on.all():
        return 0, len(on)
    off = int(np.flatnonzero(~on)[0])
    rolled = np.roll(on, -off)
    pieces, count = ndimage.label(rolled)
    lengths = np.bincount(pieces, minlength=count + 1)[1:]
    best = int(lengths.argmax()) + 1
    return (int(np.flatnonzero(pieces == best)[0]) + off) % len(on), int(lengths.max())


def _points_to_apex(seen: Labels, run: list[int]) -> bool:
    """Whether the cavities' cross-sections become smaller along the stack."""
    if len(run) < 2:
        return True
    cavities = (HeartPart.LV, HeartPart.RV)
    area = np.array([np.isin(seen[z], cavities).sum() for z in run], dtype=np.float64)
    return bool(np.polyfit(np.arange(len(run)), area, 1)[0] <= 0)


def _mean_angle(angles: list[float]) -> float:
    """Return the mean of the finite angles; that of the usual view if there are none."""
    known = np.asarray(angles)[np.isfinite(angles)]
    if not known.size:
        return float(np.pi)
    return float(np.arctan2(np.sin(known).mean(), np.cos(known).mean())) % (2 * np.pi)


def _pixel_mm2(to_mm: FloatArray) -> float:
    return abs(float(np.linalg.det(to_mm[:2, :2])))
