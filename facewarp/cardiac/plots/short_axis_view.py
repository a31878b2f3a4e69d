"""Short-axis view: slices as gray images in the usual orientation, with smooth contours."""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.model_grid import gray_levels
from facewarp.cardiac.parts import PART_COLORS, HeartPart
from facewarp.cardiac.short_axis import to_view
from facewarp.core.arrays import ImageArray

_MARGIN_MM: Final = 18.0
_SMOOTH_MM: Final = 1.1  # takes the stairs of voxels out of outlines
_SUBPIXEL: Final = 4  # bits of the fractions that cv2 draws with
#: What is outlined, as a truth value of each id, and its color: wall with cavity, both cavities.
_OUTLINES: Final = tuple(
    (np.isin(np.arange(256), parts), PART_COLORS[parts[-1]])
    for parts in ((HeartPart.LV, HeartPart.MYOCARDIUM), (HeartPart.RV,), (HeartPart.LV,))
)


@dataclass(frozen=True, eq=False)
class HeartView:
    """The region of a cine's slices that shows the heart, rendered with contours.

    Attributes:
        volume: the cine.
        labels: ``(T, D, H, W)`` part ids.
        turn: which of the volume's axes run across, down and along the stack, and which way; see
            `short_axis_order`.
        size_px: height of an image; the width follows from the heart's.
        levels: gray values shown black and white; those of `model_grid.gray_levels` by default.
    """

    volume: Volume
    labels: Labels
    turn: NDArray[np.float64]
    size_px: int = 240
    levels: tuple[float, float] | None = None

    @property
    def slices(self) -> int:
        """Number of slices."""
        return int(self._labels.shape[1])

    @cached_property
    def heart_slices(self) -> tuple[int, ...]:
        """Indices of the slices that show some of the heart in some phase."""
        used = self._labels.max(axis=(0, 2, 3)) > 0  # no array of the cine's size between
        return tuple(int(z) for z in np.flatnonzero(used)) or tuple(range(self.slices))

    def picture(self, phase: int, z: int, *, outlines: bool = True) -> ImageArray:
        """Render one slice of one phase, ``(size_px, w, 3)`` RGB."""
        low, high = self._levels
        labels = self._labels[phase, z][self._box]
        gray = (to_view(self.volume.data[phase], self.turn)[z][self._box] - low) / (high - low)
        width, height = self._size
        big = cv2.resize(gray.clip(0, 1), (width, height), interpolation=cv2.INTER_CUBIC)
        shown = np.repeat((255 * big.clip(0, 1)).astype(np.uint8)[..., None], 3, axis=-1)
        if outlines:
            for parts, color in _OUTLINES:
                self._outline(shown, parts[labels], color)
        return np.ascontiguousarray(shown)

    def places(self, points_vox: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points ``(..., 2)`` of the stack as shown, voxels x and y, to px of an image.

        A pixel's center is at halves: 0 is the edge of the image.
        """
        rows, columns = self._box
        shape = self._labels[0, 0][self._box].shape
        scale = np.array([self._size[0] / shape[1], self._size[1] / shape[0]])
        placed: NDArray[np.float64] = (points_vox - (columns.start, rows.start) + 0.5) * scale
        return placed

    def _outline(
        self, shown: ImageArray, mask: NDArray[np.bool_], color: NDArray[np.uint8]
    ) -> None:
        if not mask.any():
            return
        scale = shown.shape[0] / mask.shape[0]
        big = cv2.resize(
            mask.astype(np.float32), shown.shape[1::-1], interpolation=cv2.INTER_LINEAR
        )
        sigma = _SMOOTH_MM / self._pixel_mm[1] * scale
        smooth = cv2.GaussianBlur(big, (0, 0), sigma)
        found, _ = cv2.findContours(
            (smooth > 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
        )
        for contour in found:
            curve = _rounded(contour[:, 0].astype(np.float64)) * 2**_SUBPIXEL
            rgb = tuple(int(c) for c in color)
            points = [np.rint(curve).astype(np.int32)]
            cv2.polylines(shown, points, True, rgb, 2, cv2.LINE_AA, _SUBPIXEL)

    @cached_property
    def _labels(self) -> Labels:
        """Return labels ``(T, D, H, W)`` in the usual view."""
        return to_view(self.labels, self.turn)

    @cached_property
    def _levels(self) -> tuple[np.float32, np.float32]:
        """Return the gray values that are shown black and white; the first is the smaller one."""
        low, high = self.levels or gray_levels(self.volume.data)
        return np.float32(low), np.float32(high if high > low else low + 1)

    @cached_property
    def _pixel_mm(self) -> tuple[float, float]:
        """Return width and height of a pixel in the usual view, mm."""
        x, y, _ = (np.abs(self.turn).T @ self.volume.spacing_mm).tolist()
        return x, y

    @cached_property
    def _box(self) -> tuple[slice, slice]:
        """Return the rows and columns that show the heart."""
        used = self._labels.max(axis=(0, 1)) > 0
        spans = []
        for axis, mm in ((1, self._pixel_mm[1]), (0, self._pixel_mm[0])):
            places = np.flatnonzero(used.any(axis=axis))
            low, high = (places[0], places[-1]) if places.size else (0, used.shape[1 - axis])
            margin = round(_MARGIN_MM / mm)
            spans.append(slice(max(int(low) - margin, 0), int(high) + margin + 1))
        return spans[0], spans[1]

    @cached_property
    def _size(self) -> tuple[int, int]:
        """Return width and height of an image, px; the width is even, for video codecs."""
        rows, columns = self._labels[0, 0][self._box].shape
        aspect = columns * self._pixel_mm[0] / (rows * self._pixel_mm[1])
        return 2 * max(round(self.size_px * aspect / 2), 8), self.size_px


def _rounded(points: NDArray[np.float64], window: int = 5) -> NDArray[np.float64]:
    """Smooth a closed curve by a running mean along it, against the steps of pixels."""
    if len(points) < 2 * window:
        return points
    padded = np.concatenate([points[-(window // 2) :], points, points[: window // 2]])
    kernel = np.full(window, 1 / window)
    return np.stack([np.convolve(axis, kernel, "valid") for axis in padded.T], axis=-1)
