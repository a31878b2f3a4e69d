"""A clip's faces as tracks: the points of the mesh and the plane of each face, frame by frame."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.face.face import Face, template_to_frame
from facewarp.face.track_export.outlines import Outline, outlines_of

if TYPE_CHECKING:
    from facewarp.face.template.template import Template

Points = NDArray[np.float64]

_GROUPS: Final = (
    ("jaw", 0, 17), ("brow_left", 17, 22), ("brow_right", 22, 27), ("nose", 27, 36),
    ("eye_left", 36, 42), ("eye_right", 42, 48), ("mouth", 48, 68),
)  # fmt: skip
LANDMARK_NAMES: Final = tuple(
    f"{name}_{place:02d}" for name, first, last in _GROUPS for place in range(last - first)
)
"""Names of the 68 landmarks in iBUG's order; left and right are the image's."""


@dataclass
class FaceTrack:
    """One face, in the frames where it is there.

    Attributes:
        id: of the face.
        numbers: of those frames.
        times: of those frames, s from the shot's first.
        points: (M, 2) px of each frame, of the template's mesh; landmarks first.
        corners: (4, 2) px of each frame, of the face's plane: upper left and right, lower left
            and right.
        outlines: of each frame, (N, 2) px of each outline of `Shot.outlines`.
    """

    id: int
    numbers: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    points: list[Points] = field(default_factory=list)
    corners: list[Points] = field(default_factory=list)
    outlines: list[list[Points]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What nodes and objects are called."""
        return f"face{self.id}"


@dataclass
class Shot:
    """A clip's tracks.

    Attributes:
        source: the clip.
        size: (width, height) px.
        rate: frames a second.
        template: whose mesh the points are.
        pixel_aspect: width of a pixel over its height.
        first: number of the first frame; None before there is one.
        last: of the last.
        start: time of the first frame, s.
        faces: by id.
    """

    source: Path
    size: tuple[int, int]
    rate: Fraction
    template: "Template"
    pixel_aspect: float = 1.0
    first: int | None = None
    last: int | None = None
    start: float = 0.0
    faces: dict[int, FaceTrack] = field(default_factory=dict)

    def add(self, number: int, faces: Sequence[Face], time: float | None = None) -> None:
        """Add the faces of the next frame; lost ones are not there.

        Args:
            number: of the frame.
            faces: in it.
            time: when it is shown, s; None where the rate tells.
        """
        time = float(number / self.rate) if time is None else time
        if self.first is None:
            self.first, self.start = number, time
        self.last = number
        for face in faces:
            if face.state == "lost":
                continue
            points = template_to_frame(face, self.template.mesh_points)
            points[: len(face.landmarks)] = face.landmarks
            track = self.faces.setdefault(face.id, FaceTrack(face.id))
            track.numbers.append(number)
            track.times.append(time - self.start)
            track.points.append(points)
            track.corners.append(plane_corners(self.template.mesh_points, points))
            track.outlines.append(
                [template_to_frame(face, outline.points) for outline in self.outlines]
            )

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        """Those of the template's parts."""
        return outlines_of(self.template)

    @property
    def tracks(self) -> list[FaceTrack]:
        """Those of all faces, by id."""
        return [self.faces[key] for key in sorted(self.faces)]


def plane_corners(mesh: Points, points: Points) -> Points:
    """Map the corners of the mesh's bounding box by the homography nearest to its points.

    Args:
        mesh: (M, 2) template px.
        points: (M, 2) frame px.

    Returns:
        (4, 2) frame px: upper left, upper right, lower left, lower right.
    """
    (left, top), (right, bottom) = mesh.min(0), mesh.max(0)
    box = np.array([(left, top), (right, top), (left, bottom), (right, bottom)])
    matrix, _ = cv2.findHomography(mesh, points, 0)
    if matrix is None or not np.isfinite(matrix).all():
        affine = np.linalg.lstsq(np.column_stack([mesh, np.ones(len(mesh))]), points, rcond=None)
        return np.asarray(np.column_stack([box, np.ones(4)]) @ affine[0])
    moved = np.column_stack([box, np.ones(4)]) @ matrix.T
    return np.asarray(moved[:, :2] / moved[:, 2:])


def runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the spans of consecutive frames: place of the first, place after the last."""
    start = 0
    for place in range(1, len(numbers) + 1):
        if place == len(numbers) or numbers[place] != numbers[place - 1] + 1:
            yield start, place
            start = place
