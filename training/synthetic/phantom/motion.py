"""Motion of the phantom's heart: analytic, invertible, and incompressible in the wall.

In the heart's frame (mm) x runs from the right ventricle to the left, y down in the usual
short-axis view, z along the left ventricle's axis from the base (0) to the apex; ``(r, t, z)`` are
its cylindrical coordinates. A point at end-diastole moves in three steps, each of which changes one
coordinate by a function that is monotone in it, so that each has an inverse:

    contraction     r'^2 = r^2 / m + g(t, z)
    twist           t' = t + w(z)
    longitudinal    z' = z0 + m (z - z0)

with the longitudinal stretch ``m < 1`` and any ``g``. In the wall the determinants are ``1 / m``,
1 and ``m``: the wall keeps its volume exactly, whatever contracts where. ``g`` follows from how
far the cavity's edge moves in; in an infarct it is such that the middle of the wall keeps its
radius. In the cavity r' is the cubic that meets the wall's motion in value and slope; outside the
wall, above the base and below the apex all motion fades out smoothly within 10 cm.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from facewarp.core.arrays import FloatArray

_FADE_MM: Final = 50.0  # beyond the wall, within this, contraction fades out
_FAR_MM: Final = 45.0  # beyond the heart, within this, twist and longitudinal motion do
_ABOVE_MM: Final = 10.0  # above the base, within this, contraction and twist do: atria fill
_BELOW_MM: Final = 40.0  # below the apex of the cavity, within this, the right ventricle's squeeze
_LONG_MM: Final = 90.0  # above the base and below the apex, within this, longitudinal motion does
_NEWTON: Final = 7
_APICAL: Final = 0.3  # by how much more the cavity narrows at the apex than at the base
_NARROWEST: Final = 0.6  # the cavity loses no more of its radius at the base
_RIM_DEGREES: Final = 18.0  # around an infarct contraction comes back within this
_RIM: Final = 0.12  # and along the axis within this share of the cavity's length
_ANCHOR: Final = 1.0  # share of the length, from the base, that stays where it is: the apex
_STEP_MM: Final = 1e-3  # of central differences


@dataclass(frozen=True)
class Infarct:
    """A piece of the wall that does not contract.

    Attributes:
        degrees: its first and last angle from the septum's middle, growing towards the anterior
            wall.
        levels: where it begins and ends, as shares of the cavity's length from the base.
    """

    degrees: tuple[float, float]
    levels: tuple[float, float]


@dataclass(frozen=True)
class HeartMotion:
    """Size and motion of a left ventricle.

    Attributes:
        radius_mm: of the cavity at the base, at end-diastole.
        length_mm: from base to apex of the cavity, at end-diastole.
        wall_mm: thickness of the wall at the base, at end-diastole.
        ejection_fraction: of the left ventricle, percent; the contraction follows from it.
        shortening: share of its length that the ventricle loses.
        twist_degrees: rotation at base and apex at end-systole, seen from the apex as in the usual
            view; positive counter-clockwise.
        squeeze: share by which the right ventricle's free wall comes nearer.
        infarct: what does not contract; None for nothing.
    """

    radius_mm: float = 25.0
    length_mm: float = 78.0
    wall_mm: float = 9.0
    ejection_fraction: float = 60.0
    shortening: float = 0.12
    twist_degrees: tuple[float, float] = (-3.0, 7.0)
    squeeze: float = 0.35
    infarct: Infarct | None = None

    @property
    def end_mm(self) -> float:
        """Where the wall ends below the apex of the cavity."""
        return self.length_mm + self.wall_mm

    @property
    def reach_mm(self) -> float:
        """Radius within which twist and longitudinal motion are whole: a little beyond the wall."""
        return self.radius_mm + self.wall_mm + 6.0

    @cached_property
    def narrowing(self) -> float:
        """Share of its radius that the cavity loses at the base: what the ejection fraction needs.

        Raises:
            ValueError: the heart cannot eject as much.
        """

        def missing(narrowing: float) -> float:
            left = self._cavity_ml(1.0, narrowing)
            return 100 * (1 - left / self._cavity_ml(0.0, 0.0)) - self.ejection_fraction

        least, most = -_NARROWEST, _NARROWEST
        if missing(least) > 0 or missing(most) < 0:
            raise ValueError(f"no motion of this heart ejects {self.ejection_fraction:g} %")
        return float(optimize.brentq(missing, least, most, xtol=1e-12))

    def lv_ml(self, contraction: float = 0.0) -> float:
        """Return the volume of the left ventricle's cavity at a contraction of 0 to 1."""
        return self._cavity_ml(contraction, self.narrowing)

    @property
    def wall_ml(self) -> float:
        """Volume of the wall, the same at every contraction."""
        outer = (self.radius_mm + self.wall_mm) ** 2 * self.end_mm
        return float(2 / 3 * np.pi * (outer - self.radius_mm**2 * self.length_mm) / 1000)

    def inner_mm(self, z: FloatArray) -> FloatArray:
        """Return the cavity's radius at end-diastole."""
        return self.radius_mm * _dome(z / self.length_mm)

    def outer_mm(self, z: FloatArray) -> FloatArray:
        """Return the wall's outer radius at end-diastole."""
        return (self.radius_mm + self.wall_mm) * _dome(z / self.end_mm)

    def moved(self, points_mm: FloatArray, contraction: float) -> FloatArray:
        """Map points ``(..., 3)`` of the heart at end-diastole to a contraction of 0 to 1."""
        r, angle, z = _cylindrical(points_mm)
        r = _Contraction(self, angle, z, contraction).outwards(r)
        near = self._near(r)
        angle = angle + near * self._rotation(z, contraction)
        lower = z + near * self._sink(z, contraction)[0]
        return np.stack([r * np.cos(angle), r * np.sin(angle), lower], axis=-1)

    def unmoved(self, points_mm: FloatArray, contraction: float) -> FloatArray:
        """Map points ``(..., 3)`` of the contracted heart to end-diastole: the inverse of `moved`.

        Exact between base and apex but for the cavity, where a cubic is inverted; Newton's method
        finds the rest.
        """
        r, angle, lower = _cylindrical(points_mm)
        near = self._near(r)
        z = self._raised(lower, near, contraction)
        angle = angle - near * self._rotation(z, contraction)
        r = _Contraction(self, angle, z, contraction).inwards(r)
        return np.stack([r * np.cos(angle), r * np.sin(angle), z], axis=-1)

    def gradient(self, points_mm: FloatArray, contraction: float) -> FloatArray:
        """Return the deformation gradient ``F = d moved / d point``, ``(..., 3, 3)``.

        Central differences of the formulas over a thousandth of a mm, right to about 1e-9.
        """
        columns = []
        for axis in range(3):
            step = np.zeros(3)
            step[axis] = _STEP_MM
            ahead, behind = (self.moved(points_mm + s * step, contraction) for s in (1, -1))
            columns.append((ahead - behind) / (2 * _STEP_MM))
        return np.stack(columns, axis=-1)

    def _cavity_ml(self, contraction: float, narrowing: float) -> float:
        """Integrate the cavity's cross-sections ``r'^2 / 2`` over angle and depth."""
        count = 400
        z = (np.arange(count) + 0.5) / count * self.length_mm
        angle = (np.arange(180) + 0.5) * 2 * np.pi / 180 if self.infarct else np.zeros(1)
        squared = self._edge_squared(angle[None], z[:, None], contraction, narrowing)
        stretch = 1 - self.shortening * contraction
        return float(np.pi * squared.mean() * self.length_mm * stretch / 1000)

    def _edge_squared(
        self, angle: FloatArray, z: FloatArray, contraction: float, narrowing: float
    ) -> FloatArray:
        """Square of the cavity's radius after contraction."""
        wider = 1 / (1 - self.shortening * contraction)
        inner = self.inner_mm(z)
        share = 1 - contraction * narrowing * (1 + _APICAL * np.clip(z / self.length_mm, 0, 1))
        squared = (share * inner) ** 2
        if self.infarct is None:
            return squared + np.zeros_like(angle)
        middle = (inner + self.outer_mm(z)) / 2
        still = np.maximum(wider * inner**2 + (1 - wider) * middle**2, 0.25 * inner**2)
        within = self._infarcted(angle, z)
        return squared + within * (still - squared)

    def _infarcted(self, angle: FloatArray, z: FloatArray) -> FloatArray:
        """1 in the infarct, 0 where the wall contracts as elsewhere."""
        assert self.infarct is not None
        first, last = self.infarct.degrees
        half = (last - first) / 2
        off = (np.degrees(angle) - 180 - (first + last) / 2 + 180) % 360 - 180
        beside = (np.abs(off) - half) / _RIM_DEGREES
        share = z / self.length_mm
        top, bottom = self.infarct.levels
        above, below = (top - share) / _RIM, (share - bottom) / _RIM
        kept = [1 - _smooth_step(one) for one in (beside, above, below)]
        return kept[0] * kept[1] * kept[2]

    def _fade(self, z: FloatArray) -> FloatArray:
        """1 in the ventricle, 0 far above the base and below the apex."""
        below = _smooth_step((z - self.end_mm) / _LONG_MM)
        return (1 - _smooth_step(-z / _ABOVE_MM)) * (1 - below)

    def _near(self, r: FloatArray) -> FloatArray:
        """1 in the ventricle, 0 far beside it."""
        return 1 - _smooth_step((r - self.reach_mm) / _FAR_MM)

    def _rotation(self, z: FloatArray, contraction: float) -> FloatArray:
        base, apex = -np.radians(self.twist_degrees)  # angles grow clockwise on the screen
        turn = base + (apex - base) * np.clip(z / self.end_mm, 0, 1)
        return contraction * turn * self._fade(z)

    def _sink(self, z: FloatArray, contraction: float) -> tuple[FloatArray, FloatArray]:
        """Return the longitudinal motion at the axis, and its derivative."""
        loss = self.shortening * contraction
        anchor = _ANCHOR * self.end_mm
        top, bottom = loss * anchor, -loss * (self.end_mm - anchor)
        above, below = _bump(z / _LONG_MM), _bump((z - self.end_mm) / _LONG_MM)
        value = np.where(z < 0, top * above[0], bottom * below[0])
        slope = np.where(z < 0, top * above[1], bottom * below[1]) / _LONG_MM
        inside = (z >= 0) & (z <= self.end_mm)
        value = np.where(inside, -loss * (z - anchor), value)
        return value, np.where(inside, -loss, slope)

    def _raised(self, lower: FloatArray, near: FloatArray, contraction: float) -> FloatArray:
        """Solve ``z + near * sink(z) = lower``, which is monotone in z."""
        loss, anchor = self.shortening * contraction, _ANCHOR * self.end_mm
        z = (lower - near * loss * anchor) / (1 - near * loss)  # exact between base and apex
        outside = (z < 0) | (z > self.end_mm)
        if outside.any():
            wanted, share = lower[outside], near[outside]
            guess = np.where(z[outside] < 0, np.minimum(wanted, 0), wanted)
            low = z[outside] < 0
            for _ in range(_NEWTON):
                value, slope = self._sink(guess, contraction)
                guess = guess - (guess + share * value - wanted) / (1 + share * slope)
                guess = np.where(low, np.minimum(guess, 0), np.maximum(guess, self.end_mm))
            z = z.copy()
            z[outside] = guess
        return z


