"""Build a template from photographs: one face, or the average of several."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from facewarp.core.geometry import resize_field
from facewarp.core.model import template_guidance
from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import compose_fields, sample_field
from facewarp.face.template.template import Template
from facewarp.face.template_building.from_photo import OwnFace, find_face
from facewarp.face.template_building.groupwise import Member, average_face
from facewarp.face.tracking.registration import FaceRegistrar

_BATCH = 4


@dataclass(frozen=True, eq=False)
class Built:
    """A built template with its statistics.

    Attributes:
        template: the template.
        used: names of the photographs that it is made of.
        left_out: names of those with no face that is seen well enough, and why.
        drift_px: how far the shape was from the mean shape when each round began; empty for one
            photograph.
    """

    template: Template
    used: list[str]
    left_out: dict[str, str]
    drift_px: list[float]


def build_template(
    name: str,
    photographs: Sequence[tuple[str, NDArray[np.generic]]],
    fitter: FaceRegistrar,
    *,
    symmetric: bool = False,
    rounds: int = 6,
    settle_px: float = 0.02,
    advance: Callable[[], None] = lambda: None,
) -> Built:
    """Build a template of the largest face of each photograph.

    Labels are the parts that the model sees. The mesh is that of the template the faces were
    registered with, carried over, so that all templates have one topology. Several faces are
    averaged by groupwise registration, from the mean of their own labels on, until a round brings
    the shape no nearer to the mean shape.

    Args:
        name: what the template is called.
        photographs: names, and pictures H x W [x 1, 3 or 4], RGB where they have colour.
        fitter: the model, and the template whose landmarks the faces get.
        symmetric: average mirror images too.
        rounds: of registration at most.
        settle_px: a round that brings the drift down by less is the last one.
        advance: called after each photograph.

    Raises:
        FacewarpError: there is no face in any of them.
    """
    faces: list[Template] = []
    used: list[str] = []
    left_out: dict[str, str] = {}
    for label, picture in photographs:
        try:
            own = OwnFace.taken(name, picture, find_face(picture), fitter)
        except FacewarpError as error:
            left_out[label] = error.what
        else:
            faces.append(own.template)
            used.append(label)
        advance()
    if not faces:
        what = "; ".join(f"{label}: {why}" for label, why in left_out.items()) or "none was given"
        raise FacewarpError(
            f"no photograph makes a template ({what})",
            fix="Give photographs of a face from the front, in even light.",
        )
    if len(faces) == 1 and not symmetric:
        return Built(faces[0], used, left_out, [])
    members = [Member(f.image, f.color, f.labels, f.landmarks) for f in faces]
    start = np.mean([f.probabilities for f in faces], axis=0)
    start = np.stack([cv2.GaussianBlur(part, (0, 0), 1.0) for part in start]).astype(np.float32)
    with torch.inference_mode():
        average = average_face(
            fitter.model, members, start, rounds, _BATCH, mirror=symmetric, settle_px=settle_px
        )
        field, back = _between(fitter, average.probabilities)
    template = Template.of_parts(
        name,
        average.color,
        average.image,
        average.probabilities,
        average.landmarks,
        {
            "method": "groupwise registration of photographs",
            "photographs": len(faces),
            "symmetric": symmetric,
            "drift_px": [round(drift, 4) for drift in average.drift_px],
            "registered_with": fitter.template.name,
            "weights_sha256": fitter.model.sha256,
        },
    )
    template = replace(
        template,
        texture_field=compose_fields(fitter.template.texture_field, field),
        mesh_points=_carried_mesh(fitter.template, back, template.landmarks),
        triangles=fitter.template.triangles,
    )
    return Built(template, used, left_out, average.drift_px)


def _between(
    fitter: FaceRegistrar, probabilities: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the fields (2, 320, 260) from labels to the fitter's template, and the other way."""
    own, theirs = (
        torch.from_numpy(template_guidance(fitter.model, labels))
        for labels in (probabilities, fitter.template.probabilities)
    )
    there, back = (
        resize_field(fitter.model.fields(*pair), CROP_SHAPE)[0].numpy()
        for pair in ((own, theirs), (theirs, own))
    )
    return there, back


def _carried_mesh(
    template: Template, field: NDArray[np.float32], landmarks: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Carry a template's mesh to another one, whose landmarks are known more exactly.

    Args:
        template: whose mesh it is.
        field: (2, 320, 260) px, fixed = the template, moving = the other.
        landmarks: (68, 2) px of the other.

    Returns:
        (M, 2) px, the landmarks first; the other points go along with those near them.
    """
    from scipy.interpolate import RBFInterpolator

    points = template.mesh_points + sample_field(field, template.mesh_points)
    count = len(landmarks)
    off = RBFInterpolator(points[:count], landmarks - points[:count], smoothing=1.0)
    points[count:] += off(points[count:])
    points[:count] = landmarks
    return np.asarray(points, np.float64)
