"""Which way a heart lies in a stack: base, apex, left and right, by the picture and by the file.

A model is surer of a heart that lies as those it was trained on. It looks at the stack in every
order and direction of the axes, all at once; what the file tells is worth so much that a picture
must be clearly surer to be believed against it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np

from facewarp.cardiac.io.placement import PlacementDoubt
from facewarp.cardiac.io.volume import Volume
from facewarp.cardiac.motion.heart_roi import (
    SEEN,
    HeartModel,
    around_heart,
    stack_roi,
    window_parts,
)
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import HeartPart
from facewarp.cardiac.short_axis import short_axis_order, stack_turns, told_cosines
from facewarp.cardiac.side_by_side import side_by_side
from facewarp.core.arrays import FloatArray
from facewarp.errors import FacewarpError

TURNED: Final = PlacementDoubt(
    "the heart lies mirrored or turned against what the affine says: the picture is believed"
)
_WORTHS: Final = np.array([0.0075, 0.0075, 0.00375])  # probability that a cosine is worth: x, y, z
_ROUGH: Final = 0.01  # a direction that a rough look finds worse by more is not looked at again
_ROUGH_ALONE: Final = 0.003  # nor one that is worse by more by the picture alone
_DOUBT: Final = 0.006  # a lead smaller than this is said
_UNLIKE: Final = 0.006  # surer of other rows and columns by more is said
_LEANS: Final = 0.001  # surer of the same rows upside down, or of the other end's base, likewise
UNLIKE: Final = PlacementDoubt(
    "the heart may lie mirrored or turned in its slices: the picture alone would tell other rows "
    "and columns than those taken; compare left and right on the page"
)


@dataclass(frozen=True, eq=False)
class Orientation:
    """How a heart lies in a volume.

    Attributes:
        turn: (3, 3) signed permutation: which of the volume's axes run from the right ventricle to
            the left, down, and from base to apex, and which way.
        score: how sure the model is of the heart, with what the file tells.
        lead: by how much more than in the next best other direction of the slices.
        against_file: whether the file tells otherwise.
        window: around the heart in the phase looked at, see `heart_roi.around_heart`, where it was
            seen already in this direction.
        unlike: by how much surer the model is of the best other rows and columns, the slices' own
            direction kept, by the picture alone; 0 where it agrees.
        upside_down: by how much surer it is of the rows in the contrary order and all else as it
            is, by the picture alone; below 0 where it agrees.
        base_elsewhere: by how much surer it is of the base at the other end, likewise.
    """

    turn: FloatArray
    score: float
    lead: float
    against_file: bool
    window: ModelGrid | None = None
    unlike: float = 0.0
    upside_down: float = -np.inf
    base_elsewhere: float = -np.inf

    @property
    def is_clear(self) -> bool:
        """Whether all is told so clearly that another phase need not be looked at."""
        return self.lead >= 2 * _DOUBT and not self.may_be_mirrored and not self.base_in_doubt

    @property
    def may_be_mirrored(self) -> bool:
        """Whether the picture alone would tell other rows and columns, so that it is said."""
        return self.unlike > _UNLIKE or self.upside_down > _LEANS

    @property
    def base_in_doubt(self) -> bool:
        """Whether both ends are nearly as sure, or the picture alone would tell the other one."""
        return self.lead < _DOUBT or self.base_elsewhere > _LEANS

    @property
    def base_is_last(self) -> bool:
        """Whether the base is at the end of the volume's own order of slices."""
        return bool(self.turn[:, 2].sum() < 0)

    def warnings(self, volume: Volume) -> tuple[str, ...]:
        """Return what is to be said of it, one sentence each."""
        said: list[str] = []
        if self.against_file:
            said.append(TURNED)
        if self.may_be_mirrored:
            said.append(UNLIKE)
        last = volume.shape[0] if self.base_is_last else 1
        if self.base_in_doubt:
            text = (
                f"it is doubtful which end of the stack is the base: slice {last} of the file is "
            )
            said.append(PlacementDoubt(f"{text}taken for it; look at the page"))
        elif not volume.oriented and self.base_is_last and not self.against_file:
            text = "the file does not tell where the base is: the picture shows it in slice "
            said.append(PlacementDoubt(f"{text}{last}"))
        return tuple(said)


def find_orientation(model: HeartModel, volume: Volume, phase: int = 0) -> Orientation:
    """How the heart lies in a volume or cine with its slices along one known axis.

    Args:
        model: a heart model.
        volume: the volume or cine.
        phase: which phase to look at.

    Raises:
        FacewarpError: the model sees no heart there.
    """
    turns = stack_turns(volume.stack_axis)
    told = short_axis_order(volume.affine, volume.stack_axis)
    scores, seen = _scores(model, volume, phase, turns)
    best = int(np.argmax(np.round(scores, 6)))
    same_way = np.array([(turn[:, 2] == turns[best][:, 2]).all() for turn in turns])
    by_picture = scores - np.array([_told(volume, turn) for turn in turns])
    upside_down = [np.array_equal(turn, turns[best] * [1, -1, 1]) for turn in turns].index(True)
    differs = turns[best] != told
    against = differs.any() if volume.oriented else differs[:, :2].any()
    return Orientation(
        turns[best],
        score=float(scores[best]),
        lead=float(scores[best] - scores[~same_way].max()),
        against_file=bool(against),
        window=seen if np.array_equal(seen.turn, turns[best]) else None,
        unlike=float(by_picture[same_way].max() - by_picture[best]),
        upside_down=float(by_picture[upside_down] - by_picture[best]),
        base_elsewhere=float(by_picture[~same_way].max() - by_picture[same_way].max()),
    )


