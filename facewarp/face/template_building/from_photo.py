"""Make a template of one face, from a frame or an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.crop import Crop
from facewarp.face.detector import FaceDetector
from facewarp.face.image_formats import to_gray
from facewarp.face.template.template import Template
from facewarp.face.tracking.registration import FaceRegistrar, crop_around

_LEAST_SIDE_PX = 48  # of a face: what is smaller has no parts to see
_ROUNDS = 2  # in which the crop settles on the landmarks found in it


@dataclass(frozen=True, eq=False)
class OwnFace:
    """A template made of one face, and its source.

    Attributes:
        template: the face itself.
        field: (2, 320, 260) px of its grid; fixed = the face, moving = the template that it was
            registered with: what the face shows at p that template has at ``p + field(p)``.
        confidence: of that registration, 0..1.
    """

    template: Template
    field: NDArray[np.float32]
    confidence: float

    @classmethod
    def taken(
        cls, name: str, picture: NDArray[np.generic], near: Crop, fitter: FaceRegistrar
    ) -> "OwnFace":
        """Return the face that a crop shows, on the crop that its own landmarks ask for.

        Args:
            name: what the template is called.
            picture: H x W [x 1, 3 or 4], RGB where it has colour.
            near: where the face is, roughly.
            fitter: of the template whose landmarks and mesh the face gets.

        Raises:
            FacewarpError: there is no face, or it is too small or seen too badly.
        """
        gray = to_gray(picture)
        face = fitter.register_refined(gray, [near])[0]
        for _ in range(_ROUNDS):
            face = fitter.register(gray, [crop_around(face.landmarks)])[0]
        if face.confidence < fitter.sure:
            raise FacewarpError(
                f"the face is not seen well enough to be a template: {face.confidence:.0%}",
                fix="Show it from the front, in even light, with nothing before it.",
            )
        side = np.ptp(face.landmarks, axis=0).max()
        if side < _LEAST_SIDE_PX:
            raise FacewarpError(
                f"the face is too small to be a template: {side:.0f} px",
                fix=f"Show it larger, {4 * _LEAST_SIDE_PX} px or more.",
            )
        template = Template.from_face(name, picture, face, fitter.template)
        return cls(template, face.field, face.confidence)


def find_face(picture: NDArray[np.generic]) -> Crop:
    """Return the crop of the largest face of an image.

    Raises:
        FacewarpError: no face is found.
    """
    with FaceDetector() as detector:
        found = detector.detect(picture, thorough=True)
    if not found:
        raise FacewarpError(
            "no face is found in the picture", fix="Take one of a face from the front."
        )
    largest = max(found, key=lambda detection: detection.side)
    center, side = largest.square()
    return Crop.around(center, side, roll=largest.roll)
