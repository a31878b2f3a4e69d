"""Temporal smoothing of a registered face, with a One-Euro filter.

A registration takes template points q to F(q) in the frame. It can't be smoothed as it is: F mixes
the motion of the head with that of the face. It is therefore seen through the face's pose, the
similarity S from template to frame that fits the upper face best:

    F(q) = S(q + k(q))

Pose and k are smoothed, each at rest while only the other changes, and put together again on the
crop as it is. The field onto the face, G, is the inverse of F, so that landmarks, labels and
textures stay together. The filter is the One-Euro filter of Casiez, Roussel and Vogel (CHI 2012):
the faster something moves, the less it is held back.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import Points
from facewarp.face.boxes import box_around
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import GRID_PX, GRID_SHAPE, inverted, resized
from facewarp.face.face import Face, Later, template_to_frame
from facewarp.face.similarity import Affine, compose_affine, fit_similarity, inverse, turned_about
from facewarp.face.template.template import Template

Floats = NDArray[np.floating]

_FRAME_S = 1 / 30  # between the first frames, if their times are equal
_JUMP = 0.25  # of a face's side, from frame to frame: there is nothing to go on with
_OFFSET = 0.5 * GRID_PX - 0.5  # crop px of the first of them
_POINTS = np.dstack(
    np.meshgrid(
        np.arange(_OFFSET, CROP_SHAPE[1], GRID_PX, dtype=np.float32),
        np.arange(_OFFSET, CROP_SHAPE[0], GRID_PX, dtype=np.float32),
    )
)  # (h, w, 2) crop px
_BLOCKS = (20, 16)  # rows and columns of blocks of these points, each with one speed
_UPPER = [*range(3), *range(14, 48)]  # iBUG: temples, brows, nose, eyes; a mouth moves too much


@dataclass(frozen=True)
class OneEuro:
    """Parameters of a One-Euro filter: its cutoff is ``min_hz + beta * v**2 / (v + noise)``.

    Speeds v count in sides of the face a second, so that its size does not matter.

    Attributes:
        min_hz: cutoff for what is at rest; less is steadier.
        beta: how fast the cutoff rises with the speed; more lags less.
        noise: speed up to which motion may be nothing but noise: it raises the cutoff less. With
            0 this is the filter as published.
        speed_hz: cutoff of the speed.
    """

    min_hz: float
    beta: float
    noise: float = 0.0
    speed_hz: float = 1.0


@dataclass(frozen=True)
class SmoothingConfig:
    """Parameters of smoothing, chosen with ``benchmarks/face/steadiness.py`` (docs/decisions/0040).

    Attributes:
        pose: for the head's motion.
        shape: for that of the face itself.
        details: for lips and lids as the detail network sees them, which tremble less.
    """

    pose: OneEuro = OneEuro(min_hz=0.7, beta=100.0, noise=0.02, speed_hz=2.0)
    shape: OneEuro = OneEuro(min_hz=0.7, beta=200.0, noise=0.02, speed_hz=1.0)
    details: OneEuro = OneEuro(min_hz=1.0, beta=400.0, noise=0.05, speed_hz=1.0)


class OneEuroFilter:
    """A One-Euro filter for many values at once, at any spacing in time.

    The speed is that of the values before they are filtered, and a filter goes the share
    ``1 - exp(-2 pi cutoff dt)`` of the way in ``dt`` seconds: the same in one step as in two.

    Args:
        config: its parameters.
        pool: rates of change of the value as velocities (..., n), one for each of the places that
            are smoothed alike; left alone, the value is (..., n) points.
        spread: the places' shares (...) as factors of the value.
    """

    def __init__(
        self,
        config: OneEuro,
        pool: Callable[[Floats], Floats] = lambda rates: rates,
        spread: Callable[[Floats], Floats] = lambda shares: shares[..., None],
    ) -> None:
        self.config = config
        self._pool, self._spread = pool, spread
        self._state: tuple[Floats, Floats, Floats | float] | None = None

    def __call__(self, value: Floats, dt: float, unit: Floats | float = 1.0) -> Floats:
        """Filter the next value; the first is returned as it is.

        Args:
            value: of any shape, the same each time.
            dt: seconds since the last one, > 0.
            unit: sides of the face per unit of the value.
        """
        if self._state is None:
            self._state = value, value, 0.0
            return value
        before, filtered, velocity = self._state
        config = self.config
        now = self._pool((value - before) * (unit / dt))
        velocity = velocity + smoothing_share(config.speed_hz, dt) * (now - velocity)
        speed = np.sqrt(np.square(velocity).sum(axis=-1))
        cutoff = config.min_hz + config.beta * speed * speed / (speed + config.noise + 1e-12)
        filtered = filtered + self._spread(smoothing_share(cutoff, dt)) * (value - filtered)
        self._state = value, filtered, velocity
        return filtered


def smoothing_share(cutoff_hz: Floats | float, dt: float) -> Floats:
    """Return the share of a step that a first-order low-pass filter goes in ``dt`` s."""
    return np.asarray(-np.expm1(np.multiply(cutoff_hz, -2 * math.pi * dt)))


class FaceSmoother:
    """Smooth one face from frame to frame.

    The first face, and one that has jumped, stays exactly as it is.

    Args:
        template: what the face is registered with.
        config: how much is smoothed.
    """

    def __init__(self, template: Template, config: SmoothingConfig | None = None) -> None:
        self._config = config or SmoothingConfig()
        self._landmarks = template.landmarks
        self._side = float(np.ptp(template.landmarks, axis=0).max())
        self._center = template.landmarks[_UPPER].mean(0)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._pose = OneEuroFilter(self._config.pose)
        self._back = OneEuroFilter(self._config.shape, _by_blocks, _to_points)
        self._last: tuple[float, Points] | None = None  # time and pose
        self._dt = _FRAME_S

    def __call__(self, face: Face, time: float) -> Face:
        """Smooth the face of the next frame.

        Args:
            face: as registered, on any crop.
            time: the frame's, s. Where it is no later than the last one, frames count as far
                apart as those before.

        Returns:
            The face with other fields, landmarks and box, on the same crop. Confidence, folds and
            probabilities stay those of the registration.
        """
        pose = self._pose_of(face)
        side = self._side * math.exp(pose[2])
        if self._last is not None:
            before, last = self._last
            pose[3] = last[3] + math.remainder(pose[3] - last[3], math.tau)
            if math.hypot(*(pose[:2] - last[:2])) > _JUMP * side:
                self.reset()
            elif time > before:
                self._dt = time - before
        is_first = self._last is None
        self._last = time, pose

        points = _POINTS + cv2.merge(list(resized(face.grid_field_from_template, GRID_SHAPE)))
        to_crop = compose_affine(
            inverse(face.crop.matrix), self._matrix(pose)
        )  # S, from template px
        back_shape = _through(inverse(to_crop), points) - _POINTS
        smoothed_pose = self._pose(pose, self._dt, np.array([1 / side, 1 / side, 0.5, 0.5]))
        back_change = self._back(back_shape, self._dt, 1 / self._side) - back_shape
        if is_first:
            return face
        held = compose_affine(inverse(face.crop.matrix), self._matrix(smoothed_pose))
        moved = compose_affine(held, inverse(to_crop))  # crop px, by what the pose is held back
        held_back = _through(moved, points) - _POINTS + _through(held[:, :2], back_change)
        smoothed_back = np.stack(cv2.split(held_back))
        onto = Later(partial(inverted, smoothed_back))
        smooth = face.changed(grid_field=onto, grid_field_from_template=smoothed_back)
        landmarks = template_to_frame(smooth, self._landmarks)
        return smooth.changed(landmarks=landmarks, box=box_around(landmarks))

    def _pose_of(self, face: Face) -> Points:
        """Return the pose of the upper face: x, y of its center, log of its scale, its angle."""
        matrix = fit_similarity(self._landmarks[_UPPER], face.landmarks[_UPPER])
        (cos, _, _), (sin, _, _) = matrix
        middle = matrix @ (*self._center, 1)
        return np.array([*middle, math.log(math.hypot(cos, sin)), math.atan2(sin, cos)])

    def _matrix(self, pose: Floats) -> Affine:
        """Return a pose's similarity from template px to frame px."""
        return turned_about(self._center, pose[:2], math.exp(pose[2]), float(pose[3]))


def _by_blocks(rates: Floats) -> Floats:
    """(20, 16, 2) mean rates of blocks of a shape (h, w, 2)."""
    return np.asarray(cv2.resize(rates, _BLOCKS[::-1], interpolation=cv2.INTER_AREA))


def _to_points(shares: Floats) -> Floats:
    """(h, w, 2) twice the shares of the points of a shape from those of its blocks."""
    fine = cv2.resize(shares.astype(np.float32), GRID_SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.merge([fine, fine]))


def _through(affine: Affine, points: Floats) -> Floats:
    """Points (h, w, 2) through an affine map, or vectors through a linear one (2, 2)."""
    return np.asarray(cv2.transform(points, affine), np.float32)
