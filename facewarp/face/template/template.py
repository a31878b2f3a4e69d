"""The template that faces are registered to: image, part labels, landmarks and mesh."""

import io
import json
import zlib
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.crop_fields import compose_fields, resampled
from facewarp.face.face import template_to_frame
from facewarp.face.image_formats import to_gray, to_rgb
from facewarp.face.parts import LANDMARK_COUNT, FacePart
from facewarp.face.template.library import find_template
from facewarp.face.template.mesh import _is_mesh, face_mesh
from facewarp.system.atomic_files import written

if TYPE_CHECKING:
    from facewarp.face.face import Face

_SHAPES = {
    "image": CROP_SHAPE,
    "colour": (*CROP_SHAPE, 3),
    "probabilities": (len(FacePart), *CROP_SHAPE),
    "landmarks": (LANDMARK_COUNT, 2),
}
_MESH = ("mesh_points", "triangles")  # what files written before these were saved lack
# What numpy raises for files that are no archive of arrays, are cut short, or hold other things.
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error)


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
            with np.load(path, allow_pickle=False) as data:
                about = json.loads(str(data["about"]))
                name, origin = str(about["name"]), dict(about["origin"])
                arrays = {key: np.asarray(data[key]) for key in _SHAPES}
                mesh = [np.asarray(data[key]) for key in _MESH if key in data]
                worn = np.asarray(data["texture_field"]) if "texture_field" in data else None
        except _DAMAGE as error:
            raise FacewarpError(
                "the file is not a facewarp template", path, "Build one anew."
            ) from error
        for key, shape in _SHAPES.items():
            if arrays[key].shape != shape or not np.isfinite(arrays[key]).all():
                raise FacewarpError(f"the template's {key} are not those of a template", path)
        points, triangles = mesh if len(mesh) == len(_MESH) else face_mesh(arrays["landmarks"])
        if not _is_mesh(points, triangles):
            raise FacewarpError("the template's mesh is none", path)
        if worn is not None:
            worn = worn.astype(np.float32)
            if worn.shape != (2, *CROP_SHAPE) or not np.isfinite(worn).all():
                raise FacewarpError("the template's texture field is none", path)
        soft = arrays["probabilities"].astype(np.float32)
        soft /= soft.sum(0, keepdims=True).clip(1e-6)
        gray, color, landmarks = (arrays[key] for key in ("image", "colour", "landmarks"))
        return cls(name, gray, soft, landmarks, points, triangles, color, origin, worn)
