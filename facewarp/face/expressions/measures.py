"""What expressions are computed from: the face's shape in the head's own axes, and its parts.

A measurement is one vector (see `NAMES`): the 68 landmarks in the head's axes, so that neither the
head's pose nor its distance is in them; the areas of the eyes' and the mouth's contours, which the
field carries from the template to the frame; and area, width and height of each part as the network
itself sees it, which is not held back by the field's smoothness.
"""

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.expressions.pose import Camera, HeadPose, landmark_positions, to_head
from facewarp.face.face import template_to_frame
from facewarp.face.parts import LANDMARK_COUNT, MIRROR_LANDMARKS, MIRROR_PARTS, FacePart
from facewarp.face.template.contours import part_contours

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

_CARRIED: Final = (FacePart.EYE_LEFT, FacePart.EYE_RIGHT, FacePart.MOUTH)
_SEEN: Final = (
    FacePart.BROW_LEFT,
    FacePart.BROW_RIGHT,
    FacePart.EYE_LEFT,
    FacePart.EYE_RIGHT,
    FacePart.MOUTH,
)
_OUTER_EYES: Final = (36, 45)  # iBUG: their distance is the unit of the parts
_SHARE: Final = ("area", "width", "height")

NAMES: Final[tuple[str, ...]] = (
    *(f"{axis}{point}" for point in range(LANDMARK_COUNT) for axis in "xy"),
    *(f"contour_{part.name.lower()}" for part in _CARRIED),
    *(f"{share}_{part.name.lower()}" for part in _SEEN for share in _SHARE),
)
"""What the numbers of a measurement are: cm; the rest in units of the outer eye distance."""


class FaceMeasure:
    """Measures faces that were registered with a template.

    Args:
        template: what faces were registered with.
    """

    def __init__(self, template: "Template") -> None:
        self._contours = [
            max(part_contours(template.probabilities, part), key=len, default=_nothing())
            for part in _CARRIED
        ]

    def __call__(self, face: "Face", pose: HeadPose, camera: Camera) -> NDArray[np.float64]:
        """Return a face's measurement, (len(NAMES),)."""
        head = to_head(face.landmarks, landmark_positions(), pose, camera)[:, :2]
        scale = face.crop.scale
        unit = float(np.linalg.norm(np.subtract(*face.landmarks[list(_OUTER_EYES)]))) / scale
        unit = max(unit, 1.0)
        carried = [
            area(template_to_frame(face, contour)) / scale**2 / unit**2
            for contour in self._contours
        ]
        seen = [number for part in _SEEN for number in _extent(face, part, unit)]
        return np.array([*head.ravel(), *carried, *seen])


def area(polygon: NDArray[np.floating]) -> float:
    """Return the area of a closed polygon (N, 2), by the shoelace formula."""
    x, y = polygon.T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


def mirrored(measurements: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return measurements (..., len(NAMES)) of the mirrored faces."""
    result = np.empty_like(measurements)
    points = measurements[..., : 2 * LANDMARK_COUNT].reshape(*measurements.shape[:-1], -1, 2)
    flipped = points[..., MIRROR_LANDMARKS, :] * (-1, 1)
    result[..., : 2 * LANDMARK_COUNT] = flipped.reshape(*measurements.shape[:-1], -1)
    for index, name in enumerate(NAMES[2 * LANDMARK_COUNT :], start=2 * LANDMARK_COUNT):
        share, _, part = name.partition("_")
        other = FacePart(MIRROR_PARTS[FacePart[part.upper()]]).name.lower()
        result[..., index] = measurements[..., NAMES.index(f"{share}_{other}")]
    return result


def _extent(face: "Face", part: FacePart, unit: float) -> tuple[float, float, float]:
    """Return a part's area, and the standard deviations of its width and height, in units."""
    soft = np.asarray(face.probabilities[part], np.float64)
    height, width = soft.shape
    cell_x, cell_y = face.crop.shape[1] / width / unit, face.crop.shape[0] / height / unit
    columns, rows = soft.sum(0), soft.sum(1)
    total = max(float(columns.sum()), 1e-6)
    return total * cell_x * cell_y, _spread(columns, total) * cell_x, _spread(rows, total) * cell_y


def _spread(weights: NDArray[np.float64], total: float) -> float:
    at = np.arange(len(weights))
    mean = float(weights @ at) / total
    return float(np.sqrt(max(weights @ np.square(at - mean) / total, 0.0)))


def _nothing() -> NDArray[np.float64]:
    return np.zeros((3, 2))
