"""Effect `texture`: paint an RGBA image in template space onto each face."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import CROP_SHAPE
from facewarp.face.effects.base import FaceEffect
from facewarp.face.effects.options import MatchName
from facewarp.face.matching.steady_scene import SteadyScenes
from facewarp.face.parts import FacePart
from facewarp.face.rendering.calm_skin import calm_skin
from facewarp.face.rendering.coverage import closed_lips, paints_whole_face, wide_face, widened
from facewarp.face.rendering.occlusion import Visibility, covers_eyes
from facewarp.face.rendering.shading import Blend
from facewarp.face.rendering.template_overlay import TemplatePicture
from facewarp.face.rendering.textures import check_texture

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template


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
        # A solid thing does not blink: lids and brows move it no more than skin around does.
        is_solid = self.blend == "mask"
        calm = np.ones(CROP_SHAPE, np.float32) if is_solid else calm_skin(template)
        self._picture = self._wide = TemplatePicture(rgba, self.opacity, calm)
        if wide is not rgba:
            self._wide = TemplatePicture(wide, self.opacity, calm)
        self._seen = Visibility(
            template,
            spare_eyes=not covers_eyes(rgba[..., 3], template),
            spare_mouth=self.blend != "mask",
        )

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        seen = self._seen(face, frame)
        is_lit = self.match != "none" and self.blend != "glow"
        scene = self._scenes(frame, face) if is_lit and self.match == "full" else None
        picture = self._picture if face.matte is None else self._wide
        picture.lay_on(
            frame,
            face,
            self.blend if is_lit else "glow",
            seen,
            coverage=self.coverage,
            fades=True,
            scene=scene,
        )


def _cut(rgba: NDArray[np.uint8], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return an opaque picture (h, w, 4) with a mask of the template, 0..1, as its alpha."""
    alpha = np.rint(255 * cv2.resize(mask, rgba.shape[1::-1]).clip(0, 1)).astype(np.uint8)
    return np.dstack([rgba[..., :3], alpha])
