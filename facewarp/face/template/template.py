"""The template that faces are registered to: image, part labels, landmarks and mesh."""

import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import compose_fields, resampled
from facewarp.face.face import template_to_frame
from facewarp.face.image_formats import to_gray, to_rgb
from facewarp.face.template.archive import DAMAGE, ClaimError, read_arrays
from facewarp.face.template.library import find_template
from facewarp.face.template.mesh import _is_mesh, face_mesh
from facewarp.system.atomic_files import written

if TYPE_CHECKING:
    from facewarp.face.face import Face

_NEEDED = ("image", "colour", "probabilities", "landmarks")
_MESH = ("mesh_points", "triangles")  # what files written before these were saved lack
_NO_TEMPLATE = "the file is not a facewarp template"
_LEAST_PX = 20.0  # that a face's landmarks extend


@dataclass(frozen=True, eq=False)
class Template:
    """A template on the grid of the face crop.

    Attributes:
        name: what it is called.
        image: (320, 260) uint8 grey.
        probabilities: (8, 320, 260) float32, soft labels of the parts, sums to one.
        landmarks: (68, 2) float64 (x, y) crop px, iBUG order.
        mesh_points: (M, 2) float64 crop px: the landmarks, then points of forehead and cheeks.
        triangles: (T, 3) int32 into ``mesh_points``; eyes and mouth are left open.
        color: (320, 260, 3) uint8 RGB, for pictures of the template.
        origin: how it was made, for the record.
        texture_field: (2, 320, 260) px, fixed = this template, moving = the space in which textures
            are drawn, that of ``average``; None for a template that is in that space itself.

    Example:
        >>> template = facewarp.Template.load("average")
        >>> tracker = facewarp.FaceTracker(template)
    """

    name: str
    image: NDArray[np.uint8]
    probabilities: NDArray[np.float32]
    landmarks: NDArray[np.float64]
    mesh_points: NDArray[np.float64]
    triangles: NDArray[np.int32]
    color: NDArray[np.uint8]
    origin: dict[str, Any] = field(default_factory=dict)
    texture_field: NDArray[np.float32] | None = None

    @classmethod
    def of_parts(
        cls,
        name: str,
        color: NDArray[np.uint8],
        image: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
        landmarks: NDArray[np.float64],
        origin: dict[str, Any],
    ) -> "Template":
        """Make a template; its mesh follows from its landmarks."""
        points, triangles = face_mesh(landmarks)
        return cls(name, image, probabilities, landmarks, points, triangles, color, origin)

    @classmethod
    def from_face(
        cls, name: str, picture: NDArray[np.generic], face: "Face", registered_with: "Template"
    ) -> "Template":
        """Make a template of one face: its crop, with landmarks and mesh carried over.

        The labels are the parts that the network sees, so that the same picture is registered with
        it by no displacement at all. The mesh has the triangles of the template that the face was
        registered with, on the points that these have on the face.

        Args:
            name: what it is called.
            picture: the frame, H x W [x 1, 3 or 4], RGB where it has colour.
            face: a face in it, on the crop that becomes the template's grid.
            registered_with: the template of the face's fields and landmarks.
        """
        crop = face.crop
        soft = np.stack(
            [
                cv2.resize(part, CROP_SHAPE[::-1], interpolation=cv2.INTER_LINEAR)
                for part in np.asarray(face.probabilities, dtype=np.float32)
            ]
        )
        return cls(
            name=name,
            image=crop.extract(to_gray(picture)),
            probabilities=soft / soft.sum(0, keepdims=True).clip(1e-6),
            landmarks=crop.to_crop(face.landmarks),
            mesh_points=crop.to_crop(template_to_frame(face, registered_with.mesh_points)),
            triangles=registered_with.triangles,
            color=crop.extract(to_rgb(picture)),
            origin={
                "method": "one face",
                "registered_with": registered_with.name,
                "confidence": round(face.confidence, 4),
            },
            texture_field=compose_fields(registered_with.texture_field, face.field),
        )

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """(320, 260) part ids, the most probable of each pixel."""
        return np.asarray(self.probabilities.argmax(0), dtype=np.uint8)

    def wears(self, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Warp a texture (h, w, 4) uint8, straight alpha, into this template's own space."""
        if self.texture_field is None:
            return rgba
        return resampled(rgba, self.texture_field)

    def save(self, path: Path) -> None:
        """Write as ``.npz`` (no pickle), atomically."""
        buffer = io.BytesIO()
        further: dict[str, Any] = {}
        if self.texture_field is not None:
            further["texture_field"] = self.texture_field.astype(np.float16)
        np.savez_compressed(
            buffer,
            image=self.image,
            colour=self.color,
            probabilities=np.rint(self.probabilities * 255).astype(np.uint8),
            landmarks=self.landmarks,
            mesh_points=self.mesh_points,
            triangles=self.triangles,
            **further,
            about=np.array(json.dumps({"name": self.name, "origin": self.origin})),
        )
        with written(path) as temporary:
            temporary.write_bytes(buffer.getbuffer())

    @classmethod
    def load(cls, template: "str | Path" = "average") -> "Template":
        """Load a shipped template or one of the user's by name, or a ``.npz`` file.

        Raises:
            FacewarpError: no such name or file, or not a template.
        """
        path = find_template(template)
        try:
            told, arrays = read_arrays(path)
            about = json.loads(told)
            name, origin = str(about["name"]), dict(about["origin"])
        except ClaimError as error:
            what = f"the template's {error.name} is not as templates have it"
            raise FacewarpError(what, path, "Build one anew.") from error
        except DAMAGE as error:
            raise FacewarpError(_NO_TEMPLATE, path, "Build one anew.") from error
        if missing := [key for key in _NEEDED if key not in arrays]:
            what = f"{_NO_TEMPLATE}: it has no {', '.join(missing)}"
            raise FacewarpError(what, path, "Build one anew.")
        landmarks = arrays["landmarks"].astype(np.float64)
        if not _is_on_crop(landmarks) or np.ptp(landmarks, axis=0).min() < _LEAST_PX:
            what = "the template's landmarks are those of no face"
            raise FacewarpError(what, path, "Build one anew.")
        points, triangles = _mesh_of(arrays, landmarks, path)
        worn = arrays.get("texture_field")
        soft = arrays["probabilities"].astype(np.float32)
        soft /= soft.sum(0, keepdims=True).clip(1e-6)
        return cls(
            name,
            arrays["image"],
            soft,
            landmarks,
            points,
            triangles,
            arrays["colour"],
            origin,
            None if worn is None else worn.astype(np.float32),
        )


def _mesh_of(
    arrays: dict[str, NDArray[Any]], landmarks: NDArray[np.float64], path: Path
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """Return a file's mesh; files written before it was saved get the one of their landmarks."""
    try:
        points, triangles = (
            (arrays["mesh_points"], arrays["triangles"])
            if all(key in arrays for key in _MESH)
            else face_mesh(landmarks)
        )
    except (RuntimeError, ValueError, IndexError) as error:  # Qhull: points on one line
        what = "the template's landmarks are those of no face"
        raise FacewarpError(what, path, "Build one anew.") from error
    if not _is_mesh(points, triangles) or not _is_on_crop(points):
        raise FacewarpError("the template's mesh is none", path, "Build one anew.")
    return points, triangles


def _is_on_crop(points: NDArray[np.floating]) -> bool:
    """Return whether points (N, 2) px lie no farther beside the crop than it is long."""
    beside = max(CROP_SHAPE)
    return bool((points > -beside).all() and (points < 2 * beside).all())
