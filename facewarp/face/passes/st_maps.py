"""ST maps between a frame and the template, by the convention of Nuke's STMap.

An ST map says for each of its pixels where the picture to be warped is sampled: (0, 0) is the lower
left corner of that picture and (1, 1) its upper right one, so that pixel (i, j) of a picture w x h,
counted from the lower left, has its center at ((i + 0.5) / w, (j + 0.5) / h). An ST map of these
values changes nothing.

Both pictures have the frame's size: the template lies upright in the middle of the frame's format,
as high or as wide as fits (`TemplateCanvas`), so that one format does for a whole script.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.face import Face
from facewarp.face.passes.inverse import inverse_points
from facewarp.face.passes.sampling import bilinear, sample_grid

IntBox = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole px, x1 and y1 exclusive."""


@dataclass(frozen=True)
class TemplateCanvas:
    """The template in the middle of a picture of the frame's format.

    Attributes:
        size: (width, height) px of the frame.
        pixel_aspect: width of a frame's pixel over its height; the template's are square.
    """

    size: tuple[int, int]
    pixel_aspect: float = 1.0

    @property
    def scale(self) -> tuple[float, float]:
        """Canvas px per template px along x and y."""
        width, height = self.size
        fits = min(width * self.pixel_aspect / CROP_SHAPE[1], height / CROP_SHAPE[0])
        return fits / self.pixel_aspect, fits

    @property
    def origin(self) -> tuple[float, float]:
        """Where the template's outer upper left corner lies, px from that of the canvas."""
        across, down = self.scale
        width, height = self.size
        return (width - across * CROP_SHAPE[1]) / 2, (height - down * CROP_SHAPE[0]) / 2

    @property
    def box(self) -> IntBox:
        """The canvas px that lie wholly on the template."""
        (left, top), (across, down) = self.origin, self.scale
        right, bottom = left + across * CROP_SHAPE[1], top + down * CROP_SHAPE[0]
        edges = np.floor([left + 0.999, top + 0.999, right + 0.001, bottom + 0.001])
        x0, y0, x1, y1 = (int(edge) for edge in edges)
        return x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)

    def of_template(
        self, x: NDArray[np.floating], y: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Map template px to canvas px, both whole at pixel centers."""
        (left, top), (across, down) = self.origin, self.scale
        return (x + 0.5) * across + left - 0.5, (y + 0.5) * down + top - 0.5

    def to_template(
        self, x: NDArray[np.floating], y: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Map canvas px to template px; the inverse of `of_template`."""
        (left, top), (across, down) = self.origin, self.scale
        return (x + 0.5 - left) / across - 0.5, (y + 0.5 - top) / down - 0.5


def st_values(
    x: NDArray[np.floating], y: NDArray[np.floating], size: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return positions, px from the upper left pixel's center, as an ST map has them.

    Args:
        x: px.
        y: px, downwards.
        size: (width, height) px of the picture that is sampled.
    """
    width, height = size
    u, v = (x + 0.5) / width, 1 - (y + 0.5) / height
    return np.asarray(u, np.float32), np.asarray(v, np.float32)


def pixels_of(box: IntBox) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return x and y of the pixels of a box, (h, w) each."""
    x0, y0, x1, y1 = box
    y, x = np.mgrid[y0:y1, x0:x1].astype(np.float64)
    return x, y


def template_positions(face: Face, box: IntBox) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return where each px of a box of the frame lies in the template, template px, (h, w) each."""
    x, y = pixels_of(box)
    crop = face.crop.to_crop(np.stack([x, y], -1))
    across, down = crop[..., 0], crop[..., 1]
    u, v = sample_grid(face.grid_field, across, down)
    return np.asarray(across + u, np.float32), np.asarray(down + v, np.float32)


def frame_positions(
    face: Face, inverse: NDArray[np.float32], x: NDArray[np.floating], y: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where points of the template lie in the frame, frame px.

    Args:
        face: whose crop is used.
        inverse: its `inverse_field`.
        x: template px.
        y: template px.
    """
    u, v = bilinear(inverse, x, y)
    points = face.crop.to_frame(np.stack([x + u, y + v], -1))
    return points[..., 0], points[..., 1]


def canvas_positions(
    face: Face, inverse: NDArray[np.float32], canvas: TemplateCanvas
) -> NDArray[np.float32]:
    """Return where each px of `canvas.box` lies in the frame, (2, h, w) frame px.

    The field is inverted anew at each px: on a canvas that is finer than the template, the inverse
    between the template's pixels is not what lies between their inverses.
    """
    x, y = canvas.to_template(*pixels_of(canvas.box))
    crop = inverse_points(face, x, y, bilinear(inverse, x, y))
    points = face.crop.to_frame(np.moveaxis(crop, 0, -1))
    return np.moveaxis(points, -1, 0).astype(np.float32)


def box_of(face: Face, size: tuple[int, int]) -> IntBox | None:
    """Return the px of a frame (width, height) that a face's crop covers; None for none."""
    x0, y0, x1, y1 = face.crop.frame_box((size[1], size[0]))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
