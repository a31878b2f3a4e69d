"""Base class of the effects that draw on each face."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.errors import FacewarpError
from facewarp.face.rendering.face_tags import draw_tag

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template


Drawing = Callable[..., NDArray[np.uint8]]


def check_frame(frame: NDArray[np.generic]) -> None:
    """Check that an effect can draw on a frame.

    Raises:
        FacewarpError: it is not (H, W, 3) uint8.
    """
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise FacewarpError(
            f"effects take frames HxWx3 uint8, got {frame.dtype} of shape {frame.shape}",
            fix="Convert it with facewarp.face.image_formats.to_rgb.",
        )


class FaceEffect(ABC):
    """Draws on each face in turn, then tags them.

    Args:
        opacity: 0..1; at 0 nothing is drawn.
        annotate: whether each face gets a tag with its id, state and confidence.

    Attributes:
        pixel_aspect: width of a frame's pixel over its height, which the letters of tags allow for.
        coverage: (H, W), to which each drawing adds its alpha, while somebody wants to know.
    """

    def __init__(self, opacity: float, annotate: bool) -> None:
        if not 0 <= opacity <= 1:
            raise FacewarpError(f"an opacity is within 0..1, not {opacity}")
        self.opacity = opacity
        self.annotate = annotate
        self.pixel_aspect = 1.0
        self.coverage: NDArray[np.uint8] | None = None
        self._template: Template | None = None

    paints_windows: ClassVar[bool] = False
    """Whether frames are only cut into windows or looked at in steps, so that they may be a canvas
    (`facewarp.media.yuv.views.Canvas`) of which no more is made."""

    def __call__(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> NDArray[np.uint8]:
        """Return a copy of the frame, HxWx3 uint8 RGB, with the effect on its faces."""
        out = np.array(frame, order="C")
        self.paint(out, faces, template)
        return out

    def paint(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> None:
        """Draw on a frame's faces, in place.

        Raises:
            FacewarpError: see `check_frame`.
        """
        check_frame(frame)
        if template is not self._template:
            self._prepare(template)
            self._template = template
        if self.opacity > 0:
            for face in faces:
                if face.state != "lost":
                    self._draw(frame, face, template)
        if self.annotate:
            self._annotate(frame, faces)

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


@runtime_checkable
class TellsCoverage(Protocol):
    """An effect that adds the alpha of what it draws to `coverage`, (H, W), if that is set."""

    coverage: NDArray[np.uint8] | None

    def __call__(
        self, frame: NDArray[np.uint8], faces: Sequence["Face"], template: "Template"
    ) -> NDArray[np.uint8]:
        """See `FaceEffect`."""
        ...


@runtime_checkable
class HasPast(Protocol):
    """An effect that carries something over from frame to frame."""

    def forget(self) -> None:
        """Start anew with the next frame."""


def forget_past(effect: Drawing) -> None:
    """Make an effect start anew with the next frame, if it carries anything over."""
    if isinstance(effect, HasPast):
        effect.forget()


def drawn_with_coverage(
    effect: Drawing,
    frame: NDArray[np.uint8],
    faces: Sequence["Face"],
    template: "Template",
    coverage: NDArray[np.uint8] | None,
) -> NDArray[np.uint8]:
    """Draw an effect and add to a coverage (H, W) what it covers, as far as it tells.

    Args:
        effect: any; those that tell have an attribute `coverage`.
        frame: see `FaceEffect`.
        faces: see `FaceEffect`.
        template: see `FaceEffect`.
        coverage: added to in place; None where nobody wants to know.
    """
    if coverage is None or not isinstance(effect, TellsCoverage):
        return effect(frame, faces, template)
    effect.coverage = coverage
    try:
        return effect(frame, faces, template)
    finally:
        effect.coverage = None


def drawn_with_layer(
    effect: Drawing,
    frame: NDArray[np.uint8],
    faces: Sequence["Face"],
    template: "Template",
) -> tuple[NDArray[np.uint8], EffectLayer | None]:
    """Draw an effect; return the picture and the effect's own layer.

    The layer is None for an effect that replaces the frame.
    """
    coverage = np.zeros(frame.shape[:2], np.uint8)
    picture = drawn_with_coverage(effect, frame, faces, template, coverage)
    if picture.shape != frame.shape:
        return picture, None
    return picture, EffectLayer.between(frame, picture, coverage)
