"""Mirror faces and templates."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.crop import Crop
from facewarp.face.face import Face, Later
from facewarp.face.parts import MIRROR_LANDMARKS, MIRROR_PARTS, mirrored_points
from facewarp.face.template.template import Template


def mirrored_face(face: Face, frame_width: int) -> Face:
    """Mirror a face: as in the mirrored frame, registered to the mirrored template.

    Args:
        face: of the frame.
        frame_width: px.

    Returns:
        The same face with everything in px of the mirrored frame; parts and landmarks that swap
        sides have swapped their names too.
    """
    right = frame_width - 1
    x0, y0, x1, y1 = face.box
    crop = face.crop
    flip = np.diag([-1.0, 1.0, 1.0])
    flip[0, 2] = crop.shape[1] - 1
    linear = crop.matrix @ flip
    linear[0] = np.array([0.0, 0.0, right]) - linear[0]
    return face.changed(
        box=(right - x1, y0, right - x0, y1),
        landmarks=mirrored_points(face.landmarks, frame_width),
        crop=Crop(linear, crop.shape),
        grid_field=Later(lambda: _mirrored_field(face.grid_field)),
        grid_field_from_template=_mirrored_field(face.grid_field_from_template),
        probabilities=np.ascontiguousarray(face.probabilities[MIRROR_PARTS, :, ::-1]),
        details=None,
        gray=None if face.gray is None else np.ascontiguousarray(face.gray[:, ::-1]),
        matte=None if face.matte is None else np.ascontiguousarray(face.matte[:, ::-1]),
    )


def mirrored_template(template: Template) -> Template:
    """Mirror a template; its parts and landmarks swap sides."""
    width = template.image.shape[1]
    points = template.mesh_points * (-1, 1) + (width - 1, 0)
    order = np.arange(len(points))
    order[: len(MIRROR_LANDMARKS)] = MIRROR_LANDMARKS  # its own inverse
    return replace(
        template,
        image=np.ascontiguousarray(template.image[:, ::-1]),
        color=np.ascontiguousarray(template.color[:, ::-1]),
        probabilities=np.ascontiguousarray(template.probabilities[MIRROR_PARTS, :, ::-1]),
        landmarks=mirrored_points(template.landmarks, width),
        mesh_points=points[order],
        triangles=np.ascontiguousarray(order.astype(np.int32)[template.triangles][:, ::-1]),
        texture_field=None
        if template.texture_field is None
        else _mirrored_field(template.texture_field),
    )


def _mirrored_field(field: NDArray[np.float32]) -> NDArray[np.float32]:
    x, y = (cv2.flip(np.ascontiguousarray(channel), 1) for channel in field)
    return np.stack([-x, y])
