"""Effect `texture`: paint an RGBA image in template space onto each face."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.effects.base import FaceEffect
from facewarp.face.effects.options import MatchName
from facewarp.face.matching.steady_scene import SteadyScenes
from facewarp.face.parts import FacePart
from facewarp.face.rendering.calm_skin import calm_skin
from facewarp.face.rendering.coverage import (
    closed_lips,
    paints_whole_face,
    shut_lids,
    wide_face,
    widened,
)
from facewarp.face.rendering.occlusion import EYES, Visibility, covers, open_eyes
from facewarp.face.rendering.shading import Blend
from facewarp.face.rendering.template_overlay import Patch, TemplatePicture
from facewarp.face.rendering.textures import check_texture

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

_EYES: Final = (slice(36, 42), slice(42, 48))  # landmarks of the left and the right one
_LIDS_PX: Final = 14  # template px around them, within which their lids are


class Texture(FaceEffect):
    """Paints an RGBA image in template space onto the face, shaded like the frame.

    Hair or a hand before the face stay before it, and eyes and open mouth are left alone; a texture
    that is opaque over the template's eyes, glasses for one, covers those of the face too. Paint of
    the whole face goes on up to the hairline, where a matte tells it.

    Args:
        rgba: (h, w, 3 or 4) uint8 of the template's aspect. A picture that is opaque everywhere
            is cut to the template's face.
        opacity: 0..1, multiplies the picture's alpha.
        blend: see `shading.Blend`.
        match: how much of the frame the paint takes on, see `options.MatchName`.
        annotate: see `FaceEffect`.
    """

    paints_windows: ClassVar[bool] = True

    def __init__(
        self,
        rgba: NDArray[np.uint8],
        opacity: float = 1.0,
        blend: Blend = "paint",
        annotate: bool = True,
        match: MatchName = "full",
    ) -> None:
        super().__init__(opacity, annotate)
        self.rgba = check_texture(rgba)
        self.blend: Blend = blend
        self.match = match
        self._scenes = SteadyScenes()

    def forget(self) -> None:
        """Start anew with the next frame, which doesn't go on from the last."""
        self._scenes.forget()

    def _prepare(self, template: "Template") -> None:
        rgba = wide = self.rgba
        if (rgba[..., 3] == 255).all():
            background = np.asarray(template.probabilities[FacePart.BACKGROUND], np.float32)
            face = cv2.GaussianBlur(1 - background, (0, 0), 2.0)
            rgba, wide = (
                template.wears(_cut(rgba, mask))
                for mask in (face, np.maximum(face, wide_face(template)))
            )
        else:
            rgba = template.wears(rgba)
            if self.blend in ("paint", "tint"):
                rgba = closed_lips(rgba, template)
            wide = rgba
            if paints_whole_face(rgba[..., 3], template):
                wide = widened(rgba, template)
        # A solid thing does not blink: lids and brows move it no more than skin around does. One
        # that leaves the mouth free does not bend at all.
        is_solid = self.blend == "mask"
        is_stiff = is_solid and not covers(rgba[..., 3], template, (FacePart.MOUTH,))
        calm = np.ones(CROP_SHAPE, np.float32) if is_solid else calm_skin(template)
        make = partial(TemplatePicture, opacity=self.opacity, calm=calm, is_stiff=is_stiff)
        self._tight = _Lidded(rgba, make)
        self._wide = self._tight if wide is rgba else _Lidded(wide, make)
        spares_eyes = not covers(rgba[..., 3], template, EYES)
        self._has_lids = spares_eyes and self.blend == "paint"
        self._seen = Visibility(template, spare_eyes=spares_eyes, spare_mouth=self.blend != "mask")

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        seen = self._seen(face, frame)
        is_lit = self.match != "none" and self.blend != "glow"
        scene = self._scenes(frame, face) if is_lit and self.match == "full" else None
        worn = self._tight if face.matte is None else self._wide
        is_open = open_eyes(face) if self._has_lids else None
        worn.picture.lay_on(
            frame,
            face,
            self.blend if is_lit else "glow",
            seen,
            coverage=self.coverage,
            fades=True,
            scene=scene,
            patches=() if is_open is None else worn.lids(is_open, template),
        )


class _Lidded:
    """A picture, and the same with lids painted, which is made when eyes are shut first."""

    def __init__(self, rgba: NDArray[np.uint8], make: Callable[..., TemplatePicture]) -> None:
        self.picture = make(rgba)
        self._make, self._rgba = make, rgba
        self._shut: TemplatePicture | None = None

    def lids(self, is_open: NDArray[np.float32], template: "Template") -> list[Patch]:
        """Return where lids are painted, of eyes (2,) that are open so far, 0..1."""
        if is_open.min() == 1:
            return []
        if self._shut is None:
            self._shut = self._make(shut_lids(self._rgba, template))
        patches = []
        for eye, opening in zip(_EYES, is_open.tolist(), strict=True):
            points = template.landmarks[eye]
            (x0, y0), (x1, y1) = points.min(axis=0) - _LIDS_PX, points.max(axis=0) + _LIDS_PX
            box = (max(round(x0), 0), max(round(y0), 0), round(x1), round(y1))
            patches.append(Patch(self._shut, box, 1 - opening))
        return patches


def _cut(rgba: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an opaque picture (h, w, 4) with a mask of the template, 0..1, as its alpha."""
    alpha = np.rint(255 * cv2.resize(mask, rgba.shape[1::-1]).clip(0, 1)).astype(np.uint8)
    return np.dstack([rgba[..., :3], alpha])
