"""The 52 expression values of ARKit, computed from measurements of a face.

Each value is linear in how a face differs from its own neutral one, cut to 0..1. The weights were
fitted on photographs to the values that MediaPipe's blendshape network gives them, by ridge
regression (`benchmarks/face/expressions.py fit`; docs/decisions/0105); how well they follow it on
clips is in docs/avatars.md. Left and right are the subject's, as ARKit has it.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.expressions.measures import NAMES as MEASURES

_PAIRED: Final = (
    "browDown", "browOuterUp", "cheekSquint", "eyeBlink", "eyeLookDown", "eyeLookIn", "eyeLookOut",
    "eyeLookUp", "eyeSquint", "eyeWide", "mouthDimple", "mouthFrown", "mouthLowerDown",
    "mouthPress", "mouthSmile", "mouthStretch", "mouthUpperUp", "noseSneer",
)  # fmt: skip
_SINGLE: Final = (
    "browInnerUp", "cheekPuff", "jawForward", "jawLeft", "jawOpen", "jawRight", "mouthClose",
    "mouthFunnel", "mouthLeft", "mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "tongueOut",
)  # fmt: skip
EXPRESSIONS: Final[tuple[str, ...]] = tuple(
    sorted([*_SINGLE, *(f"{name}{side}" for name in _PAIRED for side in ("Left", "Right"))])
)
"""Names of the 52 values, in the order of the alphabet; the order in which they are sent."""

UNSEEN: Final = frozenset(
    {"cheekPuff", "cheekSquintLeft", "cheekSquintRight", "jawForward", "tongueOut"}
)
"""What neither landmarks nor field show: always 0."""

BY_GAZE: Final = frozenset({"eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight"})
"""Values that come from where the iris stands, not from the weights."""

_SIDEWAYS_DEG: Final = 30.0  # of an eye that is turned all the way: value 1
VERTICAL_DEG: Final = 25.0
"""How far an eye turns up or down at a value of 1."""

_SNEER_CM: Final = 0.5  # how far a nose wing rises for a value of 1
_WINGS: Final = {"Left": (35, 42, 45), "Right": (31, 36, 39)}  # iBUG: wing and corners of the eye


@dataclass(frozen=True, eq=False)
class ExpressionModel:
    """The linear map from measurements to values.

    Attributes:
        weights: (52, M) per unit of each measurement; 0 for what is not computed by them.
        base: (52,) values of the mean face.
        mean: (M,) the mean face's measurement.
    """

    weights: NDArray[np.float64]
    base: NDArray[np.float64]
    mean: NDArray[np.float64]

    @classmethod
    @cache
    def load(cls) -> "ExpressionModel":
        """Load the shipped weights; every call returns the same object."""
        path = resources.files("facewarp.assets") / "head" / "expressions.npz"
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            names, measures = data["names"].tolist(), data["measures"].tolist()
            if tuple(names) != EXPRESSIONS or tuple(measures) != MEASURES:
                raise ValueError("the shipped weights are of another version")
            arrays = [data[key].astype(np.float64) for key in ("weights", "base", "mean")]
        for array in arrays:
            array.setflags(write=False)
        return cls(*arrays)

    def values(
        self,
        measured: NDArray[np.float64],
        neutral: NDArray[np.float64] | None,
        turn_deg: float = 0.0,
    ) -> NDArray[np.float64]:
        """Compute the 52 values of a face, not yet cut to 0..1: that comes after smoothing.

        Args:
            measured: (M,) its measurement.
            neutral: (M,) that of the same face at rest; None to take the mean face for it.
            turn_deg: how far the eyes are turned to the subject's left.

        Returns:
            (52,) in the order of `EXPRESSIONS`.
        """
        if neutral is None:
            values = self.weights @ (measured - self.mean) + self.base
        else:
            values = self.weights @ (measured - neutral)
            for side, (wing, *corners) in _WINGS.items():
                rise = _height(measured, wing, corners) - _height(neutral, wing, corners)
                values[EXPRESSIONS.index(f"noseSneer{side}")] = rise / _SNEER_CM
        for side in ("Left", "Right"):
            outward = turn_deg if side == "Left" else -turn_deg
            values[EXPRESSIONS.index(f"eyeLookOut{side}")] = outward / _SIDEWAYS_DEG
            values[EXPRESSIONS.index(f"eyeLookIn{side}")] = -outward / _SIDEWAYS_DEG
        return np.asarray(values)


def _height(measured: NDArray[np.float64], wing: int, corners: list[int]) -> float:
    """Return how high (cm) a nose wing stands, from the middle of the eye above it."""
    y = measured[1 : 2 * 68 : 2]
    return float(y[wing] - y[corners].mean())
