"""Head pose: where a tracked face's head is before the camera, and how it is turned.

Axes of the head: x to the subject's left, y up, z out of the face; origin at the middle of the head
as MediaPipe's canonical face has it. Axes of the camera: x to the image's right, y up, z towards
the viewer, so that a head that faces the camera upright has the identity as its rotation. Lengths
are cm of a mean head: a head larger than that is found as far nearer.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.face import template_to_frame
from facewarp.face.parts import MIRROR_LANDMARKS
from facewarp.face.template.head_mesh import HeadMesh, from_average
from facewarp.face.template.template import Template

if TYPE_CHECKING:
    from facewarp.face.face import Face

FIELD_OF_VIEW_DEG: Final = 60.0
"""Angle of view along the longer side of an image, where none is given: that of many webcams."""

_OPENCV: Final = np.diag([1.0, -1.0, -1.0])  # camera axes to OpenCV's: y down, z into the scene
_LANDMARKS: Final = (8, 27, 28, 29, 30, 31, 33, 35, 36, 39, 42, 45, 48, 51, 54)
# The cheekbones: of all skin it moves least with expressions, and it says most about turning.
_CHEEK_X, _CHEEK_Y, _CHEEK_Z = (2.5, 6.6), (-2.5, 0.5), 0.5  # cm: two ranges, and from where on


@dataclass(frozen=True, eq=False)
class HeadPose:
    """Rotation and place of a head.

    Attributes:
        rotation: (3, 3) from the head's axes to the camera's.
        translation_cm: (3,) the head's origin in the camera's axes; z is negative before it.
        error_px: root mean square distance of the fitted points, frame px.
    """

    rotation: NDArray[np.float64]
    translation_cm: NDArray[np.float64]
    error_px: float

    @property
    def angles_deg(self) -> tuple[float, float, float]:
        """Pitch, yaw, roll of ``Ry(yaw) Rx(pitch) Rz(roll)``, right-handed about the head's axes.

        Positive: looking down, turned to the subject's left, left side of the head raised.
        """
        m = self.rotation
        pitch = math.asin(float(np.clip(-m[1, 2], -1, 1)))
        yaw = math.atan2(m[0, 2], m[2, 2])
        roll = math.atan2(m[1, 0], m[1, 1])
        return math.degrees(pitch), math.degrees(yaw), math.degrees(roll)


@dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera without distortion, its principal point in the image's middle.

    Attributes:
        size: (width, height) px.
        field_of_view_deg: along the longer side.
    """

    size: tuple[int, int]
    field_of_view_deg: float = FIELD_OF_VIEW_DEG

    @property
    def focal_px(self) -> float:
        """Focal length."""
        return 0.5 * max(self.size) / math.tan(math.radians(self.field_of_view_deg) / 2)

    @property
    def matrix(self) -> NDArray[np.float64]:
        """(3, 3) intrinsics as OpenCV has them."""
        width, height = self.size
        f = self.focal_px
        return np.array([[f, 0, (width - 1) / 2], [0, f, (height - 1) / 2], [0, 0, 1.0]])


class PoseSolver:
    """Finds the pose of heads that were registered with a template (perspective-n-point).

    Args:
        template: what faces were registered with.
    """

    def __init__(self, template: Template) -> None:
        mesh = HeadMesh.load()
        x, y, z = np.abs(mesh.xyz[:, 0]), mesh.xyz[:, 1], mesh.xyz[:, 2]
        cheek = (x > _CHEEK_X[0]) & (x < _CHEEK_X[1]) & (y > _CHEEK_Y[0]) & (y < _CHEEK_Y[1])
        cheek &= z > _CHEEK_Z
        self.landmarks_cm = landmark_positions()
        self._cheek_px = from_average(template, mesh.points[cheek])
        self._points_cm = np.concatenate([self.landmarks_cm[list(_LANDMARKS)], mesh.xyz[cheek]])

    def solve(self, face: "Face", camera: Camera) -> HeadPose | None:
        """Return a face's pose; None where its points allow none (as on a line)."""
        seen = np.concatenate(
            [face.landmarks[list(_LANDMARKS)], template_to_frame(face, self._cheek_px)]
        )
        if not np.isfinite(seen).all():
            return None
        try:
            found, turn, shift = cv2.solvePnP(
                self._points_cm, seen, camera.matrix, None, flags=cv2.SOLVEPNP_SQPNP
            )
        except cv2.error:
            return None
        rotation, _ = cv2.Rodrigues(turn)
        if not found or not np.isfinite(rotation).all() or shift[2, 0] <= 0:
            return None
        projected, _ = cv2.projectPoints(self._points_cm, turn, shift, camera.matrix, None)
        error = float(np.sqrt(np.square(projected[:, 0] - seen).sum(-1).mean()))
        return HeadPose(_OPENCV @ rotation, _OPENCV @ shift[:, 0], error)


@cache
def landmark_positions() -> NDArray[np.float64]:
    """Return where the 68 landmarks lie on the mean head, (68, 3) cm; mirror-symmetric."""
    found = HeadMesh.load().positions(Template.load("average").landmarks)
    return np.asarray((found + found[MIRROR_LANDMARKS] * (-1, 1, 1)) / 2)


def to_head(
    points: NDArray[np.floating],
    model_cm: NDArray[np.floating],
    pose: HeadPose,
    camera: Camera,
) -> NDArray[np.float64]:
    """Take points of a frame back to the head's axes, at the depth that the mean head has there.

    Args:
        points: (N, 2) frame px.
        model_cm: (N, 3) where they lie on the mean head.
        pose: of the head.
        camera: of the frame.

    Returns:
        (N, 3) cm in the head's axes; their distance from the camera is the mean head's.
    """
    rotation = _OPENCV @ pose.rotation
    shift = _OPENCV @ pose.translation_cm
    depth = (np.asarray(model_cm) @ rotation.T + shift)[:, 2:]
    width, height = camera.size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    rays = np.column_stack([(points - middle) / camera.focal_px, np.ones(len(points))])
    return np.asarray((rays * depth - shift) @ rotation)
