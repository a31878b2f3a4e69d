"""Effect `labels`: tint and outline the template's parts on each face."""

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import _SHIFT, fixed_point
from facewarp.face.effects.base import FaceEffect
from facewarp.face.parts import PART_COLORS, FacePart
from facewarp.face.rendering.coverage import wide_face
from facewarp.face.rendering.occlusion import free_of
from facewarp.face.rendering.template_overlay import TemplatePicture
from facewarp.face.template.contours import part_contours

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template


_RIM: Final = 0.18  # tint of the middle of the face, as a share of that at its outline
_LINE_ALPHA: Final = 0.9
_LINE_WIDTH: Final = 3  # quarters of a template px
_LINE_WHITE: Final = 0.45  # how far a contour is from its part's colour towards white


class Labels(FaceEffect):
    """Tints the template's parts on the face and draws thin contours.

    Args:
        opacity: 0..1 of the tints and contours.
        annotate: see `FaceEffect`.
    """

    paints_windows: ClassVar[bool] = True
    TINT: Final = {
        FacePart.FACE: 0.5,
        FacePart.BROW_LEFT: 0.62,
        FacePart.BROW_RIGHT: 0.62,
        FacePart.EYE_LEFT: 0.5,
        FacePart.EYE_RIGHT: 0.5,
        FacePart.NOSE: 0.42,
        FacePart.MOUTH: 0.55,
    }
    """Opacity of each part's tint."""

    def __init__(self, opacity: float = 1.0, annotate: bool = True) -> None:
        super().__init__(opacity, annotate)
        self._tight: TemplatePicture | None = None

    def _prepare(self, template: "Template") -> None:
        wide = np.array(template.probabilities, np.float32)
        gained = np.minimum(wide_face(template), wide[FacePart.BACKGROUND])
        wide[FacePart.FACE] += gained
        wide[FacePart.BACKGROUND] -= gained
        picture = label_picture(replace(template, probabilities=wide))
        self._wide, self._tight = TemplatePicture(picture, self.opacity), None

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        picture = self._wide
        if face.matte is None:  # then the template's outline is the best that is known
            if self._tight is None:
                self._tight = TemplatePicture(label_picture(template), self.opacity)
            picture = self._tight
        picture.lay_on(frame, face, seen=free_of(face), coverage=self.coverage)


def label_picture(template: "Template") -> NDArray[np.uint8]:
    """Draw tints and contours of a template's parts, (1280, 1040, 4) RGBA, straight alpha.

    It may not be written to: the next clip with the same template gets it again.
    """
    probabilities = np.asarray(template.probabilities, dtype=np.float32)
    return _picture_of(probabilities.tobytes(), probabilities.shape)


@lru_cache(maxsize=4)
def _picture_of(probabilities_f32: bytes, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    probabilities = np.frombuffer(probabilities_f32, np.float32).reshape(shape)
    fine = [
        cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR) for part in probabilities
    ]
    # Squared and normalised again: edges stay soft, but no part bleeds far into the next.
    sharp = np.stack(fine)
    sharp *= sharp
    sharp /= np.maximum(sharp.sum(axis=0), 1e-6)
    tint = np.zeros(len(PART_COLORS), np.float32)
    tint[list(Labels.TINT)] = list(Labels.TINT.values())
    weighted = sharp * tint[:, None, None]
    # The skin is tinted most along the outline, where the tint tells the face from the rest.
    inside = 1 - sharp[FacePart.BACKGROUND]
    weighted[FacePart.FACE] *= _RIM + (1 - _RIM) * _rim(inside)
    alpha = weighted.sum(axis=0)
    color = PART_COLORS.astype(np.float32).T @ weighted.reshape(len(weighted), -1)
    color /= np.maximum(alpha, 1e-6).ravel()
    whole = np.empty((*alpha.shape, 4), np.float32)
    whole[..., :3], whole[..., 3] = color.T.reshape(*alpha.shape, 3), alpha * 255
    rgba = np.rint(whole, out=whole).astype(np.uint8)
    rgba = cv2.resize(rgba, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    pixels = rgba.reshape(-1, 4)
    for part in Labels.TINT:
        line = np.zeros(rgba.shape[:2], np.uint8)
        contours = [fixed_point((c + 0.5) * 4 - 0.5) for c in part_contours(probabilities, part)]
        cv2.polylines(line, contours, True, 255, _LINE_WIDTH, cv2.LINE_AA, _SHIFT)
        color = _LINE_WHITE * 255 + (1 - _LINE_WHITE) * PART_COLORS[part]
        drawn = np.flatnonzero(line > 0)
        shown = line.ravel()[drawn] * np.float32(_LINE_ALPHA / 255)
        pixels[drawn] = _over(pixels[drawn], color, shown)
    rgba.setflags(write=False)
    return rgba


def _rim(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 at the outline of a soft mask, falling towards its middle over a ninth of its width."""
    mask = (inside > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.exp(-9 * distance / max(float(mask.sum(axis=1).max()), 1.0)), np.float32)


def _over(
    rgba: NDArray[np.uint8], color: NDArray[np.floating], alpha: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Lay a colour with its alpha (...) over RGBA pixels (..., 4), all with straight alpha."""
    below = rgba[..., 3] / np.float32(255) * (1 - alpha)
    total = np.maximum(alpha + below, 1e-6)
    mixed = (color * alpha[..., None] + rgba[..., :3] * below[..., None]) / total[..., None]
    return np.rint(np.concatenate([mixed, 255 * total[..., None]], -1)).astype(np.uint8)
