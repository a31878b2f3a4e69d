r"""True strain of a phantom's wall, from the deformation gradient of its formulas.

With ``F = dx/dp`` from end-diastole, the Green-Lagrange strain along a unit vector ``e`` at
end-diastole is ``(|F e|^2 - 1) / 2``, the engineering strain ``|F e| - 1``, as in
`facewarp.cardiac.quantification.strain`. ``e`` is radial (from the ventricle's axis outwards, at
right angles to it), circumferential (at right angles to both), or longitudinal (along the axis).
Regions are means by volume over the wall at end-diastole, between base and apex of the cavity:
thirds of the cavity's length, and in each the AHA's segments from the septum's middle on. Segment
17, the cap beyond the cavity, has no radial direction and is not given.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.quantification.aha_segments import (
    LEVEL_NAMES,
    SEGMENT_NAMES,
    aha_segments,
)
from facewarp.cardiac.quantification.lv_wall import ANGLES, Wall
from facewarp.core.arrays import FloatArray
from facewarp.training.synthetic.phantom.motion import HeartMotion

Direction = Literal["circumferential", "radial", "longitudinal"]
DIRECTIONS: Final[tuple[Direction, ...]] = ("circumferential", "radial", "longitudinal")
_LEVELS: Final = 45  # cross-sections of the wall


@dataclass(frozen=True, eq=False)
class TrueRegion:
    """True strain of a region in each phase, percent.

    Attributes:
        kind: ``"global"``, ``"level"`` or ``"segment"``.
        number: of the segment, or of the level (1 basal to 3 apical); 0 for all of the wall.
        name: in words.
        green: Green-Lagrange strain ``(T,)`` by direction.
        engineering: change in length ``(T,)`` by direction.
        thickness_mm: ``(T,)`` of the wall, from the cavity's edge to the outer one.
    """

    kind: str
    number: int
    name: str
    green: dict[Direction, FloatArray]
    engineering: dict[Direction, FloatArray]
    thickness_mm: FloatArray


def phantom_wall(motion: HeartMotion) -> Wall:
    """Return the wall at end-diastole as `strain` samples walls, in the heart's frame."""
    z = (np.arange(_LEVELS) + 0.5) / _LEVELS * motion.length_mm
    angles = np.pi + (np.arange(ANGLES) + 0.5) * 2 * np.pi / ANGLES
    ring = np.ones((_LEVELS, ANGLES))
    return Wall(
        np.arange(_LEVELS),
        z,
        np.zeros((_LEVELS, 2)),
        angles,
        motion.inner_mm(z)[:, None] * ring,
        motion.outer_mm(z)[:, None] * ring,
        ring > 0,
        float(np.pi),
        np.full((_LEVELS, 2), np.nan),
        False,
        False,
    )


def point_strain(gradient: FloatArray, direction: FloatArray) -> FloatArray:
    """Return the Green-Lagrange strain ``(|F e|^2 - 1) / 2``, 1 = 100 %.

    Args:
        gradient: deformation gradients ``(..., 3, 3)``.
        direction: unit vectors ``(..., 3)`` at end-diastole.
    """
    stretched = np.einsum("...ij,...j->...i", gradient, direction)
    strain: FloatArray = ((stretched**2).sum(axis=-1) - 1) / 2
    return strain


def true_strain(motion: HeartMotion, contraction: FloatArray) -> tuple[TrueRegion, ...]:
    """Return the strain of the whole wall, its levels and segments.

    Args:
        motion: the heart.
        contraction: ``(T,)`` of each phase.
    """
    wall = phantom_wall(motion)
    points = wall.points_mm(wall.radii_mm)
    cos, sin = np.cos(wall.angles)[None, :, None], np.sin(wall.angles)[None, :, None]
    zero = np.zeros(points.shape[:-1])
    ways = {
        "circumferential": np.stack([-sin + zero, cos + zero, zero], axis=-1),
        "radial": np.stack([cos + zero, sin + zero, zero], axis=-1),
        "longitudinal": np.stack([zero, zero, zero + 1], axis=-1),
    }
    count = len(contraction)
    found = {name: np.empty((count, *points.shape[:-1])) for name in DIRECTIONS}
    thickness = np.empty((count, *wall.inner_mm.shape))
    edges = [wall.points_mm(radii) for radii in (wall.inner_mm, wall.outer_mm)]
    for phase, amount in enumerate(contraction.tolist()):
        gradient = motion.gradient(points, amount)
        for name in DIRECTIONS:
            found[name][phase] = point_strain(gradient, ways[name])
        inner, outer = (motion.moved(edge, amount)[..., :2] for edge in edges)
        thickness[phase] = np.linalg.norm(outer, axis=-1) - np.linalg.norm(inner, axis=-1)
    return _regions(wall, found, thickness)


def _regions(
    wall: Wall, found: dict[Direction, FloatArray], thickness: FloatArray
) -> tuple[TrueRegion, ...]:
    segments = aha_segments(wall)
    every = np.ones(segments.ids.shape, bool)
    asked: list[tuple[str, int, str, NDArray[np.bool_]]] = [("global", 0, "left ventricle", every)]
    asked += [
        ("level", n + 1, name, every & (segments.levels == n)[:, None])
        for n, name in enumerate(LEVEL_NAMES)
    ]
    asked += [("segment", n, SEGMENT_NAMES[n], segments.ids == n) for n in segments.numbers]
    regions = []
    for kind, number, name, part in asked:
        weights = wall.weights[part] / wall.weights[part].sum()

        def mean(strain: FloatArray, part=part, weights=weights) -> FloatArray:  # type: ignore[no-untyped-def]
            return 100 * np.tensordot(strain[:, part], weights, axes=2)

        along = weights.sum(axis=-1)
        regions.append(
            TrueRegion(
                kind,
                number,
                name,
                {way: mean(values) for way, values in found.items()},
                {way: mean(np.sqrt(1 + 2 * values) - 1) for way, values in found.items()},
                thickness[:, part] @ along,
            )
        )
    return tuple(regions)
