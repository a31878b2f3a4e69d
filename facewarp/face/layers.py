"""Layers drawn on the faces of a frame: part labels, the mesh, and textures."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import _SHIFT, blend_over, fixed_point, premultiplied
from facewarp.errors import FacewarpError
from facewarp.face.light import Blend
from facewarp.face.overlay import TemplatePicture, carry_points, clip_box
from facewarp.face.parts import PART_COLORS, FacePart
from facewarp.face.tags import draw_tag
from facewarp.face.textures import check_texture
from facewarp.face.visible import Visibility, covers_eyes

if TYPE_CHECKING:
    from facewarp.face.template import Template
    from facewarp.face.tracker import Face


class FaceEffect(ABC):
    """An effect that draws on each face in turn, then tags them.

    Args:
        opacity: 0..1; at 0 nothing is drawn.
        annotate: whether each face gets a tag with its id, state and confidence.
    """

    def __init__(self, opacity: float, annotate: bool) -> None:
        if not 0 <= opacity <= 1:
            raise FacewarpError(f"an opacity is within 0..1, not {opacity}")
        self.opacity = opacity
        self.annotate = annotate
        self._template: Template | None = None

    def __call__(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> NDArray[np.uint8]:
        """A copy of the frame, HxWx3 uint8 RGB, with the effect on its faces."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise FacewarpError(
                f"effects take frames HxWx3 uint8, got {frame.dtype} of shape {frame.shape}",
                fix="Convert it with facewarp.face.crop.to_rgb.",
            )
        if template is not self._template:
            self._prepare(template)
            self._template = template
        out = np.array(frame, order="C")
        if self.opacity > 0:
            for face in faces:
                if face.state != "lost":
                    self._draw(out, face, template)
        if self.annotate:
            self._annotate(out, faces)
        return out

    def _annotate(self, frame: NDArray[np.uint8], faces: Sequence["Face"]) -> None:
        """Tag every face, in place."""
        for face in faces:
            draw_tag(frame, face)

    @abstractmethod
    def _prepare(self, template: "Template") -> None:
        """Whatever depends on the template alone; called once for each template."""

    @abstractmethod
    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        """Draw on one face, in place."""


