"""Effect `style`: transfer color and detail of another face, registered to the template.

Three modes, each pixel in CIE Lab:

- ``color``: the frame's colours get the mean and spread of the style's, part by part (Reinhard et
  al. 2001, per part and blended by the parts' probabilities). Detail stays the frame's.
- ``texture``: the style's detail with the frame's colours and light. In template space it is the f
  that minimises ``|grad f - grad s|^2 + |f - I|^2 / l^2`` for style s and frame I, with f = I along
  the outline: a screened Poisson equation (Bhat et al. 2008). With f = s + v it reads
  ``v - l^2 lap v = I - s``; v is smooth, so it is solved on a coarse grid, where the mask and so
  the factorised matrix are the same for every frame.
- ``full``: the same detail on the frame's colours after ``color``.

Eyes and the open mouth keep the frame's detail; hair and hands before the face stay before it.
"""

import difflib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import smoothstep
from facewarp.drawing.effect_layer import cover
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.crop_fields import GRID_SHAPE
from facewarp.face.effects.base import FaceEffect
from facewarp.face.effects.canonical import canonical_view
from facewarp.face.effects.options import STYLE_MODES, StyleMode
from facewarp.face.image_formats import to_rgb
from facewarp.face.matching.face_memory import FaceMemory
from facewarp.face.matching.shots import Shots
from facewarp.face.rendering.calm_skin import calm_skin, smoothed
from facewarp.face.rendering.color_transfer import (
    COARSE,
    PartColors,
    coarse_map,
    group_color_map,
    group_shares,
    lab,
    rgb,
    toned,
)
from facewarp.face.rendering.coverage import beyond, beyond_its_face, wide_face
from facewarp.face.rendering.occlusion import EYES, Visibility, spared_eyes
from facewarp.face.rendering.screened_poisson import ScreenedPoisson
from facewarp.face.rendering.template_overlay import carried_map, clip_box, to_crop_matrix
from facewarp.face.template_building.from_photo import find_face
from facewarp.face.tracking.registration import FaceRegistrar, crop_around
from facewarp.media.images.files import read_picture

if TYPE_CHECKING:
    from facewarp.core.model import Model
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

_log = logging.getLogger(__name__)

STYLE_SHAPE: Final = (2 * CROP_SHAPE[0], 2 * CROP_SHAPE[1])
"""Height and width px of a style's picture in template space."""

