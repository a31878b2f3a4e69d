"""Outlines of the parts of a template as closed splines: the same points in every frame."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.parts import FacePart
from facewarp.face.template.contours import part_contours

if TYPE_CHECKING:
    from facewarp.face.template.template import Template

Points = NDArray[np.float64]

_SPACING_PX: Final = 6.0  # template px between points, where the outline is long enough
_FEWEST: Final = 12


@dataclass(frozen=True, eq=False)
class Outline:
    """A closed spline around a part.

    Attributes:
        name: the part's, such as `eye_left`; left and right are the image's.
        points: (N, 2) template px that it passes through.
    """

    name: str
    points: Points


def outlines_of(template: "Template") -> tuple[Outline, ...]:
    """Return an outline around each part; that of `face` goes around all of them."""
    found = []
    for part in FacePart:
        if part == FacePart.BACKGROUND:
            continue
        contours = part_contours(np.asarray(template.probabilities, np.float32), part)
        if contours:
            longest = max(contours, key=_length)
            found.append(Outline(part.name.lower(), _spaced(longest)))
    return tuple(found)


def handles(points: Points) -> Points:
    """Return how far each point's outgoing Bezier handle is from it, (..., N, 2).

    The spline is Catmull-Rom's: the incoming handle is as far on the other side.
    """
    return np.asarray((np.roll(points, -1, -2) - np.roll(points, 1, -2)) / 6)


def _length(contour: Points) -> float:
    return float(np.linalg.norm(np.roll(contour, -1, 0) - contour, axis=1).sum())


def _spaced(contour: Points) -> Points:
    """Return points of a contour at even distances."""
    count = max(_FEWEST, round(_length(contour) / _SPACING_PX))
    closed = np.vstack([contour, contour[:1]])
    along = np.concatenate([[0], np.linalg.norm(np.diff(closed, axis=0), axis=1).cumsum()])
    at = np.arange(count) * along[-1] / count
    return np.stack([np.interp(at, along, axis) for axis in closed.T], -1)
