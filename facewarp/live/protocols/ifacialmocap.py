"""Encode expressions as iFacialMocap's text (https://www.ifacialmocap.com/for-developer).

Values are whole percents, `eyeBlink_L-42|`; behind `=` come the head's angles (degrees) and place
(metres), then the eyes' angles. All signs are those of ARKit's face: x to the subject's left, y up,
z out of the face.
"""

from typing import Final

from facewarp.face.expressions.arkit import EXPRESSIONS
from facewarp.face.expressions.expression_tracker import Expression

_WHOLE: Final = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")  # no pairs: they move one way


def _short(name: str) -> str:
    for side in ("Left", "Right"):
        if name.endswith(side) and name not in _WHOLE:
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


SHORT_NAMES: Final = tuple(map(_short, EXPRESSIONS))
"""The 52 names as iFacialMocap writes them, `mouthSmile_L`, in the order of `EXPRESSIONS`."""


def ifacialmocap_text(expression: Expression) -> bytes:
    """Encode a face."""
    shapes = "|".join(
        f"{name}-{round(100 * value)}"
        for name, value in zip(SHORT_NAMES, expression.values.tolist(), strict=True)
    )
    place = [value / 100 for value in expression.pose.translation_cm.tolist()]
    head = _numbers(*expression.pose.angles_deg, *place)
    left, right = (_numbers(*turn, 0.0) for turn in expression.gaze_deg)
    return f"{shapes}|=head#{head}|rightEye#{right}|leftEye#{left}|".encode("ascii")


def _numbers(*values: float) -> str:
    return ",".join(f"{value:.6f}" for value in values)
