"""Rows of a table of expressions: one a face and frame, and one for a frame without a face."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from facewarp.face.expressions.arkit import EXPRESSIONS

if TYPE_CHECKING:
    from facewarp.face.expressions.expression_tracker import Expression
    from facewarp.media.frames import Frame

COLUMNS: Final[tuple[str, ...]] = (
    "frame", "time_s", "face", "state", "calibrated",
    "head_pitch_deg", "head_yaw_deg", "head_roll_deg", "head_x_cm", "head_y_cm", "head_z_cm",
    "gaze_left_pitch_deg", "gaze_left_yaw_deg", "gaze_right_pitch_deg", "gaze_right_yaw_deg",
    *EXPRESSIONS,
)  # fmt: skip
"""Columns of the table; signs and axes are those of `facewarp.face.expressions.pose`."""


def rows_of(frame: "Frame", expressions: "Sequence[Expression]") -> list[list[Any]]:
    """Return a frame's rows; a frame without a face has one with nothing but its index and time."""
    start = [frame.index, round(float(frame.time), 6)]
    if not expressions:
        return [start + [None] * (len(COLUMNS) - len(start))]
    rows = []
    for one in expressions:
        left, right = one.gaze_deg
        angles = [*one.pose.angles_deg, *one.pose.translation_cm.tolist(), *left, *right]
        rows.append(
            [
                *start,
                one.face,
                one.state,
                int(one.calibrated),
                *(round(number, 2) for number in angles),
                *(round(value, 4) for value in one.values.tolist()),
            ]
        )
    return rows