def find_heart_roi(model: HeartModel, volume: Volume, phase: int = 0) -> ModelGrid:
    """Return the window around the heart, lying as the picture and the file tell.

    Args:
        model: a heart model.
        volume: the volume or cine.
        phase: which phase to look at.

    Raises:
        FacewarpError: the model sees no heart there.
    """
    lies = find_orientation(model, volume, phase)
    return lies.window or around_heart(model, volume, phase, lies.turn)


def with_slices_seen(model: HeartModel, volume: Volume, phase: int = 0) -> Volume:
    """Return the volume with the heart's slices along z, where the voxels do not tell their axis.

    Voxels of equal size come from resampled cines, whose slices may run along any axis: the one is
    taken along which the model is surest of the heart.
    """
    if volume.has_stack:
        return volume
    best, best_score = volume, -np.inf
    for stack in (2, 1, 0):
        turned = volume.stacked_along(stack)
        try:
            told = short_axis_order(turned.affine)
            few = [told * [1, 1, z] for z in (1, -1)]
            few += [turn[:, [1, 0, 2]] * [1, -1, 1] for turn in few]
            score = float(_scores(model, turned, phase, few)[0].max())
        except FacewarpError:
            continue
        if score > best_score:
            best, best_score = turned, score
    return best


def _scores(
    model: HeartModel, volume: Volume, phase: int, turns: Sequence[FloatArray]
) -> tuple[FloatArray, ModelGrid]:
    """How sure the model is in each direction of the axes, with what the file tells added.

    The second result is the window around the heart as it was first seen.

    Where a rough look is cheap (see `Model.rough`), only those directions are looked at closely
    that it finds about as good as the best of the same direction of slices; -inf are the others.
    """
    told = short_axis_order(volume.affine, volume.stack_axis)
    window = _first_seen(model, volume, phase, told)
    center = (np.asarray(window.shape[::-1]) - 1) / 2
    cx, cy, cz = (window.to_volume @ np.append(center, 1.0))[:3].tolist()
    side = max(window.shape[1:])
    depth = window.shape[0]
    model = model.on_grid((depth, side, side))

    def score(model: HeartModel, turn: FloatArray) -> float:
        grid = stack_roi(volume, (side, side), window.spacing_mm, (cx, cy, cz), depth, turn)
        return _certainty(model, volume, grid, phase) + _told(volume, turn)

    rough = model.rough()
    if rough is None:
        return np.array(list(side_by_side(partial(score, model), turns))), window
    about = np.array(list(side_by_side(partial(score, rough), turns)))
    ways = np.array([turn[:, 2] for turn in turns])  # of the slices
    alike = (ways[:, None] == ways).all(axis=-1)
    close = about >= np.where(alike, about, -np.inf).max(axis=1) - _ROUGH
    alone = about - np.array([_told(volume, turn) for turn in turns])
    taken = np.where(alike, about, -np.inf).argmax(axis=1)  # the best of each direction
    close |= alone >= alone[taken] - _ROUGH_ALONE
    found = np.full(len(turns), -np.inf)
    near = [turn for turn, is_near in zip(turns, close, strict=True) if is_near]
    found[close] = list(side_by_side(partial(score, model), near))
    return found, window


def _first_seen(model: HeartModel, volume: Volume, phase: int, told: FloatArray) -> ModelGrid:
    """Return a window around the heart, in the first direction of the axes that shows one."""
    ways = sorted(
        stack_turns(volume.stack_axis), key=lambda t: (t != told).any() + (t != told).any(0).sum()
    )
    for turn in ways[:-1]:
        try:
            return around_heart(model, volume, phase, turn)
        except FacewarpError:
            continue
    return around_heart(model, volume, phase, ways[-1])


def _told(volume: Volume, turn: FloatArray) -> float:
    """Probability that what the file tells of a direction of the axes is worth."""
    return float(told_cosines(volume.affine, turn) @ _WORTHS)


def _certainty(model: HeartModel, volume: Volume, grid: ModelGrid, phase: int) -> float:
    """Mean probability of the parts over the heart."""
    parts = window_parts(model, volume, grid, phase)
    heart = parts[HeartPart.BACKGROUND] < 1 - SEEN
    return float(parts.max(axis=0)[heart].mean()) if heart.any() else 0.0
