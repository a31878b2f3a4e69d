"""A tracked face: its registration with the template in one frame."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import Box
from facewarp.face.crop import Crop
from facewarp.face.crop_fields import inverted, sample_field, upsample_field
from facewarp.face.similarity import Affine

State = Literal["tracking", "uncertain", "lost"]


@dataclass(frozen=True, eq=False)
class Details:
    """What the detail network says of one face (`facewarp.face.details`).

    Attributes:
        shares: (2, K, 32, 32) shares of `facewarp.face.details.patches.CLASSES` in the cells of the
            mouth's picture and of that of both eyes.
        frames: (2, 3) maps from px of the patches to px of the crop: mouth, left and right eye.
    """

    shares: NDArray[np.float32]
    frames: tuple[Affine, Affine, Affine]


@dataclass(frozen=True, eq=False)
class Face:
    """One tracked face in one frame.

    Where a tracker smooths, box, landmarks and both fields are smoothed; confidence, probabilities
    and folds are those of this frame's registration.

    Attributes:
        id: the same for the same face from frame to frame; -1 for a face that is not followed.
        state: ``"tracking"``; ``"uncertain"`` when the face fits the template badly; ``"lost"``
            when it is not there any more: landmarks and fields are then those last seen.
        confidence: the Dice that the template's warped labels are likely to have with the true
            parts, 0 to 1 (see `facewarp.face.tracking.confidence`); 0 when lost.
        box: (x0, y0, x1, y1) of the landmarks, frame px.
        landmarks: (68, 2) frame px.
        crop: the window of the frame that was registered.
        grid_field: (2, h, w) crop px on the network's grid (see `facewarp.face.crop_fields`);
            fixed = frame, moving = template: what the crop shows at p the template has at
            ``p + field(p)``.
        grid_field_from_template: the same; fixed = template, moving = frame. `grid_field` is its
            inverse.
        probabilities: (8, h, w) the network's own part probabilities of the crop.
        folds_percent: share of the template's face where the network's field from it folds.
        gray: (320, 260) uint8, the crop as it was registered; None for a face made otherwise.
        matte: (160, 130) uint8 of the crop at half its size, 255 where the face itself is seen
            and 0 where hair, a hand or a thing hides it (`facewarp.face.occlusion`); None where
            nobody looked.
        details: eyes and mouth, as the detail network sees them; None without one.
        inverse_steps: steps of Newton's method after which `grid_field` is the inverse that it
            should be; 0 of every face that a tracker gives out.
    """

    id: int
    state: State
    confidence: float
    box: Box
    landmarks: NDArray[np.float64]
    crop: Crop
    grid_field: NDArray[np.float32]
    grid_field_from_template: NDArray[np.float32]
    probabilities: NDArray[np.float32]
    folds_percent: float
    gray: NDArray[np.uint8] | None = None
    matte: NDArray[np.uint8] | None = None
    details: Details | None = None
    inverse_steps: int = 0

    @cached_property
    def field(self) -> NDArray[np.float32]:
        """`grid_field` at every px of the crop, (2, 320, 260) crop px."""
        return upsample_field(self.grid_field)

    @cached_property
    def field_from_template(self) -> NDArray[np.float32]:
        """`grid_field_from_template` at every px of the crop, (2, 320, 260) crop px."""
        return upsample_field(self.grid_field_from_template)


class FaceFilter(Protocol):
    """What makes of a face as registered one that goes with those of the frames before."""

    def __call__(self, face: Face, time: float) -> Face:
        """Filter the face of the next frame."""

    def reset(self) -> None:
        """Forget the past."""


def scaled_face(face: Face, scale: tuple[float, float]) -> Face:
    """Return a face as it lies in its frame resized by (x, y); the crop is no similarity then."""
    factor = np.array(scale, np.float64)
    shift = (factor - 1) / 2  # pixel centers are at integers
    matrix = factor[:, None] * face.crop.matrix
    matrix[:, 2] += shift
    x0, y0, x1, y1 = (np.reshape(face.box, (2, 2)) * factor + shift).ravel().tolist()
    return replace(
        face,
        box=(x0, y0, x1, y1),
        landmarks=face.landmarks * factor + shift,
        crop=Crop(matrix, face.crop.shape),
    )


def with_inverse(face: Face) -> Face:
    """Return the face with `grid_field` the inverse of the field from the template."""
    if not face.inverse_steps:
        return face
    onto = inverted(face.grid_field_from_template, face.grid_field, face.inverse_steps)
    return replace(face, grid_field=onto, inverse_steps=0)


def template_to_frame(face: "Face", points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map template points (N, 2) to frame px, by the field from the template to the face."""
    return face.crop.to_frame(points + sample_field(face.grid_field_from_template, points))
