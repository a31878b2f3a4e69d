"""Effect `field`: draw the displacement field and its folds."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import blend_over, fixed_point, place
from facewarp.drawing.effect_layer import cover
from facewarp.drawing.text import text_height_px, text_label
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import jacobian_determinant
from facewarp.face.effects.base import FaceEffect
from facewarp.face.face import template_to_frame
from facewarp.face.rendering.face_tags import for_pixels

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

_BAND = 64  # rows blended at a time


class Field(FaceEffect):
    """Shows the displacement field: colors, the template's grid on the face, folds in red.

    Hue is the direction from a point of the face towards its place in the template, saturation and
    opacity its length, full at `FULL_PX`; a wheel in the corner is the legend. The lines are
    the template's regular grid carried onto the face. Where the field folds (the determinant of
    ``I + grad u`` is not positive) the face is red.

    Args:
        opacity: 0..1 of all of it.
        annotate: see `FaceEffect`; the legend goes with it.
    """

    FULL_PX: Final = 24.0
    """Displacement of full colour, in px of the crop."""

    FOLD_COLOR: Final = (255, 0, 0)

    _ALPHA: Final = 0.72
    _GRID_STEP: Final = 10  # template px
    _EDGE: Final = 0.12  # share of the crop over which the colours fade out
    _LINE: Final = 105  # opacity of the grid's lines, 0..255

    def __init__(self, opacity: float = 1.0, annotate: bool = True) -> None:
        super().__init__(opacity, annotate)
        ramps = []
        for size in CROP_SHAPE:
            distance = 0.5 - np.abs((np.arange(size) + 0.5) / size - 0.5)
            ramps.append(np.clip(distance / self._EDGE, 0, 1))
        window = np.outer(*ramps) * self._ALPHA
        self._window = np.rint(255 * np.dstack([window] * 4)).astype(np.uint8)

    def _prepare(self, template: "Template") -> None:
        height, width = CROP_SHAPE
        xs, ys = (np.arange(self._GRID_STEP / 2, size, self._GRID_STEP) for size in (width, height))
        x_fine, y_fine = (np.arange(12.0, size - 11, 4) for size in (width, height))
        self._lines = [np.stack(np.broadcast_arrays(x, y_fine), axis=-1) for x in xs[1:-1]]
        self._lines += [np.stack(np.broadcast_arrays(x_fine, y), axis=-1) for y in ys[1:-1]]

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        x0, y0, x1, y1 = face.crop.frame_box(frame.shape)
        if x0 >= x1 or y0 >= y1:
            return
        region = frame[y0:y1, x0:x1]
        before = region.copy() if self.opacity < 1 else region
        field = np.ascontiguousarray(face.field, dtype=np.float32)
        folds = jacobian_determinant(field) <= 0
        colors = displacement_colors(field, self.FULL_PX)
        colors = cv2.multiply(colors, self._window, scale=1 / 255)
        colors[folds] = (*self.FOLD_COLOR, 255)
        points = template_to_frame(face, np.concatenate(self._lines)) - (x0, y0)
        lines = np.split(fixed_point(points), np.cumsum([len(line) for line in self._lines])[:-1])
        grid = np.zeros(region.shape[:2], np.uint8)
        cv2.polylines(grid, lines, False, self._LINE, 1, cv2.LINE_AA, 4)
        matrix = np.asarray(cv2.invertAffineTransform(face.crop.matrix))
        matrix[:, 2] += matrix[:, :2] @ (x0, y0)
        for top in range(0, len(region), _BAND):
            band, white = region[top : top + _BAND], grid[top : top + _BAND]
            flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
            overlay = cv2.warpAffine(colors, matrix, band.shape[1::-1], flags=flags)
            overlay = cv2.max(overlay, cv2.merge([white] * 4))
            blend_over(band, overlay)
            if self.coverage is not None:
                alpha = cv2.convertScaleAbs(cv2.extractChannel(overlay, 3), alpha=self.opacity)
                cover(self.coverage[y0 + top : y0 + top + len(band), x0:x1], alpha)
            matrix[:, 2] += matrix[:, 1] * _BAND
        if self.opacity < 1:
            cv2.addWeighted(region, self.opacity, before, 1 - self.opacity, 0, dst=region)

    def _annotate(self, frame: NDArray[np.uint8], faces: Sequence["Face"]) -> None:
        margin = text_height_px(frame.shape)
        legend = for_pixels(_wheel_legend(margin, self.FULL_PX), self.pixel_aspect)
        place(frame, legend, margin, frame.shape[0] - legend.shape[0] - margin)
        super()._annotate(frame, faces)


def displacement_colors(field: NDArray[np.float32], full_px: float) -> NDArray[np.uint8]:
    """Color a displacement field (2, h, w) in px by the HSV wheel.

    Hue is the direction (red to the right, green down on the left), saturation and alpha grow with
    the root of the length and are full at ``full_px``.

    Returns:
        (h, w, 4) uint8, premultiplied RGBA.
    """
    half = _wheel().shape[0] // 2
    x, y = field * np.float32(half / 2 / full_px)
    return np.asarray(
        cv2.remap(_wheel(), x + half, y + half, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    )


@lru_cache(maxsize=1)
def _wheel() -> NDArray[np.uint8]:
    """Render the HSV wheel up to twice the full length."""
    half = 256
    y, x = (np.mgrid[-half : half + 1, -half : half + 1] * (2 / half)).astype(np.float32)
    length, degrees = cv2.cartToPolar(x, y, angleInDegrees=True)
    strength = np.sqrt(np.minimum(length, 1))
    full = np.full_like(strength, 255)
    hsv = np.dstack([degrees / 2 % 180, 255 * strength, full]).astype(np.uint8)
    color = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * strength[..., None]
    return np.rint(np.dstack([color, 255 * strength])).astype(np.uint8)


@lru_cache(maxsize=8)
def _wheel_legend(text_px: int, full_px: float) -> NDArray[np.uint8]:
    """Render the legend: the wheel on a dark label with its scale."""
    radius = 1.6 * text_px
    size = 2 * round(radius) + 1
    axis = (np.arange(size, dtype=np.float32) - size // 2) / radius
    unit = np.stack(np.broadcast_arrays(axis[None], axis[:, None])).astype(np.float32)
    distance = np.hypot(*unit)
    inside = np.clip((1 - distance) * radius + 0.5, 0, 1)
    wheel = displacement_colors(unit * np.float32(full_px), full_px)
    wheel = np.rint(wheel * inside[..., None]).astype(np.uint8)
    label = text_label((f"{full_px:g} px of the crop", "towards the template"), text_px).copy()
    height = max(label.shape[0], size + text_px // 2)
    legend = np.zeros((height, size + text_px // 2 + label.shape[1], 4), np.uint8)
    top = (height - label.shape[0]) // 2
    legend[top : top + label.shape[0], -label.shape[1] :] = label
    top = (height - size) // 2
    disc = legend[top : top + size, :size]
    disc[:] = wheel + (disc * (1 - wheel[..., 3:] / 255.0)).astype(np.uint8)
    legend.flags.writeable = False
    return legend
