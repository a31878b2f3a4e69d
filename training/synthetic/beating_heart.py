"""Synthetic beating heart, analytic: its volumes, motion and images are known exactly.

The left ventricle's cavity is half an ellipsoid, its wall the shell around it, the right ventricle
a crescent beside it. Contraction narrows and shortens the cavity, thickens the wall and draws the
right ventricle's free wall in. In the heart's own frame (mm) x runs from the right ventricle to
the left, y down in the usual short-axis view, z from the base (0) to the apex.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray

_FADE_MM: Final = 60.0  # beyond the apex, motion has died away after this
_SQUEEZE_MM: Final = 45.0  # how far the right ventricle's squeeze reaches
_RV_CENTRE: Final = (-24.0, 4.0)
_RV_AXES: Final = (34.0, 42.0)
_RV_LENGTH: Final = 68.0
_GRAY: Final = {"blood": 0.82, "wall": 0.27, "lung": 0.05, "flesh": 0.38, "fat": 0.95, "air": 0.01}


@dataclass(frozen=True)
class BeatingHeart:
    """Size and contraction of a synthetic heart.

    Attributes:
        radius_mm: of the left ventricle's cavity at the base, at end-diastole.
        length_mm: from base to apex of the cavity, at end-diastole.
        wall_mm: thickness of the wall, at end-diastole.
        narrowing: share of its radius that the cavity loses until end-systole.
        shortening: share of its length that it loses.
        squeeze: share by which the right ventricle's free wall comes nearer.
        systole: share of the cycle until end-systole.
    """

    radius_mm: float = 25.0
    length_mm: float = 78.0
    wall_mm: float = 9.0
    narrowing: float = 0.28
    shortening: float = 0.12
    squeeze: float = 0.35
    systole: float = 0.36

    def contraction(self, phases: int) -> FloatArray:
        """Return the contraction in each phase, 0 (end-diastole, first) to 1."""
        time = np.arange(phases) / phases
        falling = np.sin(np.pi / 2 * np.clip(time / self.systole, 0, 1)) ** 2
        filling = np.clip((time - self.systole) / (1 - self.systole), 0, 1)
        result: FloatArray = falling - (1 - (1 - filling**1.3) ** 2.2) * (time > self.systole)
        return result

    def lv_ml(self, contraction: float = 0.0) -> float:
        """Return the volume of the left ventricle's cavity: two thirds of pi r^2 l."""
        scale = (1 - self.narrowing * contraction) ** 2 * (1 - self.shortening * contraction)
        return 2 / 3 * np.pi * self.radius_mm**2 * self.length_mm * scale / 1000

    def myocardium_ml(self, contraction: float = 0.0) -> float:
        """Return the volume of the left ventricle's wall."""
        outer = (self.radius_mm + self.wall_mm) ** 2 * (self.length_mm + self.wall_mm)
        shell = 2 / 3 * np.pi * (outer - self.radius_mm**2 * self.length_mm) / 1000
        return shell * (1 - self.shortening * contraction)

    def rv_ml(self, contraction: float = 0.0, step_mm: float = 0.5) -> float:
        """Return the volume of the right ventricle's cavity, by counting points a step apart."""
        x = np.arange(-70, 10, step_mm) + step_mm / 2
        y = np.arange(-50, 60, step_mm) + step_mm / 2
        z = np.arange(0, _RV_LENGTH, 2.0) + 1.0
        points = np.stack(np.meshgrid(x, y, z, indexing="ij"), axis=-1).reshape(-1, 3)
        count = (self.parts(self.unmoved(points, contraction)) == HeartPart.RV).sum()
        return float(count * step_mm**2 * 2.0 / 1000)

    @property
    def ejection_fraction(self) -> float:
        """Of the left ventricle, percent."""
        return 100 * (1 - self.lv_ml(1.0) / self.lv_ml(0.0))

    def parts(self, points_mm: FloatArray) -> NDArray[np.uint8]:
        """Return part ids at points ``(..., 3)`` of the heart at end-diastole."""
        x, y, z = np.moveaxis(points_mm, -1, 0)
        outer = self.wall_mm
        rho2 = x**2 + y**2
        cavity = rho2 / self.radius_mm**2 + (z / self.length_mm) ** 2 <= 1
        whole = rho2 / (self.radius_mm + outer) ** 2 + (z / (self.length_mm + outer)) ** 2 <= 1
        right = _right_ventricle(x, y, z) <= 1
        ids = np.select(
            [cavity, whole, right], [HeartPart.LV, HeartPart.MYOCARDIUM, HeartPart.RV], 0
        )
        return np.where(z >= 0, ids, 0).astype(np.uint8)

    def moved(self, points_mm: FloatArray, contraction: float) -> FloatArray:
        """Map points ``(..., 3)`` of the heart at end-diastole to the contracted heart."""
        if not contraction:
            return np.array(points_mm, dtype=np.float64)
        x, y, z = _coordinates(points_mm)
        rho = before = np.hypot(x, y)
        beyond = np.maximum(rho - self._epicardium(z), 0)
        rho = rho - self._pull(x, rho, contraction) * _reach(beyond)
        inner, scale = self._endocardium(z), 1 - self.narrowing * contraction
        outside = np.sqrt(np.maximum(rho**2 - (1 - scale**2) * inner**2, 0))
        linear, cubic = _cavity_map(scale)
        share = rho / np.maximum(inner, 1e-9)
        rho = np.where(rho <= inner, rho * (linear + cubic * share**2), outside)
        z = np.interp(z, *self._levels(contraction)) + np.minimum(z, 0)
        return _stretched(points_mm, x, y, z, rho / np.maximum(before, 1e-12))

    def unmoved(self, points_mm: FloatArray, contraction: float) -> FloatArray:
        """Map points ``(..., 3)`` of the contracted heart to end-diastole."""
        if not contraction:
            return np.array(points_mm, dtype=np.float64)
        x, y, z = _coordinates(points_mm)
        z = np.interp(z, *self._levels(contraction)[::-1]) + np.minimum(z, 0)
        after = np.hypot(x, y)
        inner, scale = self._endocardium(z), 1 - self.narrowing * contraction
        rho = np.sqrt(after**2 + (1 - scale**2) * inner**2)
        cavity = after <= scale * inner
        rho[cavity] = self._in_cavity(after[cavity], inner[cavity], scale)
        distance = rho - self._epicardium(z)
        far = distance > 0
        beyond, pull = distance[far], self._pull(x[far], after[far], contraction)
        rho[far] += _pushed_out(beyond, pull) - beyond
        return _stretched(points_mm, x, y, z, rho / np.maximum(after, 1e-12))

    @staticmethod
    def _in_cavity(after: FloatArray, inner: FloatArray, scale: float) -> FloatArray:
        """Radii at end-diastole of those in the contracted cavity."""
        linear, cubic = _cavity_map(scale)
        after = after / np.maximum(inner, 1e-9)
        share = after / scale
        for _ in range(6):  # Newton
            share -= (share * (linear + cubic * share**2) - after) / (linear + 3 * cubic * share**2)
        return share * inner

    def picture(self, points_mm: FloatArray) -> FloatArray:
        """Return gray values 0..1 at points ``(..., 3)`` of the chest at end-diastole."""
        x, y, z = np.moveaxis(points_mm, -1, 0)
        ids = self.parts(np.stack([x, y, np.maximum(z, 0)], axis=-1))
        torso = np.hypot((x - 5) / 128, (y - 12) / 108)
        lung = np.hypot((x - 28) / 72, (y + 42) / 58)
        stomach = np.hypot((x - 68) / 34, (y - 74) / 26)
        gray = np.where(y > 34 + 0.1 * x, 0.34, _GRAY["flesh"])
        gray = np.where((torso > 0.86) | (abs(_right_ventricle(x, y, z) - 1.25) < 0.1),
                        _GRAY["fat"], gray)  # fmt: skip
        gray = np.where((lung < 1) & (torso < 0.82), _GRAY["lung"], gray)
        gray = np.where(stomach < 1, 0.62, gray)
        gray = np.where(torso > 1, _GRAY["air"], gray)
        gray = np.where(_right_ventricle(x, y, z) < 1.16, _GRAY["wall"], gray)
        gray = np.where((ids == HeartPart.RV) | (ids == HeartPart.LV), _GRAY["blood"], gray)
        gray = np.where(ids == HeartPart.MYOCARDIUM, _GRAY["wall"], gray)
        for angle, level in ((0.9, 46.0), (2.6, 42.0)):  # papillary muscles
            radius = 0.66 * self._endocardium(z)
            off = np.hypot(x - radius * np.cos(angle), y - radius * np.sin(angle))
            inside = (off < 4.2) & (abs(z - level) < 18) & (ids == HeartPart.LV)
            gray = np.where(inside, 0.36, gray)
        return np.asarray(gray * (1 + 0.16 * self._texture(points_mm)), dtype=np.float64)

    def _endocardium(self, z: FloatArray) -> FloatArray:
        share = np.where(z < 0, 0, z / self.length_mm)
        return self.radius_mm * np.sqrt(np.maximum(1 - share**2, 0))

    def _epicardium(self, z: FloatArray) -> FloatArray:
        share = np.where(z < 0, 0, z / (self.length_mm + self.wall_mm))
        return (self.radius_mm + self.wall_mm) * np.sqrt(np.maximum(1 - share**2, 0))

    def _pull(self, x: FloatArray, rho: FloatArray, contraction: float) -> FloatArray:
        """Squeeze by direction: full towards the right ventricle, none on the other side."""
        cos = np.where(rho > 0, x / np.maximum(rho, 1e-12), 1.0)
        return self.squeeze * contraction * ((1 - cos) / 2) ** 2

    def _levels(self, contraction: float) -> tuple[FloatArray, FloatArray]:
        end = self.length_mm + self.wall_mm
        before = np.array([0.0, end, end + _FADE_MM, end + 1000])
        after = before.copy()
        after[1] *= 1 - self.shortening * contraction
        return before, after

    @cached_property
    def _noise(self) -> NDArray[np.float32]:
        rng = np.random.default_rng(7)
        coarse, fine = (
            ndimage.gaussian_filter(rng.standard_normal((40, 90, 90)), sigma) for sigma in (3, 1.2)
        )
        return np.asarray(coarse / coarse.std() + 0.6 * fine / fine.std(), dtype=np.float32)

    def _texture(self, points_mm: FloatArray) -> FloatArray:
        """Fine unevenness that moves with the tissue; a step of its lattice is 3 mm."""
        where = np.moveaxis(points_mm[..., ::-1], -1, 0) / 3.0
        middle = np.array([5.0, 45.0, 45.0]).reshape(3, *[1] * (where.ndim - 1))
        values = ndimage.map_coordinates(self._noise, where + middle, order=1, mode="grid-wrap")
        return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class BeatingCine:
    """A cine of a beating heart.

    Attributes:
        images: (T, D, H, W) float32, 0 to about 1.2.
        labels: (T, D, H, W) uint8, parts at the middle of each voxel.
        to_heart: (4, 4) from voxels ``(x, y, z, 1)`` to the heart's frame in mm.
        contraction: (T,) of every phase.
        heart: the model of the heart.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    to_heart: FloatArray
    contraction: FloatArray
    heart: BeatingHeart


def beating_cine(
    heart: BeatingHeart | None = None,
    phases: int = 12,
    shape: tuple[int, int, int] = (10, 140, 140),
    spacing_mm: Sequence[float] = (1.5, 1.5, 10.0),
    noise: float = 0.03,
    seed: int = 0,
) -> BeatingCine:
    """Scan a beating heart: a short-axis stack that begins at the base.

    Args:
        heart: the model of the heart.
        phases: of the cine; the first is end-diastole.
        shape: ``(D, H, W)``.
        spacing_mm: along x, y, z; slices are as thick as they are apart.
        noise: standard deviation of the noise in both channels of the receiver.
        seed: of the noise.
    """
    heart = heart or BeatingHeart()
    to_heart = stack_place(shape, spacing_mm)
    contraction = heart.contraction(phases)
    rng = np.random.default_rng(seed)
    images = np.empty((phases, *shape), np.float32)
    offsets = [(x, y, z) for x, y, z in product((-0.25, 0.25), repeat=3) if x * y * z > 0]
    for phase, amount in enumerate(contraction):
        picture = np.zeros(shape)
        for offset in offsets:  # what one voxel sees
            points = heart.unmoved(_points(to_heart, shape, offset), amount)
            picture += heart.picture(points) / len(offsets)
        real, imaginary = rng.normal(0, noise, (2, *shape))
        images[phase] = np.hypot(picture + real, imaginary)
    labels = beating_labels(heart, contraction, shape, to_heart)
    return BeatingCine(images, labels, to_heart, contraction, heart)


def beating_labels(
    heart: BeatingHeart, contraction: FloatArray, shape: tuple[int, int, int], to_heart: FloatArray
) -> NDArray[np.uint8]:
    """Return part ids ``(T, D, H, W)`` at the middle of each voxel of a stack, in each phase."""
    points = _points(to_heart, shape)
    return np.stack([heart.parts(heart.unmoved(points, amount)) for amount in contraction])


def stack_place(shape: tuple[int, int, int], spacing_mm: Sequence[float]) -> FloatArray:
    """Return the (4, 4) matrix from voxels of a stack from the base on to the heart's frame."""
    _, height, width = shape
    to_heart = np.diag([*spacing_mm, 1.0])
    to_heart[:3, 3] = (
        -13.63 - spacing_mm[0] * (width - 1) / 2,
        8.29 - spacing_mm[1] * (height - 1) / 2,
        spacing_mm[2] / 2,
    )
    return to_heart


