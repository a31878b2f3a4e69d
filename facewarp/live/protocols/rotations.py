"""Rotations in the axes of other programs.

Ours are right-handed: x to the subject's left, y up, z out of the face (see
`facewarp.face.expressions.pose`). Unity's avatars are left-handed: x to the avatar's right, y up, z
forward; a head that turns to its left turns to its left in both.
"""

import math

import numpy as np
from numpy.typing import NDArray

Quaternion = tuple[float, float, float, float]
"""(x, y, z, w), of unit length."""

_FLIP_X = np.diag([-1.0, 1.0, 1.0])


def quaternion(rotation: NDArray[np.floating]) -> Quaternion:
    """Return the quaternion of a rotation matrix (3, 3), by its largest component (Shepperd)."""
    m = np.asarray(rotation, float)
    trace = m.trace()
    squares = 1 + 2 * np.array([*m.diagonal(), trace]) - trace  # 4 x^2, 4 y^2, 4 z^2, 4 w^2 ...
    squares[3] = 1 + trace
    largest = int(squares.argmax())
    double = math.sqrt(squares[largest])
    off = m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]
    if largest == 3:
        x, y, z, w = *(part / double for part in off), double
    else:
        parts = [(m[largest, i] + m[i, largest]) / double for i in range(3)]
        parts[largest] = double
        x, y, z, w = *parts, off[largest] / double
    sign = -0.5 if w < 0 else 0.5
    return sign * x, sign * y, sign * z, sign * w


def turned(pitch_deg: float, yaw_deg: float) -> NDArray[np.float64]:
    """Return the rotation of an eye: first down by `pitch`, then to the subject's left by `yaw`."""
    pitch, yaw = math.radians(pitch_deg), math.radians(yaw_deg)
    c, s = math.cos(pitch), math.sin(pitch)
    down = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    c, s = math.cos(yaw), math.sin(yaw)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ down


def in_unity(rotation: NDArray[np.floating]) -> Quaternion:
    """Return a rotation in the axes of an avatar in Unity."""
    return quaternion(_FLIP_X @ rotation @ _FLIP_X)
