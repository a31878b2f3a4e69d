"""Overlays: warp images in template space onto faces and blend them.

A picture is carried by one resampling. The face's field says for every pixel of the crop where it
lies in the template; the crop's matrix says where it lies in the frame. Both are joined into one
map (frame px -> picture px) over no more of the frame than the picture covers. The map is as smooth
as the field, so it is worked out on the field's own grid and interpolated in between. What
comes out is a premultiplied RGBA overlay, which is blended in 8 bit.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import lay_over, smoothstep, split_overlay
from facewarp.drawing.effect_layer import cover
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import GRID_PX, GRID_SHAPE, cell_px, resized
from facewarp.face.matching.scene import Scene
from facewarp.face.parts import FacePart
from facewarp.face.rendering.calm_skin import crop_cells, smoothed, stiffened
from facewarp.face.rendering.shading import LIGHT_SIZE_PX, Blend, Light

if TYPE_CHECKING:
    from facewarp.face.face import Face

Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole frame px, x1 and y1 exclusive, inside of the frame."""

_PAD: Final = 24  # crop px the field is carried on beyond the crop: nothing ends at its border
_BAND: Final = 128  # rows blended at a time, so that what is passed on stays in the cache
_COARSEST: Final = 4  # frame px between the points at which a map is worked out, at most
_BORDER_FADE: Final = 6.0  # template px over which pictures fade out towards the template's border
_IS_SKIN: Final = (0.7, 0.95)  # probability
_BIAS: Final = 0.25  # of a pyramid level, towards sharpness
_SOFTEST: Final = 0.35  # px of a level, the least blur that is worth it
_SOFTER: Final = 1.15  # ratio of the blurs that pictures are kept ready with
_KEPT: Final = 6


@dataclass(frozen=True, eq=False)
class Patch:
    """A place at which another picture is shown.

    Attributes:
        picture: of the same size.
        box: x0, y0, x1, y1 in template px.
        share: 0..1, how much of it.
    """

    picture: "TemplatePicture"
    box: Box
    share: float


