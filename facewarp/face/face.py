"""A tracked face: its registration with the template in one frame."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Generic, Literal, Protocol, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import Box
from facewarp.face.crop import Crop
from facewarp.face.crop_fields import sample_field, upsample_field
from facewarp.face.similarity import Affine

State = Literal["tracking", "uncertain", "lost"]
T = TypeVar("T")


class Later(Generic[T]):
    """A value that is computed when it is first asked for, once.

    Args:
        compute: gives it.
    """

    def __init__(self, compute: Callable[[], T]) -> None:
        self._compute: Callable[[], T] | None = compute

    def __call__(self) -> T:
        """Return the value."""
        compute = self._compute
        if compute is not None:
            self._value = compute()
            self._compute = None  # what it is computed from can go
        return self._value


class _PerhapsLater(Generic[T]):
    """A dataclass field that takes a value or a `Later`, and gives the value."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, face: None, owner: type) -> "_PerhapsLater[T]": ...
    @overload
    def __get__(self, face: object, owner: type) -> T: ...
    def __get__(self, face: object | None, owner: type) -> "_PerhapsLater[T] | T":
        if face is None:
            raise AttributeError(self._name)  # so that the field has no default
        value = vars(face)[self._name]
        if isinstance(value, Later):
            value = vars(face)[self._name] = value()
        found: T = value
        return found

    def __set__(self, face: object, value: T | Later[T]) -> None:
        vars(face)[self._name] = value


@dataclass(frozen=True, eq=False)
class Details:
    """What the detail network says of one face (`facewarp.face.details`).

    Attributes:
        shares: (2, K, 32, 32) shares of `facewarp.face.details.patches.CLASSES` in the cells of the
            mouth's picture and of that of both eyes.
        frames: (2, 3) maps from px of the patches to px of the crop: mouth, left and right eye.
        boundaries: of lips and lids in the shares, as `facewarp.face.details.outlines.boundaries`
            finds them; None where they were not looked for yet.
    """

    shares: NDArray[np.float32]
    frames: tuple[Affine, Affine, Affine]
    boundaries: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None


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
            ``p + field(p)``. The inverse of the other one; of a tracked face it is computed when it
            is first asked for.
        grid_field_from_template: the same; fixed = template, moving = frame.
        probabilities: (8, h, w) the network's own part probabilities of the crop.
        folds_percent: share of the template's face where the network's field from it folds;
            counted when it is first asked for.
        gray: (320, 260) uint8, the crop as it was registered; None for a face made otherwise.
        matte: (160, 130) uint8 of the crop at half its size, 255 where the face itself is seen
            and 0 where hair, a hand or a thing hides it (`facewarp.face.occlusion`); None where
            nobody looked.
        details: eyes and mouth, as the detail network sees them; None without one.

    Example:
        >>> (face,) = facewarp.FaceTracker()(image)
        >>> face.state, face.landmarks.shape
        ('tracking', (68, 2))
        >>> tip_of_nose = face.landmarks[30]
    """

    id: int
    state: State
    confidence: float
    box: Box
    landmarks: NDArray[np.float64]
    crop: Crop
    grid_field: _PerhapsLater[NDArray[np.float32]] = _PerhapsLater()
    grid_field_from_template: NDArray[np.float32]  # type: ignore[misc]
    probabilities: NDArray[np.float32]  # type: ignore[misc]
    folds_percent: _PerhapsLater[float] = _PerhapsLater()
    gray: NDArray[np.uint8] | None = None
    matte: NDArray[np.uint8] | None = None
    details: Details | None = None

    def changed(self, **changes: Any) -> "Face":
        """Return the face with other values of fields; what is left for later stays so.

        `dataclasses.replace` does the same, but asks for all fields.
        """
        if not changes.keys() <= _FIELDS:
            raise TypeError(f"a face has no {min(changes.keys() - _FIELDS)!r}")
        face, kept = object.__new__(Face), vars(self)
        if len(kept) > len(_FIELDS):  # fields at every px, which go with others
            kept = {name: kept[name] for name in _FIELDS}
        vars(face).update(kept, **changes)
        return face

    @cached_property
    def field(self) -> NDArray[np.float32]:
        """`grid_field` at every px of the crop, (2, 320, 260) crop px."""
        return upsample_field(self.grid_field)

    @cached_property
    def field_from_template(self) -> NDArray[np.float32]:
        """`grid_field_from_template` at every px of the crop, (2, 320, 260) crop px."""
        return upsample_field(self.grid_field_from_template)


_FIELDS: Final = Face.__dataclass_fields__.keys()


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
    return face.changed(
        box=(x0, y0, x1, y1),
        landmarks=face.landmarks * factor + shift,
        crop=Crop(matrix, face.crop.shape),
    )


def template_to_frame(face: "Face", points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Map template points (N, 2) to frame px, by the field from the template to the face."""
    return face.crop.to_frame(points + sample_field(face.grid_field_from_template, points))