class Labels(FaceEffect):
    """The template's parts on the face: soft tints in the skin's own light, thin contours.

    Args:
        opacity: 0..1 of the tints and contours.
        annotate: see :class:`FaceEffect`.
    """

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

    _RIM: Final = 0.18  # tint of the middle of the face, as a share of that at its outline
    _LINE_ALPHA: Final = 0.9
    _LINE_WIDTH: Final = 3  # quarters of a template px
    _LINE_WHITE: Final = 0.45  # how far a contour is from its part's colour towards white

    def __init__(self, opacity: float = 1.0, annotate: bool = True) -> None:
        super().__init__(opacity, annotate)

    def _prepare(self, template: "Template") -> None:
        probabilities = np.asarray(template.probabilities, dtype=np.float32)
        fine = [
            cv2.resize(part, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
            for part in probabilities
        ]
        # Squared and normalised again: edges stay soft, but no part bleeds far into the next.
        sharp = np.stack(fine) ** 2
        sharp /= np.maximum(sharp.sum(axis=0), 1e-6)
        tint = np.zeros(len(PART_COLORS), np.float32)
        tint[list(self.TINT)] = list(self.TINT.values())
        weighted = sharp * tint[:, None, None]
        # The skin is tinted most along the outline, where the tint tells the face from the rest.
        inside = 1 - sharp[FacePart.BACKGROUND]
        weighted[FacePart.FACE] *= self._RIM + (1 - self._RIM) * _rim(inside)
        alpha = weighted.sum(axis=0)
        colour = np.einsum("chw,ck->hwk", weighted, PART_COLORS.astype(np.float32))
        colour /= np.maximum(alpha, 1e-6)[..., None]
        rgba = np.rint(np.dstack([colour, alpha * 255])).astype(np.uint8)
        rgba = cv2.resize(rgba, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        for part in self.TINT:
            line = np.zeros(rgba.shape[:2], np.uint8)
            contours = [
                fixed_point((c + 0.5) * 4 - 0.5) for c in part_contours(probabilities, part)
            ]
            cv2.polylines(line, contours, True, 255, self._LINE_WIDTH, cv2.LINE_AA, _SHIFT)
            colour = self._LINE_WHITE * 255 + (1 - self._LINE_WHITE) * PART_COLORS[part]
            drawn = line > 0
            rgba[drawn] = _over(
                rgba[drawn], colour, line[drawn] * np.float32(self._LINE_ALPHA / 255)
            )
        self._picture = TemplatePicture(rgba, self.opacity)

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        self._picture.lay_on(frame, face)


class Mesh(FaceEffect):
    """The template's triangulation on the face: thin lines that fade towards its outline.

    Args:
        opacity: 0..1 of the lines.
        annotate: see :class:`FaceEffect`.
    """

    _NEAR: Final = np.array([225.0, 255.0, 250.0])  # RGB of the lines at the tip of the nose
    _FAR: Final = np.array([90.0, 200.0, 255.0])  # and at the outline
    _LEVELS: Final = 6  # steps of fading

    def __init__(self, opacity: float = 1.0, annotate: bool = True) -> None:
        super().__init__(opacity, annotate)

    def _prepare(self, template: "Template") -> None:
        points = np.asarray(template.mesh_points, dtype=np.float64)
        sides = np.asarray(template.triangles)[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
        edges = np.unique(np.sort(sides, axis=1), axis=0)
        middle = points[30] if len(points) > 30 else points.mean(axis=0)
        distance = np.linalg.norm(points - middle, axis=1)
        depth = (distance / max(float(distance.max()), 1e-6)) ** 1.5
        step = np.minimum((depth[edges].mean(axis=1) * self._LEVELS).astype(int), self._LEVELS - 1)
        self._edges = [edges[step == level] for level in range(self._LEVELS)]
        self._vertex_step = np.minimum((depth * self._LEVELS).astype(int), self._LEVELS - 1)

    def _rgba(self, level: int, alpha: float) -> tuple[float, ...]:
        far = level / (self._LEVELS - 1)
        alpha *= (1 - 0.4 * far) * self.opacity
        return premultiplied((1 - far) * self._NEAR + far * self._FAR, alpha)

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        points = carry_points(face, np.asarray(template.mesh_points, dtype=np.float64))
        count = min(len(points), len(face.landmarks))
        points[:count] = face.landmarks[:count]
        thickness = max(1, round(face.crop.scale / 2.5))
        radius = max(1.2, 0.9 * face.crop.scale)
        box = clip_box(points, frame.shape, margin=2 * radius + thickness)
        if box is None:
            return
        x0, y0, x1, y1 = box
        canvas = np.zeros((y1 - y0, x1 - x0, 4), np.uint8)
        at = fixed_point(points - (x0, y0))
        shade = premultiplied(np.zeros(3), 0.16 * self.opacity)
        lines = [list(at[edges]) for edges in self._edges]
        for group in lines:  # a dark seam below keeps the lines visible on bright skin
            cv2.polylines(canvas, group, False, shade, thickness + 2, cv2.LINE_AA, _SHIFT)
        for level, group in enumerate(lines):
            rgba = self._rgba(level, 0.85)
            cv2.polylines(canvas, group, False, rgba, thickness, cv2.LINE_AA, _SHIFT)
        for center, level in zip(at[:, 0].tolist(), self._vertex_step.tolist(), strict=True):
            rgba = self._rgba(level, 0.95)
            cv2.circle(canvas, center, round(radius * 16), rgba, -1, cv2.LINE_AA, _SHIFT)
        blend_over(frame[y0:y1, x0:x1], canvas)


class Texture(FaceEffect):
    """An RGBA picture in template space, worn by the face in the light of the frame.

    Hair or a hand before the face stay before it, and eyes and open mouth are left alone; a texture
    that is opaque over the template's eyes, glasses for one, covers those of the face too.

    Args:
        rgba: (h, w, 3 or 4) uint8 of the template's aspect. A picture that is opaque everywhere
            is cut to the template's face.
        opacity: 0..1, multiplies the picture's alpha.
        blend: see :data:`facewarp.face.light.Blend`.
        annotate: see :class:`FaceEffect`.
    """

    def __init__(
        self,
        rgba: NDArray[np.uint8],
        opacity: float = 1.0,
        blend: Blend = "paint",
        annotate: bool = True,
    ) -> None:
        super().__init__(opacity, annotate)
        self.rgba = check_texture(rgba)
        self.blend = blend

    def _prepare(self, template: "Template") -> None:
        rgba = self.rgba
        if (rgba[..., 3] == 255).all():
            background = np.asarray(template.probabilities[FacePart.BACKGROUND], np.float32)
            face = cv2.GaussianBlur(1 - background, (0, 0), 2.0)
            rgba = rgba.copy()
            rgba[..., 3] = np.rint(255 * cv2.resize(face, rgba.shape[1::-1]).clip(0, 1))
        rgba = template.wears(rgba)
        self._picture = TemplatePicture(rgba, self.opacity)
        self._seen = Visibility(
            template,
            spare_eyes=not covers_eyes(rgba[..., 3], template),
            spare_mouth=self.blend != "mask",
        )

    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        self._picture.lay_on(frame, face, self.blend, self._seen(face))


def part_contours(probabilities: NDArray[np.float32], part: FacePart) -> list[NDArray[np.float64]]:
    """Closed contours (N, 2) in template px around a part; for FACE around all parts together.

    Found at four times the resolution where the part is likelier than every other, smoothed, with
    a point about every 1.5 px; islands below 12 px of length are left out.
    """
    if part == FacePart.FACE:
        margin = 1 - 2 * probabilities[FacePart.BACKGROUND]
    else:
        margin = probabilities[part] - np.delete(probabilities, part, axis=0).max(axis=0)
    fine = cv2.resize(margin, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC)
    mask = (cv2.GaussianBlur(fine, (0, 0), 2) > 0).astype(np.uint8)
    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contours = []
    for chain in found:
        points = (chain[:, 0].astype(np.float64) + 0.5) / 4 - 0.5
        if len(points) < 48:
            continue
        kernel = np.hanning(15)[1:-1]
        wrapped = np.concatenate([points[-6:], points, points[:6]])
        smooth = [np.convolve(axis, kernel / kernel.sum(), "valid") for axis in wrapped.T]
        contours.append(np.stack(smooth, axis=-1)[::6])
    return contours


def _rim(inside: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 at the outline of a soft mask, falling towards its middle over a ninth of its width."""
    mask = (inside > 0.5).astype(np.uint8)
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(np.exp(-9 * distance / max(float(mask.sum(axis=1).max()), 1.0)), np.float32)


def _over(
    rgba: NDArray[np.uint8], colour: NDArray[np.floating], alpha: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A colour with its alpha (...) laid over RGBA pixels (..., 4), all with straight alpha."""
    below = rgba[..., 3] / np.float32(255) * (1 - alpha)
    total = np.maximum(alpha + below, 1e-6)
    mixed = (colour * alpha[..., None] + rgba[..., :3] * below[..., None]) / total[..., None]
    return np.rint(np.concatenate([mixed, 255 * total[..., None]], -1)).astype(np.uint8)
