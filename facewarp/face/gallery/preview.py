"""Previews: render several effects on the same face, side by side."""

import math
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE, Crop
from facewarp.face.effects.factory import Effect, make_effect
from facewarp.face.face import Face
from facewarp.face.image_formats import to_rgb
from facewarp.face.template.template import Template
from facewarp.face.template_building.from_photo import find_face
from facewarp.face.tracking.tracker import FaceTracker

_MARGIN = 1.05  # how much more than a face's crop is shown


def worn(
    picture: NDArray[np.generic],
    tracker: FaceTracker,
    textures: Sequence[str],
    height_px: int = 400,
) -> dict[str, NDArray[np.uint8]]:
    """Render textures on the largest face of an image.

    Args:
        picture: H x W [x 1, 3 or 4], RGB where it has colour.
        tracker: what registers it.
        textures: names or files.
        height_px: of each picture.

    Returns:
        By each texture's name (height_px, w, 3) uint8 RGB of the face and what is around it.

    Raises:
        FacewarpError: there is no face, or it is seen too badly, or no such texture.
    """
    effects = {name: make_effect("texture", texture=name, annotate=False) for name in textures}
    frame, face = largest_face(picture, tracker, height_px)
    return drawn(frame, face, tracker.template, effects, height_px)


def largest_face(
    picture: NDArray[np.generic], tracker: FaceTracker, height_px: int = 0
) -> tuple[NDArray[np.uint8], Face]:
    """Return a picture as RGB, and its largest face, registered.

    Args:
        picture: H x W [x 1, 3 or 4], RGB where it has colour.
        tracker: what registers it.
        height_px: the picture is enlarged until the face's crop has so many px, so that what is
            drawn on a small face is fine.

    Raises:
        FacewarpError: there is none, or it is seen too badly.
    """
    face = tracker.register(picture, find_face(picture))
    face = tracker.register(picture, Crop.around_points(face.landmarks, margin=2.0))
    if face.confidence < tracker.config.unsure:
        raise FacewarpError(
            f"the face is not seen well enough: {face.confidence:.0%}",
            fix="Take a picture of a face from the front, in even light.",
        )
    frame = to_rgb(picture)
    enlarge = math.ceil(height_px / (face.crop.scale * CROP_SHAPE[0]))
    if enlarge > 1:
        frame = np.asarray(
            cv2.resize(frame, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_CUBIC), np.uint8
        )
        crop = Crop.around_points((face.landmarks + 0.5) * enlarge - 0.5, margin=2.0)
        face = tracker.register(frame, crop)
    return frame, face


def drawn(
    frame: NDArray[np.uint8],
    face: Face,
    template: Template,
    effects: Mapping[str, Effect],
    height_px: int,
) -> dict[str, NDArray[np.uint8]]:
    """Effects on one face, each cut to the face: (height_px, w, 3) uint8 RGB by name."""
    shape = height_px, round(height_px * CROP_SHAPE[1] / CROP_SHAPE[0])
    view = Crop.around_points(face.landmarks, margin=2.0 * _MARGIN, shape=shape)
    return {
        name: np.asarray(view.extract(effect(frame, [face], template)), np.uint8)
        for name, effect in effects.items()
    }
