"""Pictures of template space laid on a frame: where they fall, how they take its light, blending.

A picture is carried by one resampling. The face's field says for every pixel of the crop where it
lies in the template; the crop's matrix says where it lies in the frame. Both are joined into one
map (frame px -> picture px) over no more of the frame than the picture covers, and what comes out
is a premultiplied RGBA overlay of that box, which is blended in 8 bit.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE

if TYPE_CHECKING:
    from facewarp.face.tracker import Face

Blend = Literal["paint", "mask", "glow"]
"""How a picture meets the frame: paint shows the light and the grain of the skin, mask is a solid
thing in the same light, glow shines by itself whatever the light."""

BLENDS: tuple[Blend, ...] = ("paint", "mask", "glow")

Box = tuple[int, int, int, int]

_PAD = 24  # crop px the field is carried on beyond the crop, so that nothing ends at its border
_CELL = 4  # crop px between the samples that find where a picture falls
_BORDER_FADE = 6.0  # template px over which pictures fade out towards the template's border
_BIAS = 0.25  # of a pyramid level, towards sharpness

# (share of the large shading, share of the fine grain) of the frame that goes onto the picture
_LIGHT: dict[Blend, tuple[float, float]] = {"paint": (0.85, 0.65), "mask": (0.9, 0.12)}
_LIGHT_SIZE = 48  # px of the picture's longer side at which the large shading is measured
_LIGHT_SIGMA = 3.0  # px of that size
_REFERENCE_GREY = 128.0  # mean brightness at which a picture keeps its own colours


@dataclass(frozen=True)
class Overlay:
    """Premultiplied RGBA over a box of the frame.

    Attributes:
        box: x0, y0, x1, y1 in whole frame px, x1 and y1 exclusive, inside of the frame.
        image: (y1 - y0, x1 - x0, 4) uint8, colour already multiplied by alpha.
    """

    box: Box
    image: NDArray[np.uint8]

    def of(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The part of a frame that the overlay covers, as a view."""
        x0, y0, x1, y1 = self.box
        return frame[y0:y1, x0:x1]

    def to_box(self, points: NDArray[np.floating]) -> NDArray[np.floating]:
        """Frame px (..., 2) counted from the box's first pixel."""
        return points - np.array(self.box[:2], dtype=points.dtype)


