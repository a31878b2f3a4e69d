"""Register the faces of two images with one another."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewarp.core.arrays import ImageArray
from facewarp.core.registration import Registration
from facewarp.errors import FacewarpError
from facewarp.face.crop import Crop
from facewarp.face.face import Face
from facewarp.face.image_formats import to_rgb
from facewarp.face.tracking.tracker import FaceTracker


@dataclass(frozen=True, eq=False)
class FacePair:
    """A moving face registered to a fixed one, both on the grid of the face crop.

    Attributes:
        fixed, moving: (320, 260, 3) uint8 RGB, the crops.
        fixed_crop, moving_crop: where they lie in their pictures.
        registration: from the fixed crop into the moving one, px of the crop.
    """

    fixed: ImageArray
    moving: ImageArray
    fixed_crop: Crop
    moving_crop: Crop
    registration: Registration

    @property
    def warped(self) -> ImageArray:
        """(320, 260, 3) uint8 RGB: the moving face carried onto the fixed one."""
        return np.asarray(self.registration.warp(self.moving), dtype=np.uint8)


def register_faces(
    tracker: FaceTracker,
    fixed: NDArray[np.generic],
    moving: NDArray[np.generic],
    names: tuple[str, str] = ("fixed", "moving"),
) -> FacePair:
    """Find the most confident face of each of two images and register one to the other.

    Args:
        tracker: finds the faces; its model registers them. It is reset.
        fixed: H x W [x 1, 3 or 4] picture.
        moving: likewise; its size may differ.
        names: what to call the pictures in errors.

    Raises:
        FacewarpError: no face in a picture.
    """
    crops = [
        _best(tracker, picture, name).crop
        for picture, name in zip((fixed, moving), names, strict=True)
    ]
    cut = [
        np.asarray(crop.extract(to_rgb(picture)), dtype=np.uint8)
        for crop, picture in zip(crops, (fixed, moving), strict=True)
    ]
    return FacePair(cut[0], cut[1], crops[0], crops[1], tracker.model.register(cut[0], cut[1]))


def _best(tracker: FaceTracker, picture: NDArray[np.generic], name: str) -> Face:
    tracker.reset()
    faces = tracker(picture)
    if not faces:
        raise FacewarpError(
            "no face was found in the picture", name, "Give a picture of a face, upright and sharp."
        )
    return max(faces, key=lambda face: face.confidence)
