"""Known motion of a still image: forward and inverse map of points at any time.

A point p of the image at rest is at time t at

    q = c + s(t) + v / (1 + g(t) . v),    v = M(t) (p + sum_k a_k(t) b_k(p) d_k - c)

First the expressions: each bump k pushes its surroundings along d_k by b_k(p) = (1 - r^2)^3 inside
of an ellipse, r being 1 on its rim, and by nothing outside of it. Then the whole image about its
center c: M rotates, zooms and shears, g tilts it as a plane seen in perspective, s shifts it. The
second part has a closed inverse; the first is undone by a fixed-point iteration, which converges
while the bumps together are less steep than 1.
"""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from facewarp.core.arrays import Points
from facewarp.errors import FacewarpError
from facewarp.face.similarity import rotation

GLOBAL_CHANNELS = ("shift_x_px", "shift_y_px", "roll_deg", "zoom", "shear", "tilt_x", "tilt_y")
"""Parameters of the motion of the whole image; tilts are in 1/1000 px."""

_NEUTRAL = {"zoom": 1.0}
_MAX_ITERATIONS = 100


@dataclass(frozen=True)
class Channel:
    """A parameter over time: smooth steps between keys, constant before and after.

    Attributes:
        times_s: when each key is reached, ascending.
        values: at the keys.
    """

    times_s: tuple[float, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.times_s) != len(self.values) or not self.times_s:
            raise FacewarpError("a channel needs as many times as values, and at least one")
        if any(a >= b for a, b in zip(self.times_s, self.times_s[1:], strict=False)):
            raise FacewarpError("a channel's times must ascend")

    def at(self, time_s: float) -> float:
        """Return the value at a time; smoothstep 3x^2 - 2x^3 between keys."""
        place = float(np.interp(time_s, self.times_s, np.arange(len(self.times_s))))
        key = min(int(place), len(self.values) - 1)
        following = min(key + 1, len(self.values) - 1)
        x = place - key
        return self.values[key] + (self.values[following] - self.values[key]) * x * x * (3 - 2 * x)


@dataclass(frozen=True)
class Bump:
    """A local displacement of the image, falling to zero at the rim of an ellipse.

    Attributes:
        channel: name of the channel that scales ``push_px``.
        center, radii, push_px: (x, y) px of the image at rest.
    """

    channel: str
    center: tuple[float, float]
    radii: tuple[float, float]
    push_px: tuple[float, float]

    def weight(self, points: Points) -> Points:
        """(...,) share 0..1 of the push at points (..., 2)."""
        scaled = (points - np.array(self.center)) / np.array(self.radii)
        inside = np.clip(1 - np.square(scaled).sum(axis=-1), 0, None)
        return np.asarray(inside**3, dtype=np.float64)


