"""Confidence of a registration: its expected Dice with the true parts."""

import json
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from facewarp.core.model import Model
from facewarp.errors import FacewarpError
from facewarp.face.crop_fields import grid_points, sample_maps

Masks = NDArray[np.bool_]

KEY: Final = "confidence"
"""What the curve is called among the things that a weights file says of itself."""


def hard_parts(soft: NDArray[np.float32]) -> Masks:
    """Where each part but the background is the likeliest: (7, h, w) of (8, h, w).

    So the sharpness of soft labels does not matter.
    """
    # Comparing with the maximum is ten times as fast as argmax.
    return np.asarray(soft[1:] == soft.max(0))


def hard_dice(ours: Masks, theirs: Masks) -> float:
    """Mean Dice over parts (7, h, w), without those that both lack."""
    counts = [[np.count_nonzero(mask) for mask in masks] for masks in (ours, theirs, ours & theirs)]
    dice = [2 * c / (a + b) for a, b, c in zip(*counts, strict=True) if a + b]
    return sum(dice) / max(len(dice), 1)


def carried_dice(parts: NDArray[np.float32], field: NDArray[np.float32], template: Masks) -> float:
    """Part Dice of a crop's parts, carried to the template; beyond the crop is background.

    Args:
        parts: soft labels of the crop (8, h, w).
        field: (2, h, w) px of that grid, from the template to the crop.
        template: the template's `hard_parts`.
    """
    height, width = field.shape[1:]
    x, y = grid_points(height, width) + field
    carried = sample_maps(parts, x, y)
    within = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    return hard_dice(hard_parts(carried) & within, template)


@dataclass(frozen=True)
class Calibration:
    """Calibration curve from part Dice to the expected Dice with the true parts.

    A network errs by its parts too, and agrees with itself where it is wrong. The curve is
    measured on photographs with annotations, for each weights file by itself, so that a
    confidence means the same whatever the weights.

    Attributes:
        knots: (part Dice, expected Dice), both rising, from 0 to 1; straight lines lie between.
    """

    knots: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        at = [x for x, _ in self.knots]
        within = all(0 <= value <= 1 for knot in self.knots for value in knot)
        is_rising = all(a < b and y <= z for (a, y), (b, z) in pairwise(self.knots))
        if not within or not is_rising or len(at) < 2 or (at[0], at[-1]) != (0, 1):
            raise ValueError(f"no rising curve from 0 to 1: {self.knots}")

    def __call__(self, agreements: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Map part Dice to confidence, both 0..1."""
        return np.asarray(np.interp(agreements, *self._curve), np.float64)

    @cached_property
    def _curve(self) -> NDArray[np.float64]:
        """Both axes of the knots, (2, N)."""
        return np.array(self.knots, np.float64).T

    @classmethod
    def of_model(cls, model: Model) -> Self:
        """Return the curve stored in a model's weights, or the default one.

        Raises:
            FacewarpError: what it holds is no curve.
        """
        text = model.metadata.get(KEY)
        return cls(USUAL) if text is None else cls.from_text(text, model.path)

    @classmethod
    def from_text(cls, text: str, path: Path | None = None) -> Self:
        """Parse what `to_text` wrote.

        Args:
            text: JSON, a list of pairs.
            path: the file it is from, for the error.

        Raises:
            FacewarpError: it is no curve.
        """
        try:
            return cls(tuple((float(x), float(y)) for x, y in json.loads(text)))
        except (ValueError, TypeError) as error:
            what = f"what the weights say of their confidence is no curve: {text[:60]}"
            raise FacewarpError(what, path, "Take the weights as they were shipped.") from error

    def to_text(self) -> str:
        """Serialize for the metadata of a weights file."""
        return json.dumps([[round(x, 3), round(y, 3)] for x, y in self.knots])


USUAL: Final = ((0.0, 0.0), (0.6, 0.12), (0.7, 0.3), (0.8, 0.52), (0.9, 0.78), (1.0, 0.9))
"""About what weights have shown so far; for those that don't say."""
