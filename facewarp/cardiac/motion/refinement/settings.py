"""Settings of the refinement."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Level:
    """Gauss-Newton steps on one grid; lengths are in its voxels.

    Attributes:
        steps: how many.
        window: box widths along z, y, x of the B-splines that a step moves.
        ridge: squared gradient of a probability below which nothing tells a point's motion.
        prior: weight of the motion before the level's first step, in the ridge's unit.
        squarings: of the exponential within a step.
    """

    steps: int
    window: tuple[int, int, int] = (1, 3, 3)
    ridge: float = 0.02
    prior: float = 0.04
    squarings: int = 1


@dataclass(frozen=True)
class Refinement:
    """Settings of the refinement.

    Attributes:
        coarse: steps on the network's grid.
        fine: steps on the parts' grid, where that is finer.
        squarings: of the exponential that finer fields come from.
        fits: fixed-point steps from the network's two fields to their velocity.
        fit_window: box widths along z, y, x, in voxels of the network's grid, of the B-splines
            that velocities in the slices are fitted with.
        through_window: likewise of those through the slices.
        right_window: likewise of those of the right ventricle, in all directions, where parts are
            finer.
        right_reach: voxels of the network's grid around the right ventricle in which that holds.
        still: weight, in the ridge's unit, of the motion through the slices as the network has
            it: slices 10 mm apart hardly tell it.
        loose: share of `still` that the right ventricle is free of: its base comes down further
            than the left one's.
        along: weight, in the ridge's unit, of the motion along the wall as the fit has it, where
            parts are finer: no edge tells it, and the right ventricle's outline slides along there.
        along_window: box widths along z, y, x, in voxels of the network's grid, over which the
            network's motion along the wall is smoothed first.
        along_blur: box width in the slices, in voxels, of what tells which way the wall runs.
        carried: share of moving's parts as the network carries them in what is matched, where the
            parts are no finer than its fields: voxels of 10 mm alone would shift outlines.
        wall: weight of the myocardium in what is matched; the ventricles' is 1.
        background: weight, in the fit, of a field where its fixed image has no heart.
        least_jacobian: a smaller determinant of any cell's corner counts as a fold.
        repairs: smoothing rounds against folds, at most.
    """

    coarse: Level = Level(3)
    fine: Level = Level(1, ridge=0.01, prior=0.02)
    squarings: int = 2
    fits: int = 1
    fit_window: tuple[int, int, int] = (5, 5, 5)
    through_window: tuple[int, int, int] = (7, 5, 5)
    right_window: tuple[int, int, int] = (1, 3, 3)
    right_reach: int = 3
    still: float = 2.5
    loose: float = 0.94
    along: float = 0.3
    along_window: tuple[int, int, int] = (7, 21, 21)
    along_blur: int = 5
    carried: float = 0.5
    wall: float = 1.5
    background: float = 0.2
    least_jacobian: float = 0.02
    repairs: int = 12


DEFAULT: Final = Refinement()
