"""Slices on one grid: where each lies against the usual ones, and its pixels at their places.

Equation
    Slice z has its first pixel at ``corner + along[z] * (normal + lean)`` in the world, the lean
    being mm sideways a mm along the normal: that of a sheared stack.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.placement import PlacementDoubt
from facewarp.cardiac.io.slices.slice_image import SliceImage
from facewarp.core.arrays import FloatArray

_SIDEWAYS_PX: Final = 0.1  # slices farther aside than this are moved to their place
_WHOLE_PX: Final = 0.02  # from a whole number of pixels, up to which nothing is interpolated
_CLEARLY: Final = 0.7  # of what is left unexplained, by which a lean must be better than none
_TOLD_DEGREES: Final = 0.1  # from which a turn or tilt is told

Pixels = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class StackGrid:
    """The grid of a stack, and what its slices need to lie on it.

    Attributes:
        usual: a picture that has the pixels of most slices.
        slices: the first picture of each slice, ``D``.
        along_mm: ``(D,)`` where each lies along the usual one's normal.
        lean: ``(3,)`` mm sideways a mm along the normal, LPS.
        corner_mm: ``(3,)`` the first pixel's place less what is along the normal, LPS.
        aside_mm: ``(D, 2)`` by which each lies beside its place, along rows and columns.
        own: ``(D,)`` whether a slice has pixels of its own.
    """

    usual: SliceImage
    slices: tuple[SliceImage, ...]
    along_mm: FloatArray
    lean: FloatArray
    corner_mm: FloatArray
    aside_mm: FloatArray
    own: NDArray[np.bool_]

    @property
    def moved(self) -> NDArray[np.bool_]:
        """``(D,)`` whether a slice has the usual pixels and lies beside its place."""
        aside_px = np.abs(self.aside_mm / self.usual.spacing_mm).max(axis=1)
        return np.asarray((aside_px > _SIDEWAYS_PX) & ~self.own)

    def place_mm(self, z: int) -> FloatArray:
        """Place ``(3,)`` of a slice's first pixel on the grid, LPS."""
        return np.asarray(self.corner_mm + self.along_mm[z] * (self.usual.normal + self.lean))

    def laid(self, pictures: Pixels, z: int) -> Pixels:
        """Pictures ``(T, h, w)`` of a slice as ``(T, H, W)`` on the grid.

        What comes in from outside is as dark as the darkest pixel.
        """
        if self.own[z]:
            return self._resampled(pictures, z)
        if not self.moved[z]:
            return pictures
        x, y = (self.aside_mm[z] / self.usual.spacing_mm).tolist()
        whole = max(abs(x - round(x)), abs(y - round(y))) < _WHOLE_PX
        shift = (0, round(y), round(x)) if whole else (0, y, x)
        dark = float(pictures.min())
        order = 0 if whole else 1
        found = ndimage.shift(pictures, shift, order=order, mode="constant", cval=dark)
        return np.asarray(found, dtype=np.float32)

    def described(self) -> list[str]:
        """Return what is to be said of slices that are moved or resampled."""
        said: list[str] = []
        if self.moved.any():
            far = np.linalg.norm(self.aside_mm, axis=1)
            which = " and ".join(str(z + 1) for z in np.flatnonzero(self.moved))
            mm = " and ".join(f"{far[z]:.0f}" for z in np.flatnonzero(self.moved))
            text = f"slices {which} lie {mm} mm beside the others: each is put where its own "
            said.append(PlacementDoubt(f"{text}position says"))
        if self.own.any():
            which = ", ".join(str(z + 1) for z in np.flatnonzero(self.own))
            kinds = {self._kind(self.slices[z]): None for z in np.flatnonzero(self.own)}
            height, width = self.usual.shape
            said.append(
                f"slices {which} have pixels of their own ({'; '.join(kinds)}): they are resampled "
                f"to the others' {width} x {height} of {self._size(self.usual)} mm"
            )
        return said

    def _kind(self, image: SliceImage) -> str:
        height, width = image.shape
        turned = float(np.degrees(np.arccos(np.clip(image.axes[0] @ self.usual.axes[0], -1, 1))))
        tilt = image.tilt_degrees(self.usual)
        told = f"{width} x {height} of {self._size(image)} mm"
        told += f", tilted by {tilt:.1f} degrees" if tilt > _TOLD_DEGREES else ""
        return told + (f", turned by {turned:.0f} degrees" if turned > tilt + _TOLD_DEGREES else "")

    def _size(self, image: SliceImage) -> str:
        return " x ".join(f"{size:.4g}" for size in image.spacing_mm)

    def _resampled(self, pictures: Pixels, z: int) -> Pixels:
        """Linear interpolation along the slice's own rows and columns."""
        own, usual = self.slices[z], self.usual
        between = (own.axes @ usual.axes.T) * usual.spacing_mm / np.array(own.spacing_mm)[:, None]
        start = (own.axes @ (self.place_mm(z) - own.place_mm)) / own.spacing_mm
        found = np.empty((len(pictures), *usual.shape), np.float32)
        for picture, target in zip(pictures, found, strict=True):
            ndimage.affine_transform(
                picture,
                between[::-1, ::-1],
                np.round(start[::-1], 6),
                output=target,
                order=1,
                mode="constant",
                cval=float(pictures.min()),
            )
        return found


def usual_picture(slices: Sequence[Sequence[SliceImage]]) -> SliceImage:
    """Return the first picture of a slice that has the pixels of most slices."""
    kinds: list[list[SliceImage]] = []
    for members in slices:
        alike = next((kind for kind in kinds if kind[0].has_grid_of(members[0])), None)
        if alike is None:
            kinds.append([members[0]])
        else:
            alike.append(members[0])
    return max(kinds, key=len)[0]


def fit_grid(slices: Sequence[Sequence[SliceImage]], usual: SliceImage) -> StackGrid:
    """Return the grid of a stack of slices.

    Args:
        slices: the pictures of each, in order along the normal of ``usual``.
        usual: a picture that has the pixels of most slices.
    """
    pictures = tuple(members[0] for members in slices)
    own = np.array([not image.has_grid_of(usual) for image in pictures])
    half = usual.middle_mm - usual.place_mm
    corners = np.array([image.middle_mm - half for image in pictures])
    along = corners @ usual.normal
    aside = corners @ usual.axes.T
    same = np.flatnonzero(~own)
    lean = _lean(along[same], aside[same])
    aside = aside - np.outer(along, lean)
    middle = np.median(aside[same], axis=0)
    return StackGrid(
        usual,
        pictures,
        np.asarray(along),
        np.asarray(lean @ usual.axes),
        np.asarray(middle @ usual.axes),
        np.asarray(aside - middle),
        own,
    )


def _lean(along_mm: FloatArray, aside_mm: FloatArray) -> FloatArray:
    """Mm sideways a mm along the normal, ``(2,)``; 0 unless a lean explains the places clearly.

    The median over steps is not led astray by slices that were moved, that over all pairs is less
    by rounded positions.
    """
    one, other = np.triu_indices(len(along_mm), 1)
    slopes = (aside_mm[other] - aside_mm[one]) / (along_mm[other] - along_mm[one])[:, None]
    best = np.zeros(2)
    for some in (slopes[other == one + 1], slopes):
        if not len(some):
            continue
        lean = np.median(some, axis=0)
        costs = []
        for tried in (best, lean):
            left = aside_mm - np.outer(along_mm, tried)
            costs.append(np.abs(left - np.median(left, axis=0)).sum())
        if costs[1] < _CLEARLY * costs[0]:
            best = lean
    return best