class TemplatePicture:
    """An RGBA picture in template space, ready to be laid on faces of any size.

    Kept premultiplied and in halving sizes, of which the one nearest to the frame's resolution is
    sampled, so that a large picture on a small face does not shimmer. Picture px and template px
    are related by ``picture = (template + 0.5) * k - 0.5`` with ``k = width / 260``.

    Args:
        rgba: (h, w, 4) uint8, straight alpha, of the template's aspect 320:260.
        opacity: 0..1, multiplies alpha.
    """

    def __init__(self, rgba: NDArray[np.uint8], opacity: float = 1.0) -> None:
        colour = rgba.astype(np.float32)
        colour[..., 3] *= opacity * _border_window(rgba.shape[:2])
        colour[..., :3] *= colour[..., 3:] / 255
        image = np.rint(colour).astype(np.uint8)
        height, width = CROP_SHAPE
        template_alpha = cv2.resize(image[..., 3], (width, height), interpolation=cv2.INTER_AREA)
        reach = np.ones((2 * _CELL + 1,) * 2, np.uint8)
        self._content: NDArray[np.uint8] = cv2.dilate(template_alpha, reach)
        self._levels = [image]
        while min(image.shape[:2]) >= 64:
            image = cv2.resize(
                image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA
            )
            self._levels.append(image)

    def on(self, face: "Face", frame_shape: tuple[int, ...]) -> Overlay | None:
        """The picture carried onto a face; None where nothing of it falls inside of the frame."""
        box = self._box(face, frame_shape)
        if box is None:
            return None
        finest = self._levels[0].shape[1] / CROP_SHAPE[1]
        shrink = np.log2(max(finest / face.crop.scale, 1.0))
        image = self._levels[min(int(shrink + _BIAS), len(self._levels) - 1)]
        frame_map = cv2.warpAffine(
            _picture_map(face.field, image.shape),
            _to_padded_crop(face, box),
            (box[2] - box[0], box[3] - box[1]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return Overlay(box, cv2.remap(image, frame_map, None, cv2.INTER_LINEAR))

    def _box(self, face: "Face", frame_shape: tuple[int, ...]) -> Box | None:
        """Where in the frame something of the picture falls, by the field itself."""
        height, width = CROP_SHAPE
        cells = np.mgrid[0:height:_CELL, 0:width:_CELL][::-1]
        x, y = np.rint(cells + face.field[:, ::_CELL, ::_CELL]).astype(np.int32)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        inside[inside] = self._content[y[inside], x[inside]] > 0
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        if not len(rows):
            return None
        x0, x1 = _reach(columns, inside.shape[1])
        y0, y1 = _reach(rows, inside.shape[0])
        corners = face.crop.to_frame([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        return clip_box(corners, frame_shape)


def _reach(cells: NDArray[np.intp], count: int) -> tuple[int, int]:
    """Crop px from the cell before the first to the one after the last; on beyond the crop."""
    first, last = int(cells[0]), int(cells[-1])
    return (
        (first - 1) * _CELL if first > 0 else -_PAD,
        (last + 1) * _CELL if last < count - 1 else count * _CELL + _PAD,
    )


def clip_box(
    points: NDArray[np.floating], frame_shape: tuple[int, ...], margin: float = 0.0
) -> Box | None:
    """Box of whole pixels around frame points (N, 2) and a margin in px; None if out of frame."""
    height, width = frame_shape[:2]
    x0, y0 = np.floor(points.min(axis=0) - margin).astype(int)
    x1, y1 = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    box = (max(int(x0), 0), max(int(y0), 0), min(int(x1), width), min(int(y1), height))
    return box if box[0] < box[2] and box[1] < box[3] else None


def carry_points(face: "Face", points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Template points (N, 2) in px of the frame, by the field from the template to the face."""
    height, width = face.field_from_template.shape[1:]
    x = np.clip(points[:, 0], 0, width - 1).astype(np.float32)[None]
    y = np.clip(points[:, 1], 0, height - 1).astype(np.float32)[None]
    moved = [
        cv2.remap(channel, x, y, cv2.INTER_LINEAR)[0]
        for channel in np.asarray(face.field_from_template, dtype=np.float32)
    ]
    return face.crop.to_frame(points + np.stack(moved, axis=-1))


def in_light_of(overlay: Overlay, frame: NDArray[np.uint8], blend: Blend) -> Overlay:
    """The overlay with the frame's own shading on it.

    The brightness of the frame below the overlay is split into its large shading (a Gaussian,
    weighted by alpha so that background and eye openings do not count) and the grain above it;
    the overlay's colour is multiplied by ``exposure * (shading / mean)^a * (grey / shading)^b``.
    """
    if blend == "glow":
        return overlay
    shading_share, grain_share = _LIGHT[blend]
    grey = cv2.cvtColor(overlay.of(frame), cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    shrink = min(1.0, _LIGHT_SIZE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    alpha = cv2.extractChannel(overlay.image, 3)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    weight = cv2.resize(alpha, size, interpolation=cv2.INTER_AREA).astype(np.float32) + 0.01
    mean = float((small * weight).sum() / weight.sum())
    blurred = [cv2.GaussianBlur(part, (0, 0), _LIGHT_SIGMA) for part in (small * weight, weight)]
    shading = np.maximum(blurred[0] / blurred[1], 1.0)
    # A dark face in a bright room is not in the dark: the brighter of face and room counts.
    ambient = max(mean, float(frame[::16, ::16].mean()))
    exposure = np.clip((ambient / _REFERENCE_GREY) ** 0.5, 0.35, 1.0)
    light = exposure * np.clip((shading / max(mean, 1.0)) ** shading_share, 0.4, 1.6)
    large = _enlarge(np.rint(light * 128), (width, height))
    ratio = cv2.divide(grey, _enlarge(np.rint(shading), (width, height)), scale=128)
    grain = cv2.LUT(ratio, _power_table(grain_share))
    gain = cv2.multiply(large, grain, scale=1 / 128)
    gains = cv2.merge([gain, gain, gain, np.full_like(gain, 128)])
    lit = cv2.multiply(overlay.image, gains, scale=1 / 128)
    # Premultiplied colour brighter than its alpha would shine.
    return Overlay(overlay.box, cv2.min(lit, cv2.merge([alpha] * 4)))


def blend_into(frame: NDArray[np.uint8], overlay: Overlay) -> None:
    """Lay an overlay over a frame, in place: ``frame * (1 - alpha) + overlay``."""
    target = overlay.of(frame)
    colour = cv2.cvtColor(overlay.image, cv2.COLOR_RGBA2RGB)
    clear = cv2.bitwise_not(cv2.extractChannel(overlay.image, 3))
    clear = cv2.cvtColor(clear, cv2.COLOR_GRAY2RGB)
    target[:] = cv2.add(cv2.multiply(target, clear, scale=1 / 255), colour)


def _picture_map(field: NDArray[np.float32], picture_shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Picture px of every crop px, (h + 2 pad, w + 2 pad, 2): the field goes on beyond the crop."""
    bases = _picture_grid(picture_shape[:2])
    channels = []
    for channel, base, k in zip(field, bases, _picture_scale(picture_shape), strict=True):
        flat = np.ascontiguousarray(channel, dtype=np.float32)
        channels.append(
            cv2.scaleAdd(cv2.copyMakeBorder(flat, *(_PAD,) * 4, cv2.BORDER_REPLICATE), k, base)
        )
    return np.asarray(cv2.merge(channels))


@lru_cache(maxsize=16)
def _picture_grid(picture_shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(2, h + 2 pad, w + 2 pad): the same for a field of zero."""
    k = np.array(_picture_scale(picture_shape))[:, None, None]
    height, width = CROP_SHAPE
    y, x = np.mgrid[-_PAD : height + _PAD, -_PAD : width + _PAD]
    return ((np.stack([x, y]) + 0.5) * k - 0.5).astype(np.float32)


def _picture_scale(picture_shape: tuple[int, ...]) -> tuple[float, float]:
    """Picture px per template px along x and y."""
    return picture_shape[1] / CROP_SHAPE[1], picture_shape[0] / CROP_SHAPE[0]


def _to_padded_crop(face: "Face", box: Box) -> NDArray[np.float64]:
    """(2, 3): pixels of a frame box -> pixels of the padded crop."""
    matrix = np.asarray(cv2.invertAffineTransform(face.crop.matrix))
    matrix[:, 2] += matrix[:, :2] @ box[:2] + _PAD
    return matrix


def _enlarge(image: NDArray[np.floating], size: tuple[int, int]) -> NDArray[np.uint8]:
    return cv2.resize(np.clip(image, 0, 255).astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)


@lru_cache
def _power_table(exponent: float) -> NDArray[np.uint8]:
    """Table of 128 * (value / 128)^exponent, kept within a factor of two."""
    ratio = np.clip((np.arange(256) / 128) ** exponent, 0.5, 1.6)
    return np.rint(ratio * 128).astype(np.uint8)


def _border_window(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """1 inside, falling smoothly to 0 at the picture's border."""
    ramps = []
    for size, template_size in zip(shape, CROP_SHAPE, strict=True):
        distance = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5)
        t = np.clip(distance / (_BORDER_FADE * size / template_size), 0, 1)
        ramps.append((t * t * (3 - 2 * t)).astype(np.float32))
    return np.outer(*ramps)