@dataclass(frozen=True)
class Motion:
    """The motion of a clip; times in seconds, points in px (pixel centres at whole numbers).

    Attributes:
        duration_s, fps: of the clip; frame i shows time i / fps.
        center: (x, y) px of the rotation of the whole image.
        channels: by name; those of GLOBAL_CHANNELS move everything, the others scale bumps.
        bumps: the expressions.
    """

    duration_s: float
    fps: float
    center: tuple[float, float]
    channels: dict[str, Channel]
    bumps: tuple[Bump, ...] = ()

    @property
    def frame_count(self) -> int:
        """Number of frames of the clip."""
        return round(self.duration_s * self.fps)

    def value(self, channel: str, time_s: float) -> float:
        """Return a channel's value at a time; neutral if the motion has no such channel."""
        if channel in self.channels:
            return self.channels[channel].at(time_s)
        return _NEUTRAL.get(channel, 0.0)

    def map_points(self, points: ArrayLike, time_s: float) -> Points:
        """Map points (..., 2) of the image at rest to a time."""
        rest = np.asarray(points, dtype=np.float64)
        matrix, tilt, shift = self._global(time_s)
        v = (rest + self.expression(rest, time_s) - self.center) @ matrix.T
        return self.center + shift + v / (1 + v @ tilt)[..., None]

    def unmap_points(
        self, points: ArrayLike, time_s: float, *, tolerance_px: float = 1e-4
    ) -> Points:
        """Map points (..., 2) at a time to the image at rest: the inverse of `map_points`.

        Raises:
            FacewarpError: the iteration does not reach ``tolerance_px``; the bumps are too steep.
        """
        moved = np.asarray(points, dtype=np.float64) - self.center
        matrix, tilt, shift = self._global(time_s)
        w = moved - shift
        straight = w / (1 - w @ tilt)[..., None]
        target = straight @ np.linalg.inv(matrix).T + self.center
        rest = target.copy()
        # Only what a bump may have reached needs iterating.
        low, high = self._reach(time_s)
        near = ((target > low) & (target < high)).all(axis=-1)
        goal = target[near]
        guess = goal
        for _ in range(_MAX_ITERATIONS):
            following = goal - self.expression(guess, time_s)
            change = np.abs(following - guess).max(initial=0.0)
            guess = following
            if change < tolerance_px / 4:  # the next steps shrink
                rest[near] = guess
                return rest
        raise FacewarpError(f"the motion can't be inverted at {time_s} s", fix="Flatten its bumps.")

    def expression(self, points: Points, time_s: float) -> Points:
        """Return the displacement (..., 2) px by the bumps alone at points of the image at rest."""
        total = np.zeros(points.shape)
        for bump in self.bumps:
            amount = self.value(bump.channel, time_s)
            if amount:
                total += amount * bump.weight(points)[..., None] * np.array(bump.push_px)
        return total

    def save(self, path: str | Path) -> None:
        """Write the motion as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return the motion that `save` wrote."""
        channels = {
            name: Channel(tuple(channel["times_s"]), tuple(channel["values"]))
            for name, channel in data["channels"].items()
        }
        bumps = tuple(
            Bump(
                bump["channel"],
                _pair(bump["center"]),
                _pair(bump["radii"]),
                _pair(bump["push_px"]),
            )
            for bump in data["bumps"]
        )
        return cls(data["duration_s"], data["fps"], _pair(data["center"]), channels, bumps)

    def _global(self, time_s: float) -> tuple[Points, Points, Points]:
        shift_x, shift_y, roll, zoom, shear, tilt_x, tilt_y = (
            self.value(name, time_s) for name in GLOBAL_CHANNELS
        )
        matrix = zoom * rotation(math.radians(roll)) @ np.array([[1.0, shear], [0.0, 1.0]])
        return matrix, np.array([tilt_x, tilt_y]) / 1000, np.array([shift_x, shift_y])

    def _reach(self, time_s: float) -> tuple[Points, Points]:
        """Return the corners of the box around all bumps and their displacements."""
        if not self.bumps:
            return np.full(2, np.inf), np.full(2, -np.inf)
        centers = np.array([bump.center for bump in self.bumps])
        radii = np.array([bump.radii for bump in self.bumps])
        pushes = [self.value(b.channel, time_s) * np.array(b.push_px) for b in self.bumps]
        farthest = np.abs(pushes).sum(axis=0)
        low, high = (centers - radii).min(axis=0), (centers + radii).max(axis=0)
        return low - farthest, high + farthest


def load_motion(path: str | Path) -> Motion:
    """Read a motion that ``Motion.save`` wrote.

    Raises:
        FacewarpError: the file is missing, or is not such a motion.
    """
    try:
        return Motion.from_dict(json.loads(Path(path).read_text(encoding="utf-8")))
    except OSError as error:
        raise FacewarpError(f"can't read the motion: {error.strerror}", where=path) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FacewarpError(f"this is not a motion: {error!r}", where=path) from error


def _pair(values: ArrayLike) -> tuple[float, float]:
    x, y = np.asarray(values, dtype=np.float64).tolist()
    return x, y
