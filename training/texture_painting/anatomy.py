"""Anatomy of the template: landmarks and outlines for texture painting."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from facewarp.core.arrays import Points
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.parts import LANDMARK_COUNT, MIRROR_LANDMARKS
from facewarp.training.texture_painting.brushes import Plane, curve, fill, soften


@dataclass(frozen=True)
class Anatomy:
    """The template's landmarks, made exactly mirror-symmetric, and outlines through them.

    Attributes:
        points: (68, 2) template px.
        unit: one hundredth of the distance between the outer eye corners, in template px: offsets
            counted in it fit any template.
    """

    points: Points
    unit: float

    @classmethod
    def of(cls, landmarks: ArrayLike) -> "Anatomy":
        """From 68 landmarks in template px; the middle line is the template's."""
        points = np.asarray(landmarks, np.float64)
        if points.shape != (LANDMARK_COUNT, 2):
            raise ValueError(f"landmarks must be (68, 2), not {points.shape}")
        mirrored = (CROP_SHAPE[1] - 1, 0) + points[MIRROR_LANDMARKS] * (-1, 1)
        points = (points + mirrored) / 2
        return cls(points, float(np.linalg.norm(points[45] - points[36])) / 100)

    def at(self, index: int, dx: float = 0.0, dy: float = 0.0) -> tuple[float, float]:
        """Return a landmark moved by an offset in units."""
        x, y = self.points[index]
        return float(x + dx * self.unit), float(y + dy * self.unit)

    def outline(self, *corners: tuple[float, ...]) -> Points:
        """Points (landmark, dx, dy), or (landmark,), as template px."""
        return np.array([self.at(int(index), *offset) for index, *offset in corners])

    @property
    def middle(self) -> float:
        """Where the middle line is: its x in template px."""
        return (CROP_SHAPE[1] - 1) / 2

    def mirrored(self, half: ArrayLike) -> Points:
        """Return a line from the middle line round the left half, closed by its mirror image."""
        left = np.asarray(half, np.float64)
        return np.concatenate([left, ((CROP_SHAPE[1] - 1, 0) + left * (-1, 1))[::-1]])

    def eye(self, grow: float = 0.0) -> Points:
        """Return the left eye opening, grown by an offset in units."""
        around = np.array([(-1.2, 0), (-0.5, -1), (0.5, -1), (1.0, 0.1), (0.5, 1), (-0.5, 1)])
        return curve(self.points[36:42] + grow * self.unit * around, closed=True)

    def eye_opening(self) -> Plane:
        """Mask of the left eye's opening and its lids' edges, where paint ends."""
        return soften(fill(self.eye(1.2)), 0.3 * self.unit)

    def lips(self) -> Points:
        """Return the outer outline of the lips."""
        return curve(self.points[48:60], closed=True)

    def mouth_opening(self, grow: float = 0.0) -> Plane:
        """Mask of the opening between the lips, with a height of at least ``2 grow`` units."""
        inner = self.points[60:68].copy()
        center = inner.mean(axis=0)
        inner[:, 1] += np.sign(inner[:, 1] - center[1]) * grow * self.unit
        inner[[0, 4], 1] = self.points[[60, 64], 1]
        return fill(curve(inner, closed=True))

    def face(self, grow: float = 0.0) -> Points:
        """Outline of jaw and forehead; the forehead is an arch as high as brows to nose tip."""
        jaw = self.points[:9]
        top = self.at(27)[1] - 0.56 * (self.points[8, 1] - self.points[27, 1])
        left = self.points[0]
        arch = [
            (left[0] + 3 * self.unit, left[1] - 0.32 * (left[1] - top)),
            (left[0] + 15 * self.unit, left[1] - 0.66 * (left[1] - top)),
            (left[0] + 40 * self.unit, left[1] - 0.92 * (left[1] - top)),
            (self.middle, top),
        ]
        half = np.concatenate([arch[::-1], jaw])
        outline = curve(self.mirrored(half)[:-1], closed=True)
        center = outline.mean(axis=0)
        away = outline - center
        away /= np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
        return outline + grow * self.unit * away