def _points(
    to_heart: FloatArray, shape: tuple[int, int, int], offset: Sequence[float] = (0, 0, 0)
) -> FloatArray:
    z, y, x = np.indices(shape, dtype=np.float64)
    voxels = np.stack([x, y, z], axis=-1) + np.asarray(offset)
    points: FloatArray = voxels @ to_heart[:3, :3].T + to_heart[:3, 3]
    return points


def _cavity_map(scale: float) -> tuple[float, float]:
    """Coefficients of ``s -> s (a + b s^2)`` in a cavity of radius 1 that shrinks to ``scale``.

    At its edge it meets the wall's motion, which keeps areas, in value and in slope.
    """
    cubic = (1 / scale - scale) / 2
    return scale - cubic, cubic


def _coordinates(points_mm: FloatArray) -> FloatArray:
    """Return x, y, z ``(3, N)`` of points ``(..., 3)``, each in one piece."""
    return np.ascontiguousarray(np.asarray(points_mm, dtype=np.float64).reshape(-1, 3).T)


def _stretched(
    like: FloatArray, x: FloatArray, y: FloatArray, z: FloatArray, ratio: FloatArray
) -> FloatArray:
    """Return points ``(..., 3)`` in the shape of others, their x and y times a ratio."""
    return np.stack([x * ratio, y * ratio, z], axis=-1).reshape(np.shape(like))


def _pushed_out(beyond: FloatArray, pull: FloatArray) -> FloatArray:
    """Return the distances that a pull, times their `_reach`, has shortened to those given."""
    before = beyond + pull * _reach(beyond)
    for _ in range(4):  # Newton; the slope is above 1 minus the squeeze
        fade = np.exp(-((before / _SQUEEZE_MM) ** 2))
        slope = 1 - pull * fade * (1 - 2 * (before / _SQUEEZE_MM) ** 2)
        before -= (before * (1 - pull * fade) - beyond) / slope
    return before


def _reach(distance: FloatArray) -> FloatArray:
    """Return a length that grows with the distance and dies away again far out."""
    return distance * np.exp(-((distance / _SQUEEZE_MM) ** 2))


def _right_ventricle(x: FloatArray, y: FloatArray, z: FloatArray) -> FloatArray:
    """1 on the surface of the ellipsoid whose part beside the left ventricle is the right one."""
    across, along = (x - _RV_CENTRE[0]) / _RV_AXES[0], (y - _RV_CENTRE[1]) / _RV_AXES[1]
    return across**2 + along**2 + (np.maximum(z, 0) / _RV_LENGTH) ** 2