class TemplatePicture:
    """An RGBA image in template space, prepared for blending onto faces of any size.

    Kept premultiplied and in halving sizes, of which the one nearest to the frame's resolution is
    sampled, so that a large picture on a small face does not shimmer. Picture px and template px
    are related by ``picture = (template + 0.5) * k - 0.5`` with ``k = width / 260``.

    Args:
        rgba: (h, w, 4) uint8, straight alpha, of the template's aspect 320:260.
        opacity: 0..1, multiplies alpha.
        calm: where the map is smoothed, see `calm_skin.calm_skin`; None for nowhere.
        is_stiff: whether the picture is of a stiff thing, which no lids and brows bend.
    """

    def __init__(
        self,
        rgba: NDArray[np.uint8],
        opacity: float = 1.0,
        calm: NDArray[np.float32] | None = None,
        is_stiff: bool = False,
    ) -> None:
        self._calm, self._is_stiff = calm, is_stiff
        self._copied: tuple[NDArray[np.uint8], NDArray[np.uint8]] | None = None  # to be patched
        alpha = np.rint(rgba[..., 3] * (opacity * _border_window(rgba.shape[:2]))).astype(np.uint8)
        color = cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB)
        color = cv2.multiply(color, cv2.cvtColor(alpha, cv2.COLOR_GRAY2RGB), scale=1 / 255)
        image = np.asarray(cv2.merge((*cv2.split(color), alpha)), np.uint8)
        self._levels = [image]
        self._soft: dict[tuple[int, int], NDArray[np.uint8]] = {}  # by level and step of blur
        while min(image.shape[:2]) >= 64:
            image = cv2.resize(
                image, (image.shape[1] // 2, image.shape[0] // 2), interpolation=cv2.INTER_AREA
            )
            self._levels.append(image)
        size = CROP_SHAPE[::-1]
        self._alpha = cv2.resize(self._levels[0][..., 3], size, interpolation=cv2.INTER_AREA)
        self._content = cv2.dilate(self._alpha, np.ones((2 * GRID_PX + 1,) * 2, np.uint8))

    def lay_on(
        self,
        frame: NDArray[np.uint8],
        face: "Face",
        blend: Blend = "paint",
        seen: NDArray[np.uint8] | None = None,
        *,
        coverage: NDArray[np.uint8] | None = None,
        fades: bool = False,
        scene: Scene | None = None,
        patches: Sequence[Patch] = (),
    ) -> None:
        """Warp the image onto a face of a frame (HxWx3 uint8 RGB) and blend it, in place.

        Args:
            frame: only the box into which the picture falls is touched.
            face: its ``grid_field`` and ``crop`` are used.
            blend: how the picture takes the frame's light.
            seen: (320, 260), 0..255, how much of the picture is seen in each px of the crop;
                None for all of it.
            coverage: (H, W), to which the picture's alpha is added; None for nobody's.
            fades: whether the picture loses color where the frame has none, as a paint would; not
                so for colors that mean something.
            scene: what else of the frame the picture takes on; None for nothing.
            patches: places at which another picture is shown; the same places in every frame that
                has any.
        """
        if self._calm is not None:
            face = face.changed(grid_field=smoothed(face.grid_field, self._calm))
        cells, content = self._in_cells(face)
        if self._is_stiff:
            face = face.changed(grid_field=stiffened(face.grid_field, cells))
            cells, content = self._in_cells(face)
        if seen is not None:
            in_cells = cv2.resize(seen, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA)
            cells *= in_cells * np.float32(1 / 255)
            content &= in_cells > 0
        box = _box_of(face, content, frame.shape)
        if box is None:
            return
        region = frame[box[1] : box[3], box[0] : box[2]]
        light = None
        if blend != "glow":
            weight = _to_region(face, cells, box)
            skin = None if scene is None else _to_region(face, _skin_cells(face), box)
            light = Light.of(region, weight, float(frame[::16, ::16].mean()), blend, scene, skin)
            light = light if fades else replace(light, saturation=1.0)
        image = self._patched(face.crop.scale, 0.0 if scene is None else scene.blur_px, patches)
        x_px, y_px = carried_map(face, box, image.shape)
        for top in range(0, len(region), _BAND):
            rows = slice(top, min(top + _BAND, len(region)))
            band = region[rows]
            overlay = cv2.remap(image, x_px[rows], y_px[rows], cv2.INTER_LINEAR)
            if seen is not None:
                y0 = box[1] + top
                shown = on_frame(face, seen, (box[0], y0, box[2], y0 + len(band)))
                overlay = cv2.multiply(overlay, cv2.merge([shown] * 4), scale=1 / 255)
            color, alpha = split_overlay(overlay)
            if light is not None:
                color = light.on(color, alpha, band, rows)
            lay_over(band, color, alpha)
            if coverage is not None:
                rows_of_frame = slice(box[1] + top, box[1] + top + len(band))
                cover(coverage[rows_of_frame, box[0] : box[2]], cv2.extractChannel(alpha, 0))

    def _in_cells(self, face: "Face") -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Return the picture's alpha in the crop's cells, and where there is anything of it."""
        x, y = np.rint(crop_cells() + resized(face.grid_field, GRID_SHAPE))
        alpha, content = (
            cv2.remap(picture, x, y, cv2.INTER_NEAREST, None, cv2.BORDER_CONSTANT, 0)
            for picture in (self._alpha, self._content)
        )
        return alpha.astype(np.float32), content > 0

    def _patched(
        self, frame_px_per_crop_px: float, blur_px: float, patches: Sequence[Patch]
    ) -> NDArray[np.uint8]:
        """Return the picture as `_level` does, with patches on it."""
        image = self._level(frame_px_per_crop_px, blur_px)
        if not patches:
            return image
        if self._copied is None or self._copied[0] is not image:
            self._copied = image, image.copy()
        k = image.shape[1] / CROP_SHAPE[1]
        patched = self._copied[1]
        for patch in patches:
            x0, y0, x1, y1 = (round(k * edge) for edge in patch.box)
            part = patch.picture._level(frame_px_per_crop_px, blur_px)[y0:y1, x0:x1]
            below = image[y0:y1, x0:x1]
            patched[y0:y1, x0:x1] = cv2.addWeighted(part, patch.share, below, 1 - patch.share, 0)
        return patched

    def _level(self, frame_px_per_crop_px: float, blur_px: float = 0.0) -> NDArray[np.uint8]:
        """Return the picture at about a frame's resolution, blurred as the frame is."""
        finest = self._levels[0].shape[1] / CROP_SHAPE[1]
        shrink = np.log2(max(finest / frame_px_per_crop_px, 1.0))
        number = min(int(shrink + _BIAS), len(self._levels) - 1)
        image = self._levels[number]
        sigma = blur_px * image.shape[1] / CROP_SHAPE[1] / frame_px_per_crop_px
        if sigma < _SOFTEST:
            return image
        step = round(math.log(sigma / _SOFTEST) / math.log(_SOFTER))
        key = number, step
        soft = self._soft.pop(key, None)
        if soft is None:
            soft = cv2.GaussianBlur(image, (0, 0), _SOFTEST * _SOFTER**step)
            while len(self._soft) >= _KEPT:
                del self._soft[next(iter(self._soft))]
        self._soft[key] = soft
        return soft


def clip_box(
    points: NDArray[np.floating], frame_shape: tuple[int, ...], margin: float = 0.0
) -> Box | None:
    """Box of whole pixels around frame points (N, 2) and a margin in px; None if out of frame."""
    height, width = frame_shape[:2]
    x0, y0 = np.floor(points.min(axis=0) - margin).astype(int)
    x1, y1 = np.ceil(points.max(axis=0) + margin).astype(int) + 1
    box = (max(int(x0), 0), max(int(y0), 0), min(int(x1), width), min(int(y1), height))
    return box if box[0] < box[2] and box[1] < box[3] else None


def _box_of(face: "Face", cells: NDArray[np.bool_], frame_shape: tuple[int, ...]) -> Box | None:
    """Box of the frame around those cells of the crop."""
    rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
    if not len(rows):
        return None
    x0, x1 = _reach(columns, cells.shape[1])
    y0, y1 = _reach(rows, cells.shape[0])
    return clip_box(face.crop.to_frame([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), frame_shape)


def _reach(cells: NDArray[np.intp], count: int) -> tuple[int, int]:
    """Crop px from the cell before the first to the one after the last; on beyond the crop."""
    first, last = int(cells[0]), int(cells[-1])
    return (
        (first - 1) * GRID_PX if first > 0 else -_PAD,
        (last + 1) * GRID_PX if last < count - 1 else count * GRID_PX + _PAD,
    )


def _skin_cells(face: "Face") -> NDArray[np.float32]:
    """Where skin is seen in the crop's cells, 0..255."""
    parts = np.asarray(face.probabilities[[FacePart.FACE, FacePart.NOSE]], np.float32).sum(axis=0)
    cells = 255 * smoothstep(*_IS_SKIN, cv2.resize(parts, GRID_SHAPE[::-1]))
    if face.matte is not None:
        free = cv2.resize(face.matte, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA)
        cells *= free * np.float32(1 / 255)
    return np.asarray(cells, np.float32)


def _to_region(face: "Face", cells: NDArray[np.float32], box: Box) -> NDArray[np.float32]:
    """Resample an image on the crop's cells to a small image of a box of the frame."""
    width, height = box[2] - box[0], box[3] - box[1]
    shrink = max(1.0, max(width, height) / LIGHT_SIZE_PX)
    size = (max(1, round(width / shrink)), max(1, round(height / shrink)))
    matrix = to_crop_matrix(face, box[0], box[1]) / GRID_PX
    matrix[:, 2] += 0.5 / GRID_PX - 0.5
    steps = np.array([width / size[0], height / size[1]])
    matrix[:, 2] += matrix[:, :2] @ (0.5 * steps - 0.5)
    matrix[:, :2] *= steps
    return np.asarray(
        cv2.warpAffine(cells, matrix, size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    )


def carried_map(
    face: "Face", box: Box, picture_shape: tuple[int, ...]
) -> list[NDArray[np.float32]]:
    """Return image px, x and y, of every px of a box of the frame."""
    width, height = box[2] - box[0], box[3] - box[1]
    step = min(max(round(face.crop.scale), 1), _COARSEST)
    size = (math.ceil(width / step) + 1, math.ceil(height / step) + 1)
    # Point i of the coarse map is the middle of the step i, as cv2.resize sees it.
    matrix = to_crop_matrix(face, box[0], box[1])
    matrix[:, 2] += matrix[:, :2].sum(axis=1) * ((step - 1) / 2) + 0.5
    matrix[:, :2] *= step
    cell = np.array(cell_px(face.grid_field))
    matrix /= cell[:, None]
    matrix[:, 2] += np.ceil(_PAD / cell) - 0.5
    channels = []
    for picture_px in _picture_map(face.grid_field, picture_shape):
        coarse = cv2.warpAffine(
            picture_px,
            matrix,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        fine = coarse
        if step > 1:
            fine = cv2.resize(coarse, None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
        channels.append(fine[:height, :width])
    return channels


def _picture_map(
    field: NDArray[np.float32], picture_shape: tuple[int, ...]
) -> Iterator[NDArray[np.float32]]:
    """Picture px, x and then y, of a field's points and a margin: it goes on beyond the crop.

    Each is (h + 2 rows, w + 2 columns); one channel at a time is what OpenCV resamples quickest.
    """
    bases = _picture_grid(picture_shape[:2], field.shape[1:])
    columns, rows = (math.ceil(_PAD / size) for size in cell_px(field))
    for channel, base, k in zip(field, bases, _picture_scale(picture_shape), strict=True):
        flat = np.ascontiguousarray(channel, dtype=np.float32)
        padded = cv2.copyMakeBorder(flat, rows, rows, columns, columns, cv2.BORDER_REPLICATE)
        yield np.asarray(cv2.scaleAdd(padded, k, base))


@lru_cache(maxsize=16)
def _picture_grid(picture_shape: tuple[int, ...], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(2, h + 2 rows, w + 2 columns): the same for a field of zero on a grid (h, w)."""
    k = np.array(_picture_scale(picture_shape))[:, None, None]
    height, width = shape
    size = np.array([CROP_SHAPE[1] / width, CROP_SHAPE[0] / height])
    columns, rows = np.ceil(_PAD / size).astype(int)
    y, x = np.mgrid[-rows : height + rows, -columns : width + columns]
    return ((np.stack([x, y]) + 0.5) * size[:, None, None] * k - 0.5).astype(np.float32)


def _picture_scale(picture_shape: tuple[int, ...]) -> tuple[float, float]:
    """Picture px per template px along x and y."""
    return picture_shape[1] / CROP_SHAPE[1], picture_shape[0] / CROP_SHAPE[0]


def to_crop_matrix(face: "Face", x0: int, y0: int) -> NDArray[np.float64]:
    """(2, 3): frame px counted from (x0, y0) -> px of the crop."""
    matrix = np.asarray(cv2.invertAffineTransform(face.crop.matrix))
    matrix[:, 2] += matrix[:, :2] @ (x0, y0)
    return matrix


def on_frame(face: "Face", mask: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """Resample a mask of the crop (320, 260) to a box of the frame."""
    return np.asarray(
        cv2.warpAffine(
            mask,
            to_crop_matrix(face, box[0], box[1]),
            (box[2] - box[0], box[3] - box[1]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.uint8,
    )


def _border_window(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """1 inside, falling smoothly to 0 at the picture's border."""
    ramps = []
    for size, template_size in zip(shape, CROP_SHAPE, strict=True):
        distance = np.minimum(np.arange(size) + 0.5, size - np.arange(size) - 0.5)
        ramps.append(smoothstep(0, _BORDER_FADE * size / template_size, distance))
    return np.outer(*ramps)
