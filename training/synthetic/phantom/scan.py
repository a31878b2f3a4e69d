"""Scan a phantom: a short-axis stack of thick slices, each in a breath-hold of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.parts import HeartPart
from facewarp.core.arrays import FloatArray
from facewarp.training.synthetic.phantom.anatomy import Chest

Floats = NDArray[np.float32]

#: World directions (columns, RAS) of the stack's axes: how a short axis lies in a patient.
_OBLIQUE: Final = np.array([[-0.71, 0.29, -0.64], [-0.70, -0.41, 0.58], [0.07, -0.86, -0.50]])
_SAMPLES: Final = 8  # points of a voxel
_BLUR_PX: Final = 0.45  # point spread of the scanner
_FAR_MM: Final = 12.0  # beyond what moves, of the window that is scanned in every phase


@dataclass(frozen=True)
class ScanSettings:
    """How a phantom is scanned.

    Attributes:
        phases: of the cine; the first is end-diastole.
        shape: ``(D, H, W)`` of the stack.
        spacing_mm: along x, y, z; slices are as thick as they are apart.
        first_mm: the first slice's middle below the base at end-diastole.
        roll_degrees: turn of the heart in its slices.
        tilt_degrees: of the slices against the heart's axis, about x and y.
        center_mm: of the heart's axis in the slices, from the middle of the picture.
        breath_mm: standard deviation of a slice's shift in its plane, x and y, from breath-hold
            to breath-hold.
        noise: standard deviation in both channels of the receiver; blood is at 0.8.
        bias: share by which the coil's sensitivity falls off over the picture.
        rr_s: seconds of a heartbeat.
        seed: of noise, shifts and coil.
    """

    phases: int = 20
    shape: tuple[int, int, int] = (11, 160, 160)
    spacing_mm: tuple[float, float, float] = (1.4, 1.4, 9.0)
    first_mm: float = -4.0
    roll_degrees: float = 0.0
    tilt_degrees: tuple[float, float] = (0.0, 0.0)
    center_mm: tuple[float, float] = (6.0, 2.0)
    breath_mm: float = 0.8
    noise: float = 0.035
    bias: float = 0.3
    rr_s: float = 0.9
    seed: int = 0


@dataclass(frozen=True, eq=False)
class PhantomScan:
    """A phantom in a scanner: where its voxels lie, and what they show.

    Frames
        voxels ``(x, y, z)`` of the stack -> mm of the stack (spacing) -> the heart's frame (shift
        of the slice, turn, place) -> world (RAS mm).

    Attributes:
        chest: what is scanned.
        settings: how.
    """

    chest: Chest
    settings: ScanSettings

    @cached_property
    def contraction(self) -> FloatArray:
        """Contraction in each phase: 0 at the first, exactly 1 at end-systole, ``(T,)``."""
        count, es = self.settings.phases, self.es
        time = np.arange(count, dtype=np.float64)
        falling = np.sin(np.pi / 2 * np.clip(time / es, 0, 1)) ** 2
        filling = np.clip((time - es) / (count - es), 0, 1)
        curve: FloatArray = np.where(time <= es, falling, (1 - filling**1.3) ** 2.2)
        return curve

    @property
    def es(self) -> int:
        """Index of end-systole."""
        return max(round(0.36 * self.settings.phases), 1)

    @cached_property
    def breath_shifts_mm(self) -> FloatArray:
        """Shift ``(D, 2)`` of each slice in its plane, x and y."""
        rng = np.random.default_rng([19, self.settings.seed])
        return rng.normal(0, 1, (self.settings.shape[0], 2)) * self.settings.breath_mm

    @cached_property
    def turn(self) -> FloatArray:
        """(3, 3) rotation from the stack's axes to the heart's."""
        roll, across, down = np.radians([self.settings.roll_degrees, *self.settings.tilt_degrees])
        return _about(2, roll) @ _about(0, across) @ _about(1, down)

    @cached_property
    def origin_mm(self) -> FloatArray:
        """Middle of the base in mm of the stack."""
        _, height, width = self.settings.shape
        x, y, _ = self.settings.spacing_mm
        cx, cy = self.settings.center_mm
        return np.array([(width - 1) / 2 * x + cx, (height - 1) / 2 * y + cy,
                         -self.settings.first_mm])  # fmt: skip

    @cached_property
    def affine(self) -> FloatArray:
        """(4, 4) from voxels to RAS mm."""
        axes, _ = np.linalg.qr(_OBLIQUE)
        axes *= np.sign((axes * _OBLIQUE).sum(axis=0))
        affine = np.eye(4)
        affine[:3, :3] = axes * self.settings.spacing_mm
        middle = (np.array(self.settings.shape[::-1]) - 1) / 2
        affine[:3, 3] = [-12.0, 18.0, 24.0] - affine[:3, :3] @ middle
        return affine

    def heart_points(self, voxels: FloatArray) -> FloatArray:
        """Map voxels ``(..., 3)``, x first, to the heart's frame at the time of the scan.

        A point between two slices is shifted as the nearer one.
        """
        slices = np.clip(np.rint(voxels[..., 2]), 0, len(self.breath_shifts_mm) - 1).astype(int)
        placed = voxels * self.settings.spacing_mm - self.origin_mm
        placed[..., :2] += self.breath_shifts_mm[slices]
        points: FloatArray = placed @ self.turn.T
        return points

    def to_stack(self, vectors_mm: FloatArray) -> FloatArray:
        """Turn vectors ``(..., 3)`` of the heart's frame into the stack's axes, mm."""
        turned: FloatArray = vectors_mm @ self.turn
        return turned

    def grid_points(self) -> FloatArray:
        """Return the middles of all voxels in the heart's frame, ``(D, H, W, 3)``."""
        return self.heart_points(_indices(self.settings.shape))

    def field(self, start: float, end: float) -> Floats:
        """Return the true displacement between two contractions on the grid, ``(3, D, H, W)``.

        Args:
            start: contraction of the phase on which the field lives.
            end: of the phase into which it points.

        Returns:
            Voxels of the stack, channels x, y, z.
        """
        here = self.grid_points()
        motion = self.chest.motion
        there = motion.moved(motion.unmoved(here, start) if start else here, end)
        steps = self.to_stack(there - here) / self.settings.spacing_mm
        return np.ascontiguousarray(np.moveaxis(steps, -1, 0), dtype=np.float32)

    def scan(self, step: Callable[[], None] = lambda: None) -> tuple[Floats, NDArray[np.uint8]]:
        """Return images, 0 to about 1.2, and labels of every phase, ``(T, D, H, W)`` each.

        A voxel shows the mean of what lies in it, and is labelled by what lies in most of it.

        Args:
            step: called after each phase.
        """
        shape, phases = self.settings.shape, self.settings.phases
        images = np.empty((phases, *shape), np.float32)
        labels = np.empty((phases, *shape), np.uint8)
        moving = self._moving()
        rest, _ = self._seen(np.ones(shape, bool), 0.0)
        gain, rng = self._coil(), np.random.default_rng([20, self.settings.seed])
        for phase, amount in enumerate(self.contraction):
            gray, shares = self._seen(moving, float(amount))
            picture, ids = rest.copy(), np.zeros(shape, np.uint8)
            picture[moving], ids[moving] = gray[moving], shares.argmax(axis=0)[moving]
            picture = np.abs(ndimage.gaussian_filter(picture, (0, _BLUR_PX, _BLUR_PX))) * gain
            real, imaginary = rng.normal(0, self.settings.noise, (2, *shape))
            images[phase], labels[phase] = np.hypot(picture + real, imaginary), ids
            step()
        return images, labels

    def _moving(self) -> NDArray[np.bool_]:
        """Return which voxels anything can reach that moves."""
        points = self.grid_points()
        reach = self.chest.motion.reach_mm + 45 + _FAR_MM
        return np.hypot(points[..., 0], points[..., 1]) < reach

    def _seen(self, mask: NDArray[np.bool_], amount: float) -> tuple[FloatArray, FloatArray]:
        """Return gray values, and the share of each part, of voxels: means over points in them."""
        voxels = _indices(self.settings.shape)[mask]
        gray = np.zeros(mask.shape)
        shares = np.zeros((len(HeartPart), *mask.shape), np.float32)
        total, parts = np.zeros(len(voxels)), np.zeros((len(HeartPart), len(voxels)), np.float32)
        everyone = np.arange(len(HeartPart))[:, None]
        slices = voxels[:, 2].astype(int)
        for x, y, z in _within_a_voxel():
            placed = (voxels + (x, y, z)) * self.settings.spacing_mm - self.origin_mm
            placed[:, :2] += self.breath_shifts_mm[slices]
            points = placed @ self.turn.T
            seen, ids = self.chest.picture(
                self.chest.motion.unmoved(points, amount) if amount else points
            )
            total += seen / _SAMPLES
            parts += (ids == everyone) / np.float32(_SAMPLES)
        gray[mask], shares[:, mask] = total, parts
        return gray, shares

    def _coil(self) -> FloatArray:
        """Return the coil's sensitivity ``(1, H, W)``, smooth, about 1 at the heart."""
        rng = np.random.default_rng([21, self.settings.seed])
        _, height, width = self.settings.shape
        y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
        way = rng.uniform(0, 2 * np.pi)
        slope = np.cos(way) * x + np.sin(way) * y
        gain = np.exp(self.settings.bias * (slope - 0.5 * (x**2 + y**2)))
        return np.asarray(gain[None], dtype=np.float64)


def _within_a_voxel() -> FloatArray:
    """Return points ``(_SAMPLES, 3)`` spread evenly over a voxel, -0.5 to 0.5 (Kronecker's)."""
    steps = np.arange(_SAMPLES)[:, None] * [0.0, 0.7548776662, 0.5698402910] + 0.5
    steps[:, 0] = (np.arange(_SAMPLES) + 0.5) / _SAMPLES
    return np.asarray((steps % 1 - 0.5)[:, [1, 2, 0]], dtype=np.float64)


def _indices(shape: tuple[int, int, int]) -> FloatArray:
    z, y, x = np.indices(shape, dtype=np.float64)
    return np.stack([x, y, z], axis=-1)


def _about(axis: int, angle: float) -> FloatArray:
    """(3, 3) rotation about an axis."""
    a, b = [n for n in range(3) if n != axis]
    turn = np.eye(3)
    turn[[a, b], [a, b]] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    return turn
