"""Base class of the effects that draw on each face."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.rendering.face_tags import draw_tag

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template


class FaceEffect(ABC):
    """Draws on each face in turn, then tags them.

    Args:
        opacity: 0..1; at 0 nothing is drawn.
        annotate: whether each face gets a tag with its id, state and confidence.

    Attributes:
        pixel_aspect: width of a frame's pixel over its height, which the letters of tags allow for.
    """

    def __init__(self, opacity: float, annotate: bool) -> None:
        if not 0 <= opacity <= 1:
            raise FacewarpError(f"an opacity is within 0..1, not {opacity}")
        self.opacity = opacity
        self.annotate = annotate
        self.pixel_aspect = 1.0
        self._template: Template | None = None

    def __call__(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> NDArray[np.uint8]:
        """Return a copy of the frame, HxWx3 uint8 RGB, with the effect on its faces."""
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
            raise FacewarpError(
                f"effects take frames HxWx3 uint8, got {frame.dtype} of shape {frame.shape}",
                fix="Convert it with facewarp.face.image_formats.to_rgb.",
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
            draw_tag(frame, face, self.pixel_aspect)

    @abstractmethod
    def _prepare(self, template: "Template") -> None:
        """Prepare what depends on the template alone; called once per template."""

    @abstractmethod
    def _draw(self, frame: NDArray[np.uint8], face: "Face", template: "Template") -> None:
        """Draw on one face, in place."""