class _Contraction:
    """The radial step at some places: monotone maps between radii before and after."""

    def __init__(
        self, motion: HeartMotion, angle: FloatArray, z: FloatArray, contraction: float
    ) -> None:
        fade = motion._fade(z)
        self.wider = 1 + (1 / (1 - motion.shortening * contraction) - 1) * fade
        self.inner, self.outer = motion.inner_mm(z), motion.outer_mm(z)
        after = motion._edge_squared(angle, np.maximum(z, 0), contraction, motion.narrowing)
        self.grown = fade * (after - self.inner**2) - (self.wider - 1) * self.inner**2
        edge = self.wider * self.inner**2 + self.grown
        self.edge = np.sqrt(np.maximum(edge, 0))
        self.rim = np.sqrt(np.maximum(self.wider * self.outer**2 + self.grown, 0))
        self.pull = motion.squeeze * contraction * ((1 - np.cos(angle)) / 2) ** 2 * fade
        below = 1 - _smooth_step((z - motion.length_mm) / _BELOW_MM)
        self.pull = self.pull * below

    def outwards(self, r: FloatArray) -> FloatArray:
        """Map radii at end-diastole to the contracted heart."""
        wall = np.sqrt(np.maximum(self.wider * r**2 + self.grown, 0))
        value = np.where(r <= self.outer, wall, self.rim + self._beyond(r - self.outer)[0])
        return np.where(r < self.inner, self._within(r)[0], value)

    def inwards(self, r: FloatArray) -> FloatArray:
        """Map radii of the contracted heart to end-diastole."""
        found = np.sqrt(np.maximum(r**2 - self.grown, 0) / self.wider)
        beyond = r > self.rim
        if beyond.any():
            found = found.copy()
            part = self._only(beyond)
            wanted = (r - self.rim)[beyond]
            away = wanted.copy()
            for _ in range(_NEWTON):
                value, slope = part._beyond(away)
                away = np.maximum(away - (value - wanted) / slope, 0)
            found[beyond] = part.outer + away
        within = r < self.edge
        if within.any():
            found = found.copy()
            part, wanted = self._only(within), r[within]
            guess = wanted / np.maximum(part.edge, 1e-9) * part.inner
            for _ in range(_NEWTON):
                value, slope = part._within(guess)
                guess = np.clip(guess - (value - wanted) / slope, 0, part.inner)
            found[within] = guess
        return found

    def _only(self, mask: NDArray[np.bool_]) -> "_Contraction":
        part = object.__new__(_Contraction)
        for name, value in vars(self).items():
            setattr(part, name, value[mask])
        return part

    def _within(self, r: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Radius in the cavity and its derivative: ``r (a + b (r / inner)^2)``.

        Value and slope meet the wall's at the edge, as far as the map stays monotone.
        """
        inner = np.maximum(self.inner, 1e-9)
        share = self.edge / inner
        slope = self.wider * inner / np.maximum(self.edge, 1e-9)
        cubic = np.clip((slope - share) / 2, -0.3 * share, 0.9 * share)
        squared = (r / inner) ** 2
        value = r * (share - cubic + cubic * squared)
        return value, share - cubic + 3 * cubic * squared

    def _beyond(self, away: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Distance from the contracted wall of what is so far from it, and its derivative."""
        fading, slope = _bump(away / _FADE_MM)
        slope = slope / _FADE_MM
        moved = self.rim - self.outer
        value = away - moved * (1 - fading) - self.pull * away * fading
        return value, 1 + moved * slope - self.pull * (fading + away * slope)


def _cylindrical(points_mm: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    x, y, z = np.moveaxis(np.asarray(points_mm, dtype=np.float64), -1, 0)
    return np.hypot(x, y), np.arctan2(y, x), z


def _dome(share: FloatArray) -> FloatArray:
    """Radius of half an ellipsoid at a share of its length; a tube above it."""
    return np.sqrt(np.maximum(1 - np.maximum(share, 0) ** 2, 0))


def _bump(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """``(1 - x^2)^3`` within 1, and its derivative."""
    inside = np.maximum(1 - x * x, 0)
    squared = inside * inside
    return squared * inside, -6 * x * squared


def _smooth_step(x: FloatArray) -> FloatArray:
    """0 below 0, 1 above 1, and smooth between."""
    t = np.clip(x, 0, 1)
    return np.asarray(t * t * t * (10 - t * (15 - 6 * t)), dtype=np.float64)
