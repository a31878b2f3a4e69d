"""Effect `canonical`: warp the face to the template."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.compositing import place
from facewarp.drawing.text import text_height_px
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.effects.base import check_frame
from facewarp.face.rendering.face_tags import draw_tag, tag_label
from facewarp.face.rendering.template_overlay import clip_box

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

CANONICAL_SHAPE: Final = (2 * CROP_SHAPE[0], 2 * CROP_SHAPE[1])
"""Height and width in px of the canonical view: the template's crop, twice as fine."""

_OUTSIDE = (14, 15, 18)  # what is shown beyond the frame's border
_GHOST = 0.22  # brightness of the template where no face is followed
_ANTIALIAS = 1.5  # frame px per px of the view above which the frame is averaged first


def canonical_view(
    frame: NDArray[np.uint8], face: "Face", shape: tuple[int, int] = CANONICAL_SHAPE
) -> NDArray[np.uint8]:
    """Warp the face of a frame to the template, in one resampling.

    Args:
        frame: HxWx3 uint8.
        face: a face found in it; its ``field_from_template`` and ``crop`` are used.
        shape: (height, width) of the view, which covers the template's whole crop.

    Returns:
        (height, width, 3) uint8; near black where the view reaches beyond the frame.
    """
    height, width = shape
    template_y, template_x = np.mgrid[: CROP_SHAPE[0], : CROP_SHAPE[1]].astype(np.float32)
    crop_px = np.asarray(face.field_from_template, np.float32) + (template_x, template_y)
    frame_px = [
        cv2.addWeighted(crop_px[0], a, crop_px[1], b, shift) for a, b, shift in face.crop.matrix
    ]
    shrink = int(face.crop.scale * CROP_SHAPE[0] / height / _ANTIALIAS)
    if shrink > 1:
        frame, frame_px = _averaged(frame, frame_px, shrink)
    x, y = (cv2.resize(c, (width, height), interpolation=cv2.INTER_LINEAR) for c in frame_px)
    return np.asarray(cv2.remap(frame, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, _OUTSIDE))


def _averaged(
    frame: NDArray[np.uint8], frame_px: list[NDArray[np.float32]], shrink: int
) -> tuple[NDArray[np.uint8], list[NDArray[np.float32]]]:
    """Average the part of a frame that a map reaches to a smaller size; also the map into it."""
    corners = np.array([[c.min() for c in frame_px], [c.max() for c in frame_px]])
    box = clip_box(corners, frame.shape, margin=shrink)
    if box is None:
        return frame, frame_px
    x0, y0, x1, y1 = box
    size = (max(1, (x1 - x0) // shrink), max(1, (y1 - y0) // shrink))
    small = cv2.resize(frame[y0:y1, x0:x1], size, interpolation=cv2.INTER_AREA)
    factors = size[0] / (x1 - x0), size[1] / (y1 - y0)
    moved = [
        (channel - start + 0.5) * factor - 0.5
        for channel, start, factor in zip(frame_px, (x0, y0), factors, strict=True)
    ]
    return small, moved


class Canonical:
    """Shows the face warped to the template: as the whole image, or as insets in a corner.

    The whole picture has the same size for every frame, `CANONICAL_SHAPE`, and shows the
    first face that is followed; with none it is the template's own, dim. Insets show every
    followed face in a row that ends in the top right corner, as many as fit.

    Args:
        inset: draw into the frame instead of replacing it.
        annotate: see `base.FaceEffect`.
    """

    _INSET_SHARE: Final = 0.3  # of the frame's height
    _FRAME_LINE: Final = (235, 238, 242)

    def __init__(self, inset: bool = False, annotate: bool = True) -> None:
        self.inset = inset
        self.annotate = annotate
        self.pixel_aspect = 1.0

    def __call__(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> NDArray[np.uint8]:
        """Return a new picture: the frame with insets, or one of `CANONICAL_SHAPE`.

        Raises:
            FacewarpError: see `base.check_frame`.
        """
        check_frame(frame)
        followed = [face for face in faces if face.state != "lost"]
        if self.inset:
            return self._with_insets(frame, faces, followed)
        out = canonical_view(frame, followed[0]) if followed else _ghost(template.color)
        if self.annotate and (shown := (followed or faces)[:1]):
            margin = text_height_px(out.shape)
            label = tag_label(shown[0], out.shape)
            place(out, label, margin, margin)
        return out

    def _with_insets(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], followed: Sequence["Face"]
    ) -> NDArray[np.uint8]:
        out = np.array(frame, order="C")
        height = max(2, round(frame.shape[0] * self._INSET_SHARE))
        width = max(2, round(height * CROP_SHAPE[1] / CROP_SHAPE[0]))
        gap = max(2, round(frame.shape[0] * 0.02))
        right = frame.shape[1] - gap
        fitting = max(0, (frame.shape[1] - gap) // (width + gap))
        for face in reversed(followed[:fitting]):
            target = out[gap : gap + height, right - width : right]
            target[:] = canonical_view(frame, face, (height, width))[: target.shape[0]]
            cv2.rectangle(target, (0, 0), (width - 1, height - 1), self._FRAME_LINE, 1)
            right -= width + gap
        if self.annotate:
            for face in faces:
                draw_tag(out, face, self.pixel_aspect)
        return out


def _ghost(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = CANONICAL_SHAPE
    dim = cv2.convertScaleAbs(np.ascontiguousarray(image), alpha=_GHOST)
    return np.asarray(cv2.resize(dim, (width, height), interpolation=cv2.INTER_LINEAR))