_LEAST_CONFIDENCE: Final = 0.15  # a drawing is seen worse than a photograph
_SCREEN_PX: Final = 12.0  # l above, template px: larger structures are the frame's
_SOLVED: Final = (COARSE[0] // 2, COARSE[1] // 2)  # grid of the equation, a third of l
_MOST_VIVID: Final = 1.8  # gain of the colors where a style brings no detail
_SHARE: Final = 0.1  # of a change of the face's colors that a frame takes on
_LIDS_PX: Final = (
    9,
    2.0,
)  # template px around eyes, and their soft edge, that keep the frame's detail
_BAND_PX: Final = 131072  # of a box, drawn at a time: two threads' worth for OpenCV
_EDGE_PX: Final = 8  # template px within the face's outline over which a style fades in


@dataclass(frozen=True, eq=False)
class StyleFace:
    """The face of a style image in texture space.

    Attributes:
        name: of the picture, for the record.
        picture: (640, 520, 3) uint8 RGB.
        colors: of its parts.
        confidence: of its registration, 0..1.
    """

    name: str
    picture: NDArray[np.uint8]
    colors: PartColors
    confidence: float

    @classmethod
    def of(
        cls, source: str | PathLike[str] | NDArray[np.generic], model: "str | Path | Model" = "face"
    ) -> Self:
        """Register the largest face of a picture.

        Args:
            source: a name of `list_styles`, a picture file, or pixels
                H x W [x 1, 3 or 4], RGB where they have colour.
            model: a shipped model's name, a weights file or a model.

        Raises:
            FacewarpError: it can't be read, or no face is seen in it well enough.
        """
        name, picture = ("a picture", source) if isinstance(source, np.ndarray) else _read(source)
        fitter = FaceRegistrar("average", model, "cpu", _LEAST_CONFIDENCE)
        try:
            near = find_face(picture)
        except FacewarpError as error:
            raise FacewarpError(
                f"{error.what}: it gives no style", name, "Take one of a face from the front."
            ) from error
        face = fitter.register_refined(picture, [near])[0]
        face = max(
            face,
            fitter.register(picture, [crop_around(face.landmarks)])[0],
            key=lambda f: f.confidence,
        )
        if face.confidence < _LEAST_CONFIDENCE:
            raise FacewarpError(
                f"the face is not seen well enough to give its style: {face.confidence:.0%}",
                name,
                "Take a picture of a face from the front, with eyes, nose and mouth to be seen.",
            )
        canonical = canonical_view(to_rgb(picture), face, STYLE_SHAPE)
        small = cv2.resize(canonical, COARSE[::-1], interpolation=cv2.INTER_AREA)
        weights = np.stack([cv2.resize(p, COARSE[::-1]) for p in fitter.template.probabilities])
        return cls(name, canonical, PartColors.of(lab(small), weights), face.confidence)


@lru_cache(maxsize=4)
def shipped_style(name: str) -> StyleFace:
    """Return one of `list_styles`, registered with the shipped model."""
    return StyleFace.of(name)


class Style(FaceEffect):
    """Transfers a style onto faces.

    Args:
        style: whose.
        mode: what of it, one of `STYLE_MODES`.
        opacity: 0..1.
        annotate: see `base.FaceEffect`.

    Attributes:
        note: what pictures made with it say in their metadata.
    """

    def __init__(
        self,
        style: StyleFace,
        mode: StyleMode = "full",
        opacity: float = 1.0,
        annotate: bool = True,
    ) -> None:
        super().__init__(opacity, annotate)
        if mode not in STYLE_MODES:
            raise FacewarpError(
                f"there is no style mode {mode!r}", fix=f"Modes: {', '.join(STYLE_MODES)}."
            )
        self.style, self.mode = style, mode
        self._colors: FaceMemory[PartColors] = FaceMemory()
        self._shots = Shots()
        self.note = (
            "Altered by facewarp style transfer: faces here show the style "
            f"({mode}) of {style.name} and are not as the camera saw them."
        )

    def _prepare(self, template: "Template") -> None:
        opaque = np.full(self.style.picture.shape[:2], 255, np.uint8)
        worn = template.wears(np.dstack([self.style.picture, opaque]))[..., :3]
        face = np.asarray(1 - template.probabilities[0], np.float32)
        inner = cv2.erode(face, np.ones((_EDGE_PX + 1,) * 2, np.uint8))
        known = cv2.resize(inner, worn.shape[1::-1]) > 0.5
        self._lab = lab(beyond_its_face(np.ascontiguousarray(worn), known))
        self._coarse_lab = cv2.resize(self._lab, COARSE[::-1], interpolation=cv2.INTER_AREA)
        tight = smoothstep(0.05, 0.95, cv2.GaussianBlur(inner, (0, 0), 0.5 * _EDGE_PX))
        self._extents = np.stack(
            [
                cv2.resize(extent, COARSE[::-1], interpolation=cv2.INTER_AREA)
                for extent in (tight, wide_face(template), _around_eyes(template))
            ]
        )
        shares = group_shares(np.asarray(template.probabilities, np.float32))
        self._shares = np.stack(
            [cv2.resize(s, GRID_SHAPE[::-1], interpolation=cv2.INTER_AREA) for s in shares]
        )
        solved = (
            cv2.resize(self._extents[:2].max(axis=0), _SOLVED[::-1], interpolation=cv2.INTER_AREA)
            > 0.02
        )
        self._poisson = ScreenedPoisson(solved, _SCREEN_PX * _SOLVED[0] / CROP_SHAPE[0])
        self._calm = calm_skin(template)
        self._skin = Visibility(template, spare_eyes=False)
        self.forget()

    def forget(self) -> None:
        """Start anew with the next frame, which doesn't go on from the last."""
        self._colors.clear()
        self._shots.forget()

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        tight, wide, eyes = coarse_map(self._extents, face.grid_field)
        mask = beyond(tight, wide, face)
        rows, columns = (np.flatnonzero((mask > 1 / 512).any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return
        cut = _span(rows, COARSE[0]), _span(columns, COARSE[1])
        (y0, y1), (x0, x1) = ((2 * part.start, 2 * part.stop) for part in cut)
        corners = face.crop.to_frame([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
        box = clip_box(corners, frame.shape)
        if box is None:
            return
        small = lab(_coarse_crop(frame, face.crop))
        if self.mode == "texture":
            gain, offset = np.ones((*COARSE, 3), np.float32), np.zeros((*COARSE, 3), np.float32)
        else:
            gain, offset = self._color_map(small, face, frame)
        shown = self._skin(face, frame)
        skin = _doubled(mask[cut]) * shown[y0:y1, x0:x1] * np.float32(self.opacity / 255)
        # Lab of the frame becomes gain * Lab + offset, and in part the style's own detail.
        share = cv2.merge([skin] * 3)
        now_gain = cv2.add(cv2.multiply(share, _doubled(gain[cut] - 1)), (1.0,) * 4)
        now_offset = cv2.multiply(share, _doubled(offset[cut]))
        detail = None
        if self.mode != "color":
            detail = skin * spared_eyes(face)[y0:y1, x0:x1] * np.float32(1 / 255)
            detail *= 1 - _doubled(eyes[cut])
            share, rest = cv2.merge([detail] * 3), cv2.merge([1 - detail] * 3)
            smooth = cv2.multiply(share, _doubled(self._smooth(small * gain + offset, face)[cut]))
            now_gain = cv2.multiply(now_gain, rest)
            now_offset = cv2.add(cv2.multiply(now_offset, rest), smooth)
        x = y = None
        if detail is not None:
            calm = face.changed(grid_field=smoothed(face.grid_field, self._calm))
            x, y = carried_map(calm, box, self._lab.shape)
        for band in _bands(box):
            part = (box[0], box[1] + band.start, box[2], box[1] + band.stop)
            region = frame[part[1] : part[3], part[0] : part[2]]
            carry = partial(_on_box, face=face, box=part, corner=(x0, y0))
            now = lab(region)
            now = cv2.add(cv2.multiply(now, carry(now_gain), dst=now), carry(now_offset), dst=now)
            if detail is not None and x is not None and y is not None:
                style = cv2.remap(
                    self._lab, x[band], y[band], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE
                )
                share = cv2.merge([carry(detail)] * 3)
                now = cv2.add(now, cv2.multiply(style, share, dst=style), dst=now)
            alpha = carry(skin)
            now = toned(now, alpha)
            cv2.copyTo(rgb(now), cv2.compare(alpha, 1 / 512, cv2.CMP_GT), region)
            if self.coverage is not None:
                covered = np.rint(255 * alpha.clip(0, 1)).astype(np.uint8)
                cover(self.coverage[part[1] : part[3], part[0] : part[2]], covered)

    def _color_map(
        self, coarse: NDArray[np.float32], face: "Face", frame: NDArray[np.uint8]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Gain and offset, (160, 130, 3) each, that give the face the style's colors.

        Args:
            coarse: (160, 130, 3) Lab, the frame's crop.
            face: of the frame.
            frame: (H, W, 3).
        """
        parts = np.asarray(face.probabilities, np.float32)
        seen = PartColors.of_groups(coarse, _at_coarse(group_shares(parts)))
        last = self._colors.get(face.id)
        if self._shots.goes_on(frame, face) and last is not None:
            seen = last.toward(seen, _SHARE)
        self._colors.put(face.id, seen)
        shares = coarse_map(self._shares, face.grid_field, GRID_SHAPE)
        # Detail brings the style's colors: shades of skin would turn to green and pink as well.
        most = _MOST_VIVID if self.mode == "color" else 1.0
        gain, offset = group_color_map(seen, self.style.colors, shares, most)
        return _doubled(gain), _doubled(offset)

    def _smooth(self, coarse: NDArray[np.float32], face: "Face") -> NDArray[np.float32]:
        """How the frame's large structures differ from the style's, (160, 130, 3) of the crop.

        Args:
            coarse: (160, 130, 3) Lab, the frame's crop.
            face: of the frame.
        """
        planes = np.ascontiguousarray(coarse.transpose(2, 0, 1))
        there = coarse_map(planes, face.grid_field_from_template).transpose(1, 2, 0)
        apart = cv2.resize(there - self._coarse_lab, _SOLVED[::-1], interpolation=cv2.INTER_AREA)
        solved = np.ascontiguousarray(self._poisson(apart).transpose(2, 0, 1))
        return coarse_map(solved, face.grid_field).transpose(1, 2, 0)


def _around_eyes(template: "Template") -> NDArray[np.float32]:
    """Return where a template has eyes and lids, (320, 260), 0..1: a style's eyes may be open."""
    reach, soft = _LIDS_PX
    eyes = (template.probabilities[list(EYES)].sum(axis=0) > 0.5).astype(np.float32)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return np.asarray(cv2.GaussianBlur(cv2.dilate(eyes, kernel), (0, 0), soft), np.float32)


def _coarse_crop(frame: NDArray[np.uint8], crop: Crop) -> NDArray[np.uint8]:
    """Return what a crop shows, averaged to the coarse size."""
    fine = np.asarray(crop.extract(frame))
    return np.asarray(cv2.resize(fine, COARSE[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _span(found: NDArray[np.intp], size: int) -> slice:
    """Places from the first to the last that were found, and two more at either end."""
    return slice(max(int(found[0]) - 2, 0), min(int(found[-1]) + 3, size))


def _bands(box: tuple[int, int, int, int]) -> Iterator[slice]:
    """Rows of a box that are drawn at a time.

    Of a face that fills a large frame each float picture is many MB, which the system may take back
    and give again for every one of them: up to half of the time.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    count = max(_BAND_PX // width, 1)
    for first in range(0, height, count):
        yield slice(first, min(first + count, height))


def _doubled(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture (h, w[, 3]) of the coarse size at that of the crop."""
    size = (2 * picture.shape[1], 2 * picture.shape[0])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _on_box(
    picture: NDArray[np.float32],
    face: "Face",
    box: tuple[int, int, int, int],
    corner: tuple[int, int],
) -> NDArray[np.float32]:
    """Return a part of the crop from a corner (x, y) px on, as a picture of a frame's box."""
    matrix = to_crop_matrix(face, box[0], box[1])
    matrix[:, 2] -= corner
    return np.asarray(
        cv2.warpAffine(
            picture,
            matrix,
            (box[2] - box[0], box[3] - box[1]),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )


def _at_coarse(parts: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.stack([cv2.resize(part, COARSE[::-1]) for part in np.asarray(parts, np.float32)])


def list_styles() -> list[str]:
    """Return the names of the shipped style images, which code painted."""
    return sorted(path.stem for path in _folder().glob("*.webp"))


def style_picture(name: str) -> NDArray[np.uint8]:
    """Return the picture (H, W, 3) uint8 RGB of one of `list_styles`."""
    return _read(name)[1]


def _folder() -> Path:
    return Path(str(resources.files("facewarp.assets"))) / "styles"


def _read(source: str | PathLike[str]) -> tuple[str, NDArray[np.uint8]]:
    shipped = str(source) in list_styles()
    path = _folder() / f"{source}.webp" if shipped else Path(source)
    if not path.is_file():
        close = difflib.get_close_matches(str(source), list_styles(), n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise FacewarpError(
            "there is no style of this name and no such file",
            str(source),
            f"{hint}Shipped styles: {', '.join(list_styles())}; or give a picture of a face.",
        )
    picture = read_picture(path)
    if picture.told is not None:
        _log.warning("%s: %s", path, picture.told)
    return path.stem if shipped else path.name, picture.image
