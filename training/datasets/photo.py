"""An annotated photograph of a face, and the square that bounds the face."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.parts import FacePart
from facewarp.training.datasets.landmark_masks import part_masks

#: Faces larger than this are shrunk on loading: a crop shows them at 140 to 190 px.
MAX_SIDE_PX = 240.0

_EYES = (FacePart.EYE_LEFT, FacePart.EYE_RIGHT)
_BROWS = (FacePart.BROW_LEFT, FacePart.BROW_RIGHT)
_NOSE = (FacePart.NOSE,)
_MOUTH = (FacePart.MOUTH,)


@dataclass(frozen=True)
class FacePhoto:
    """A gray photograph with its face parts, from 68 points or from manual masks.

    Attributes:
        name: file name without suffix.
        path: the photograph's file.
        image: (H, W) uint8 grey.
        masks: (H, W) uint8 `FacePart` ids, manual, or None where the parts come from points.
        landmarks: (68, 2) float64 (x, y) px of `image`, iBUG order, or None.
        box_center: (x, y) px of the centre of the square that bounds the 68 points.
        box_side: side of that square, px; for masks an estimate of it.
    """

    name: str
    path: Path
    image: NDArray[np.uint8]
    masks: NDArray[np.uint8] | None
    landmarks: NDArray[np.float64] | None
    box_center: tuple[float, float]
    box_side: float

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(H, W) uint8 `FacePart` ids: the masks, or rasterized from the landmarks."""
        if self.masks is not None:
            return self.masks
        assert self.landmarks is not None
        return part_masks(self.landmarks, self.image.shape)

    def color(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB photograph on the grid of `image`, read from its file each time."""
        color = cv2.cvtColor(_decode(self.path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        height, width = self.image.shape
        if color.shape[:2] != (height, width):
            color = cv2.resize(color, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(color, dtype=np.uint8)

    def limited(self, max_side: float = MAX_SIDE_PX) -> "FacePhoto":
        """Return the photograph, downscaled if its face is larger than `max_side` px."""
        if self.box_side <= max_side:
            return self
        height, width = self.image.shape
        size = (
            max(1, round(width * max_side / self.box_side)),
            max(1, round(height * max_side / self.box_side)),
        )
        scale = np.array([size[0] / width, size[1] / height])
        masks = self.masks
        if masks is not None:
            masks = cv2.resize(masks, size, interpolation=cv2.INTER_NEAREST_EXACT)
        center = (np.array(self.box_center) + 0.5) * scale - 0.5
        return replace(
            self,
            image=cv2.resize(self.image, size, interpolation=cv2.INTER_AREA),
            masks=masks,
            landmarks=None if self.landmarks is None else (self.landmarks + 0.5) * scale - 0.5,
            box_center=(float(center[0]), float(center[1])),
            box_side=self.box_side * float(scale.mean()),
        )


def read_gray(path: Path) -> NDArray[np.uint8]:
    """Read a photograph as (H, W) uint8 gray, its pixels as stored (no EXIF rotation)."""
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def _decode(path: Path, mode: int) -> NDArray[np.uint8]:
    try:
        data = np.fromfile(path, dtype=np.uint8)  # imread can't open every Windows path
    except OSError as error:
        raise FacewarpError("the image can't be read", path, str(error)) from error
    image = None
    if data.size:
        image = cv2.imdecode(data, mode | cv2.IMREAD_IGNORE_ORIENTATION)
    if image is None:
        raise FacewarpError("this is not an image", path, "Remove it or copy it again.")
    return np.asarray(image, dtype=np.uint8)


def box_of_points(points: NDArray[np.float64]) -> tuple[tuple[float, float], float]:
    """Return center (x, y) and side, px, of the square that bounds (N, 2) points."""
    low, high = points.min(axis=0), points.max(axis=0)
    center = (low + high) / 2
    return (float(center[0]), float(center[1])), float((high - low).max())


def box_of_masks(labels: NDArray[np.uint8]) -> tuple[tuple[float, float], float] | None:
    """Estimate from part masks the square that would bound the 68 points.

    The points reach from the brows to the chin and from jaw to jaw, a skin mask up to the hair. So
    the top is that of the brows (estimated from eyes or nose where hair or sunglasses hide them),
    and the width is the skin's between eyes and mouth.

    Args:
        labels: (H, W) uint8 `FacePart` ids.

    Returns:
        Centre (x, y) and side, px; None where there is no face.
    """
    rows, columns = np.nonzero(labels)
    if rows.size == 0:
        return None
    bottom = float(rows.max())
    eyes, brows, nose, mouth = (
        np.nonzero(np.isin(labels, parts))[0] for parts in (_EYES, _BROWS, _NOSE, _MOUTH)
    )
    if eyes.size:
        eye_row = float(eyes.mean())
    elif nose.size:  # it begins at the eyes
        eye_row = float(nose.min())
    else:
        eye_row = float(rows.min() + 0.3 * (bottom - rows.min()))
    top = float(brows.min()) if brows.size else eye_row - 0.25 * (bottom - eye_row)
    low = float(mouth.mean()) if mouth.size else (top + 2 * bottom) / 3
    between = (rows >= eye_row) & (rows <= low)
    across = columns[between] if between.any() else columns
    left, right = float(across.min()), float(across.max())
    return ((left + right) / 2, (top + bottom) / 2), max(right - left, bottom - top)


def assign_sides(
    first: NDArray[np.bool_], second: NDArray[np.bool_], axis_x: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Decide which of a pair of part masks is on the left of the image.

    Args:
        first: (H, W) mask of one eye or brow, maybe empty.
        second: (H, W) mask of the other.
        axis_x: column of the middle of the face, for the case that one mask is empty.

    Returns:
        The masks of the left and of the right one. A single mask is split at the axis by its
        connected components, since some images give one id to both.
    """
    if first.any() and second.any():
        if np.nonzero(first)[1].mean() <= np.nonzero(second)[1].mean():
            return first, second
        return second, first
    _, pieces, _, centers = cv2.connectedComponentsWithStats((first | second).astype(np.uint8))
    on_left = centers[:, 0] < axis_x
    is_part = pieces > 0
    return is_part & on_left[pieces], is_part & ~on_left[pieces]


def face_axis_x(nose: NDArray[np.bool_], face: NDArray[np.bool_]) -> float:
    """Return the column of the face's middle: the nose's, else the face's, else the image's."""
    for mask in (nose, face):
        if mask.any():
            return float(np.nonzero(mask)[1].mean())
    return (float(nose.shape[1]) - 1) / 2
