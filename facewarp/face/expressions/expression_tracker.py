"""Expressions of tracked faces from frame to frame: pose, gaze and values, smoothed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.boxes import side_of
from facewarp.face.expressions.arkit import EXPRESSIONS, VERTICAL_DEG, ExpressionModel
from facewarp.face.expressions.gaze import eye_turns
from facewarp.face.expressions.measures import FaceMeasure
from facewarp.face.expressions.pose import FIELD_OF_VIEW_DEG, Camera, HeadPose, PoseSolver
from facewarp.face.temporal.smoothing import OneEuro, OneEuroFilter

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

_SMOOTH: Final = OneEuro(min_hz=2.0, beta=60.0, noise=0.05, speed_hz=3.0)
# A brow moves less and trembles more: chosen on half of the clips of docs/decisions/0130.
_BROW_SMOOTH: Final = OneEuro(min_hz=1.0, beta=5.0, noise=0.2, speed_hz=3.0)
_TURN_UNIT: Final = 1 / 30  # of a value, per degree
_SHUT: Final = 0.6  # blink from which an eye's iris is not looked for
_FRAME_S: Final = 1 / 30
_REMEMBER_S: Final = 5.0  # how long a face that is not seen keeps its neutral and its past
_BLINK = {side: EXPRESSIONS.index(f"eyeBlink{side}") for side in ("Left", "Right")}
_BROWS: Final = [i for i, name in enumerate(EXPRESSIONS) if name.startswith("brow")]
_WAYS: Final = ("Down", "Up")
_LOOK = {
    (way, side): EXPRESSIONS.index(f"eyeLook{way}{side}")
    for way in _WAYS
    for side in ("Left", "Right")
}


@dataclass(frozen=True, eq=False)
class Expression:
    """A face's expression in one frame.

    Attributes:
        face: id of the face.
        state: of the face, see `Face`.
        pose: of the head.
        gaze_deg: (pitch, yaw) of the subject's left and right eye in the head's axes; positive
            down, and to the subject's left. Both look the same way: that eyes converge is not seen.
        values: (52,) 0..1 in the order of `EXPRESSIONS`.
        calibrated: whether they count from the face's own neutral.
        landmarks: (68, 2) frame px.
        size: (width, height) of the frame, px.
        field_of_view_deg: of the camera, as assumed.
    """

    face: int
    state: str
    pose: HeadPose
    gaze_deg: tuple[tuple[float, float], tuple[float, float]]
    values: NDArray[np.float64]
    calibrated: bool
    landmarks: NDArray[np.float64]
    size: tuple[int, int]
    field_of_view_deg: float

    def __getitem__(self, name: str) -> float:
        """Return a value by its name in ARKit, such as ``"jawOpen"``."""
        return float(self.values[EXPRESSIONS.index(name)])


@dataclass(eq=False)
class _Past:
    """What is known of a face from the frames before."""

    seen: float
    side: float = 0.0
    turn: float = 0.0
    neutral: NDArray[np.float64] | None = None
    measured: NDArray[np.float64] | None = None
    values: OneEuroFilter = field(default_factory=lambda: OneEuroFilter(_SMOOTH))
    brows: OneEuroFilter = field(default_factory=lambda: OneEuroFilter(_BROW_SMOOTH))
    gaze: OneEuroFilter = field(default_factory=lambda: OneEuroFilter(_SMOOTH))

    def smoothed(self, values: NDArray[np.float64], elapsed: float) -> NDArray[np.float64]:
        """Smooth the values (52,) of a frame."""
        smooth = np.array(self.values(values[:, None], elapsed)[:, 0], float)
        smooth[_BROWS] = self.brows(values[_BROWS, None], elapsed)[:, 0]
        return smooth

    def smooth_anew(self) -> None:
        """Let the next values count as they are."""
        self.values, self.brows = OneEuroFilter(_SMOOTH), OneEuroFilter(_BROW_SMOOTH)


class ExpressionTracker:
    """Computes the expressions of a tracker's faces, each with its own neutral and past.

    Args:
        template: what the faces were registered with.
        field_of_view_deg: of the camera, along the longer side of its image.
        smooth: smooth values and gaze; landmarks are smoothed by the tracker already.

    Attributes:
        template, field_of_view_deg, smooth: as given; `smooth` may be changed.
    """

    def __init__(
        self,
        template: "Template",
        field_of_view_deg: float = FIELD_OF_VIEW_DEG,
        smooth: bool = True,
    ) -> None:
        self.template, self.field_of_view_deg, self.smooth = template, field_of_view_deg, smooth
        self._solver, self._measure = PoseSolver(template), FaceMeasure(template)
        self._model = ExpressionModel.load()
        self._faces: dict[int, _Past] = {}
        self._neutral: NDArray[np.float64] | None = None

    def __call__(
        self, image: NDArray[np.generic], faces: Sequence["Face"], time: float
    ) -> list[Expression]:
        """Return the expressions of a frame's faces; lost ones, and ones without a pose, have none.

        Args:
            image: the frame, H x W [x 1, 3 or 4].
            faces: its faces, as the tracker gives them.
            time: the frame's, s.
        """
        for number in [n for n, past in self._faces.items() if abs(time - past.seen) > _REMEMBER_S]:
            del self._faces[number]
        camera = Camera((image.shape[1], image.shape[0]), self.field_of_view_deg)
        found = (self._one(image, face, time, camera) for face in faces if face.state != "lost")
        return [one for one in found if one is not None]

    def set_neutral(self) -> int | None:
        """Make the face measured last, the largest of several, neutral as it was.

        Returns:
            The face's id; None where none was measured in the last seconds.
        """
        seen = {n: past for n, past in self._faces.items() if past.measured is not None}
        if not seen:
            return None
        newest = max(past.seen for past in seen.values())
        last = [n for n, past in seen.items() if past.seen == newest]
        number = max(last, key=lambda n: seen[n].side)
        seen[number].neutral = seen[number].measured
        seen[number].smooth_anew()
        return number

    def take_neutral(
        self, image: NDArray[np.generic], faces: Sequence["Face"], time: float
    ) -> bool:
        """Make the largest face of a frame the neutral one of every face from now on.

        Returns:
            Whether there is a face.
        """
        there = [face for face in faces if face.state != "lost"]
        largest = max(there, key=lambda face: side_of(face.box), default=None)
        self.forget()
        if largest is None or not self(image, [largest], time):
            return False
        self._neutral = self._faces[largest.id].measured
        self.forget()
        return True

    def forget(self) -> None:
        """Forget every face, and the neutral that was its own."""
        self._faces.clear()

    def _one(
        self, image: NDArray[np.generic], face: "Face", time: float, camera: Camera
    ) -> Expression | None:
        pose = self._solver.solve(face, camera)
        if pose is None:
            return None
        past = self._faces.setdefault(face.id, _Past(time, neutral=self._neutral))
        elapsed = time - past.seen if time > past.seen else _FRAME_S
        past.seen, past.side = time, side_of(face.box)
        past.measured = self._measure(face, pose, camera)
        values = self._model.values(past.measured, past.neutral)
        seen = [
            turn
            for side, turn in zip(("Left", "Right"), eye_turns(image, face.landmarks), strict=True)
            if turn is not None and values[_BLINK[side]] <= _SHUT
        ]
        past.turn = past.turn if not seen else sum(seen) / len(seen)
        turn = past.turn
        if self.smooth:
            turn = float(past.gaze(np.array([[turn]]), elapsed, _TURN_UNIT)[0, 0])
        values = self._model.values(past.measured, past.neutral, turn)
        if self.smooth:
            values = past.smoothed(values, elapsed)
        values = values.clip(0, 1)
        down, up = (np.mean([values[_LOOK[way, side]] for side in _BLINK]) for way in _WAYS)
        gaze = VERTICAL_DEG * float(down - up), turn
        return Expression(
            face.id,
            face.state,
            pose,
            (gaze, gaze),
            values,
            past.neutral is not None,
            face.landmarks,
            camera.size,
            self.field_of_view_deg,
        )
