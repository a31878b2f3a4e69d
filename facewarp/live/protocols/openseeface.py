"""Encode expressions as OpenSeeFace's packets (https://github.com/emilianavt/OpenSeeFace).

A face takes 1785 bytes, little endian and without padding:

    time s (double), id (int32), width, height, eyes open right, left (floats), fit found (byte),
    fit error px^2, quaternion x y z w, angles (3, degrees), translation (3),
    confidence of 68 points, 68 points x y px, 70 points x y z, 14 features

The points are iBUG's without the inner corners of the mouth, in OpenSeeFace's own order, then both
pupils; the 3D points also have the centers of both eyeballs. OpenSeeFace's head has x to the
image's left, y up, z out of the face, the tip of the nose as its origin, and a unit of about 14 cm;
its camera has x down, y to the right, z into the scene. Its own fit, begun at the camera, ends with
the head behind it: down, right and depth are negative, so that a head that faces the camera has the
angles (180, 0, 90), and receivers take that for upright. Packets here have the same.
"""

import math
import struct
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.expressions.expression_tracker import Expression
from facewarp.face.expressions.pose import Camera, landmark_positions, to_head
from facewarp.live.protocols.rotations import quaternion, turned

_LAYOUT: Final = struct.Struct("<di2f2fBf4f3f3f68f136f210f14f")

POINTS: Final = (*range(48), *range(49, 54), *range(55, 60), 48, 61, 62, 63, 54, 65, 66, 67)
"""iBUG's index of each of OpenSeeFace's 66 landmarks."""

_TIP: Final = 30
_EYES: Final = ((36, 39), (42, 45))  # corners of the right and the left eye
_UNIT_CM: Final = 14.1  # 8.9 cm between the outer eye corners of the mean head, 0.63 of theirs
_BALL: Final = 0.385  # depth of an eyeball's center over the width of an eye, OpenSeeFace's own
_TURN: Final = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, -1]])  # our camera's axes to theirs
_SHIFT: Final = np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]])  # of a head behind the camera
_FLIP: Final = np.array([-1.0, 1, 1])  # our head's axes to theirs


def openseeface_packet(expression: Expression, time: float) -> bytes:
    """Encode a face.

    Args:
        expression: of the face.
        time: the frame's, s.
    """
    pose = expression.pose
    rotation = _TURN @ pose.rotation @ np.diag(_FLIP)
    tip = landmark_positions()[_TIP]
    translation = _SHIFT @ (pose.rotation @ tip + pose.translation_cm) / _UNIT_CM
    x, y, z, w = quaternion(rotation)
    points, solid = _points(expression)
    return _LAYOUT.pack(
        time,
        expression.face,
        *map(float, expression.size),
        1 - expression["eyeBlinkRight"],
        1 - expression["eyeBlinkLeft"],
        1,
        pose.error_px,
        *(-x, -y, -z, w),  # OpenSeeFace's own formula gives the conjugate
        *_angles(rotation),
        *translation,
        *[1.0] * len(points),
        *points.ravel(),
        *(solid * (1, -1, -1)).ravel(),
        *_features(expression),
    )


def _angles(rotation: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the angles of OpenCV's RQ decomposition, the middle one within 90 degrees."""
    x, y, z = cv2.RQDecomp3x3(rotation)[0]
    if abs(y) > 90:
        x, y, z = x + 180, 180 - y, z + 180
    return tuple(math.remainder(angle, 360) for angle in (x, y, z))  # type: ignore[return-value]


def _points(expression: Expression) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the 68 points px, and the 70 in the axes of OpenSeeFace's head."""
    camera = Camera(expression.size, expression.field_of_view_deg)
    model = landmark_positions()
    order = list(POINTS)
    seen = expression.landmarks[order]
    solid = to_head(seen, model[order], expression.pose, camera)
    centers, pupils = [], []
    for (outer, inner), gaze in zip(_EYES, reversed(expression.gaze_deg), strict=True):
        corners = to_head(
            expression.landmarks[[outer, inner]], model[[outer, inner]], expression.pose, camera
        )
        depth = _BALL * float(np.linalg.norm(corners[0] - corners[1]))
        center = corners.mean(0) - (0, 0, depth)
        centers.append(center)
        pupils.append(center + depth * turned(*gaze)[:, 2])
    solid = np.concatenate([solid, pupils, centers])
    inside = _project(np.array(pupils), expression, camera)
    return np.concatenate([seen, inside]), (solid - model[_TIP]) * _FLIP / _UNIT_CM


def _project(
    points_cm: NDArray[np.float64], expression: Expression, camera: Camera
) -> NDArray[np.float64]:
    """Return where points (N, 3) of the head are seen, frame px."""
    pose = expression.pose
    x, y, z = (points_cm @ pose.rotation.T + pose.translation_cm).T
    width, height = camera.size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.asarray(middle + camera.focal_px * np.column_stack([x / -z, -y / -z]))


def _features(expression: Expression) -> tuple[float, ...]:
    """Return the 14 features, each -1..1 about the face's usual shape.

    In order: eye left, right; brow steepness, height and quirk left, right; corner of the mouth
    up-down and in-out left, right; mouth open and wide. A corner that goes up counts as negative.
    """
    of = expression.__getitem__
    eyes, brows, corners = [], [], []
    for side in ("Left", "Right"):
        eyes.append(of(f"eyeWide{side}") - of(f"eyeBlink{side}"))
        up, down = of(f"browOuterUp{side}"), of(f"browDown{side}")
        inner = of("browInnerUp")
        brows += [up - inner, (up + inner) / 2 - down, max(up, inner) - down]
        smile, frown = of(f"mouthSmile{side}"), of(f"mouthFrown{side}")
        corners += [frown - smile, max(smile, of(f"mouthStretch{side}")) - of("mouthPucker")]
    wide = (corners[1] + corners[3]) / 2
    return *eyes, *brows, *corners, of("jawOpen"), wide
