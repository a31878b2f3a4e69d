"""Quality control of a cine's motion: metrics and warnings."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from facewarp.cardiac.io.placement import PlacementDoubt
from facewarp.cardiac.motion.cycle_registration import Motion
from facewarp.cardiac.motion.labels import Labels
from facewarp.cardiac.motion.model_grid import ModelGrid
from facewarp.cardiac.parts import WORDS, HeartPart
from facewarp.cardiac.side_by_side import side_by_side
from facewarp.core.fields import jacobian_determinant, smallest_jacobian

Triple = tuple[float, float, float]

_PARTS: Final = (HeartPart.RV, HeartPart.MYOCARDIUM, HeartPart.LV)
_LOW_AGREEMENT: Final = 0.7
_LONG_LOOP_MM: Final = 3.0
_MANY_FOLDS_PERCENT: Final = 1.0
_IN_SLICE: Final = np.ones((3, 3), dtype=bool)
_ONE_PIECE: Final = 0.9
_CLOSED: Final = 0.7
_MUCH_OPEN_PERCENT: Final = 10.0
_OUTLINE: Final = 0.1  # share of a voxel from which an outline runs through it
#: Length of the left ventricle and its wall over their width, at end-diastole: 0.72, 0.83 and more
#: in readers' labels of 100 patients of ACDC, 1.50 at most. With every second slice taken out, and
#: the distance as it was, 0.75 and more in 2 % of them.
_LENGTH_OF_WIDTH: Final = (0.75, 1.65)
#: Percent of a part's volume at end-diastole by which carried and seen labels differ, from which a
#: phase is worth a look, and from which its volume is not to be trusted (decision 178).
VOLUMES_APART_PERCENT: Final = (8.0, 15.0)
_CUT_SHARE: Final = 0.4  # of the largest area: a slice of an end is no apex


@dataclass(frozen=True)
class Quality:
    """Quality metrics of a motion; lengths are means over the heart at ED.

    Attributes:
        agreement: ``(T,)`` mean Dice, 0..1, of the labels warped to each phase and the model's
            segmentation of it.
        round_trip_mm: ``(T,)`` inverse-consistency error.
        unreconciled_mm: ``(T,)`` the same of the network's own fields; of phases that it was not
            asked, the mean of those beside them.
        certainty: ``(T,)`` 0..1, mean probability of the most probable part over the heart.
        loop_mm: cycle drift, see `Motion.cycle_drift_mm`.
        loop_p95_mm: the 95th percentile of that over the heart.
        wall_loop_p95_mm: the 95th percentile of that over the wall and the parts' outlines.
        folds_percent: share of the heart's voxels, over all phases, where the field folds.
        open_cavity_percent: share of the left ventricle, at end-diastole or end-systole, where
            that is larger, in slices where it is not one piece closed in by wall, see
            `open_slices`.
        wall_round_trip_mm: inverse-consistency error, mean over the wall and the parts' outlines,
            in the phase where that is largest.
        wall_folds_percent: share of the wall and of the parts' outlines, over all phases, where a
            cell of the field is inside out: what harms strain and volumes. The cavities are left
            out, in which blood swirls.
        part_agreement: of each phase, as `agreement`, of the right ventricle, the wall and the left
            ventricle; 1 where it is in neither.
        volume_apart_percent: of each phase likewise, volume of the carried labels minus that of
            those seen in the phase alone, percent of the part's volume at end-diastole: two ways
            to one volume. Where a reader's labels are carried, each against its own there; 0 for
            a part that either leaves out there, as many readers do with the right ventricle.
    """

    agreement: tuple[float, ...]
    round_trip_mm: tuple[float, ...]
    unreconciled_mm: tuple[float, ...]
    certainty: tuple[float, ...]
    loop_mm: float
    loop_p95_mm: float
    folds_percent: float
    wall_folds_percent: float = 0.0
    open_cavity_percent: float = 0.0
    wall_loop_p95_mm: float = 0.0
    wall_round_trip_mm: float = 0.0
    part_agreement: tuple[Triple, ...] = ()
    volume_apart_percent: tuple[Triple, ...] = ()


def measure_quality(
    motion: Motion,
    labels_ed: Labels,
    carried: Labels,
    seen: Labels,
    parts: NDArray[np.floating],
    reported: Labels | None = None,
    moments: tuple[int, ...] | None = None,
) -> Quality:
    """Measure a cine's motion.

    Args:
        motion: the fields.
        labels_ed: ``(D, H, W)`` of the volume.
        carried: ``(T, ...)`` labels warped from end-diastole.
        seen: ``(T, ...)`` the model's segmentation, on the same voxels.
        parts: ``(T, K, d, h, w)`` its probabilities, on its own grid.
        reported: ``(T, ...)`` labels that volumes are of; None where these are the warped ones.
        moments: phases whose contours volumes and ejection fraction are told of; None for all. In
            others the base may be passing through a slice, which then has wall on one side alone.
    """
    heart = motion.grid.sample(labels_ed > 0) > 0.5
    heart = heart if heart.any() else np.ones_like(heart)
    held = _held(motion.grid, labels_ed)
    either = heart | held
    in_heart, in_held = heart[either], held[either]
    loop, once = motion.cycle_drift_mm(either), motion.inverse_consistency_mm(either)
    folds, wall_folds = _folds_percent(motion, heart, held)
    told = carried if reported is None else reported
    overlaps = [_overlaps(a, b) for a, b in zip(carried, seen, strict=True)]
    asked = range(len(told)) if moments is None else moments
    return Quality(
        tuple(_mean(one) for one in overlaps),
        tuple(once[:, in_heart].mean(axis=1).tolist()),
        tuple(float(phase[heart].mean()) for phase in motion.inverse_consistency_raw_mm),
        tuple(_certainty(phase) for phase in parts),
        float(loop[in_heart].mean()),
        float(np.percentile(loop[in_heart], 95)),
        folds,
        wall_folds_percent=wall_folds,
        wall_loop_p95_mm=float(np.percentile(loop[in_held], 95)),
        open_cavity_percent=max(_open_percent(told[phase]) for phase in asked),
        wall_round_trip_mm=float(once[:, in_held].mean(axis=1).max()),
        part_agreement=tuple(_triple(np.nan_to_num(one, nan=1.0)) for one in overlaps),
        volume_apart_percent=_volumes_apart(carried, seen, motion.ed),
    )


def _volumes_apart(carried: Labels, seen: Labels, ed: int) -> tuple[Triple, ...]:
    """Return by how much carried and seen volumes differ, see `Quality.volume_apart_percent`."""
    two = []
    for labels in (carried, seen):
        voxels = np.array([[np.count_nonzero(one == part) for part in _PARTS] for one in labels])
        two.append(np.where(voxels[ed] > 0, 100 * voxels / np.maximum(voxels[ed], 1), np.nan))
    return tuple(_triple(one) for one in np.nan_to_num(two[0] - two[1], nan=0.0))


def _triple(values: NDArray[np.floating]) -> Triple:
    rv, wall, lv = values.tolist()
    return rv, wall, lv


def _folds_percent(
    motion: Motion, heart: NDArray[np.bool_], held: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return the share of folds: in the heart by central differences, elsewhere by one-sided ones.

    Args:
        motion: the fields.
        heart: voxels ``(d, h, w)`` of the grid whose determinant is asked.
        held: those of whose cells none may be inside out, see `fields.smallest_jacobian`.
    """
    around = ndimage.binary_dilation(heart | held, np.ones((3, 3, 3)))
    box = ndimage.find_objects(around.astype(np.uint8))[0]

    def of_phase(phase: int) -> tuple[float, float]:
        near = torch.from_numpy(np.ascontiguousarray(motion.from_ed[phase][:, *box]))[None]
        central, one_sided = jacobian_determinant(near)[0], smallest_jacobian(near)[0]
        pairs = (central, heart[box]), (one_sided, held[box])
        folds, wall = (float((found.numpy()[mask] <= 0).mean()) for found, mask in pairs)
        return folds, wall

    both = 100 * np.mean(list(side_by_side(of_phase, range(len(motion.from_ed)))), axis=0)
    return float(both[0]), float(both[1])


def open_slices(labels: Labels) -> NDArray[np.bool_]:
    """Return in which slices the left ventricle is not one piece closed in by wall, ``(D,)``.

    Myocardium is beside 70 % of its outline at least, and its largest piece is 90 % of it, in every
    slice that a reader of ACDC drew. It is not so where another chamber or a great vessel is taken
    for it.

    Args:
        labels: ``(D, H, W)`` part ids.
    """
    found = np.zeros(len(labels), dtype=bool)
    for index, ids in enumerate(labels):
        cavity = ids == HeartPart.LV
        if not cavity.any():
            continue
        pieces, _ = ndimage.label(cavity, _IN_SLICE)
        largest = int(np.bincount(pieces.ravel())[1:].max())
        around = ndimage.binary_dilation(cavity, _IN_SLICE) & ~cavity
        closed = float((ids[around] == HeartPart.MYOCARDIUM).mean()) if around.any() else 0.0
        found[index] = largest < _ONE_PIECE * cavity.sum() or closed < _CLOSED
    return found


def _open_percent(labels: Labels) -> float:
    areas = (labels == HeartPart.LV).sum(axis=(1, 2))
    return 100 * float(areas[open_slices(labels)].sum() / max(int(areas.sum()), 1))


def _held(grid: ModelGrid, labels_ed: Labels) -> NDArray[np.bool_]:
    """Return which voxels of a grid hold wall or a part's outline, all where there is neither."""
    shares = np.stack([grid.sample(labels_ed == part) for part in _PARTS])
    outline = ((shares > _OUTLINE) & (shares < 1 - _OUTLINE)).any(axis=0)
    held = outline | (shares[_PARTS.index(HeartPart.MYOCARDIUM)] > _OUTLINE)
    return held if held.any() else np.ones_like(held)


def length_of_width(labels: Labels, spacing_mm: tuple[float, float, float]) -> float:
    """Return how many times as long as wide the left ventricle with its wall is; 0 without a wall.

    Its length is that of the slices it is in; its width that of a circle as large as it is in the
    slice where it is largest.

    Args:
        labels: ``(D, H, W)`` part ids.
        spacing_mm: of their voxels, along x, y, z.
    """
    areas = np.isin(labels, (HeartPart.MYOCARDIUM, HeartPart.LV)).sum(axis=(1, 2))
    if not (labels == HeartPart.MYOCARDIUM).any():
        return 0.0
    x, y, z = spacing_mm
    return float(np.count_nonzero(areas) * z / (2 * np.sqrt(areas.max() * x * y / np.pi)))


def proportion_warnings(labels_ed: Labels, spacing_mm: tuple[float, float, float]) -> list[str]:
    """Return what is to be said of a ventricle too short or too long for its width.

    Args:
        labels_ed: ``(D, H, W)``.
        spacing_mm: of the voxels, along x, y, z.
    """
    found, apart = length_of_width(labels_ed, spacing_mm), f"{spacing_mm[2]:.3g} mm"
    if not found or _LENGTH_OF_WIDTH[0] <= found <= _LENGTH_OF_WIDTH[1]:
        return []
    told = f"the left ventricle with its wall is {found:.2g} times as long as wide"
    if found > _LENGTH_OF_WIDTH[1]:
        text = (
            f"{told}, hardly any is more than {_LENGTH_OF_WIDTH[1]:g}: slices may lie nearer "
            f"together than {apart}, or pixels may be larger than told, and volumes be off by as "
            "much; see --spacing"
        )
        return [PlacementDoubt(text)]
    text = (
        f"{told}, hardly any is less than {_LENGTH_OF_WIDTH[0]:g}: slices may be missing, or lie "
        f"further apart than {apart}, and volumes be off by as much; see --spacing"
    )
    return [PlacementDoubt(text)]


def quality_warnings(
    quality: Quality,
    frames: tuple[int, ...],
    labels_ed: Labels,
    volumes_ml: NDArray[np.float64],
    closes: bool = True,
) -> list[str]:
    """Return warnings about unusual values, as sentences.

    Args:
        quality: what was measured.
        frames: number of every phase.
        labels_ed: ``(D, H, W)``.
        volumes_ml: ``(T, 4)``.
        closes: whether the phases cover a whole heartbeat, so that points must return.
    """
    said = []
    worst = int(np.argmin(quality.agreement))
    if quality.agreement[worst] < _LOW_AGREEMENT:
        said.append(
            f"in phase {frames[worst]} carried and seen labels agree to a Dice of only "
            f"{100 * quality.agreement[worst]:.0f} %: look at the picture"
        )
    said += _two_volumes(quality, frames, volumes_ml)
    if closes and quality.wall_loop_p95_mm > _LONG_LOOP_MM:
        said.append(
            "led there and back by the fields of all phases in turn, one point of the wall in 20 "
            f"ends over {quality.wall_loop_p95_mm:.0f} mm off its start: use each field by itself, "
            "from end-diastole or to it, and chain none"
        )
    if quality.wall_folds_percent > _MANY_FOLDS_PERCENT:
        said.append(
            f"the field folds in {quality.wall_folds_percent:.1f} % of the wall and the outlines"
        )
    if quality.open_cavity_percent > _MUCH_OPEN_PERCENT:
        where = ", ".join(str(index + 1) for index in np.flatnonzero(open_slices(labels_ed)))
        said.append(
            f"{quality.open_cavity_percent:.0f} % of the left ventricle lies in slices where it is "
            "not one piece closed in by wall"
            + (f" (at end-diastole {where})" if where else "")
            + ": contours there are wrong, and volumes with them"
        )
    for part in _PARTS:
        if not volumes_ml[:, part].all():
            said.append(f"there is no {part.name.lower()} in some phase")
    areas = (labels_ed == HeartPart.LV).sum(axis=(1, 2))
    if min(areas[0], areas[-1]) > _CUT_SHARE * areas.max():
        said.append("the left ventricle reaches both ends of the stack: its apex may be missing")
    return said


def _two_volumes(
    quality: Quality, frames: tuple[int, ...], volumes_ml: NDArray[np.float64]
) -> list[str]:
    """Return what is to be said of volumes that the two ways to them tell differently."""
    apart = np.array(quality.volume_apart_percent).reshape(-1, len(_PARTS))
    said = []
    for index, part in enumerate(_PARTS):
        odd = np.flatnonzero(np.abs(apart[:, index]) > VOLUMES_APART_PERCENT[0])
        if not odd.size:
            continue
        worst = odd[np.abs(apart[odd, index]).argmax()]
        ml = apart[worst, index] * volumes_ml[:, part].max() / 100
        which = ", ".join(str(frames[phase]) for phase in odd)
        said.append(
            f"in phase{'s' * (len(odd) > 1)} {which} the volume of the {WORDS[part]} is doubtful: "
            f"labels carried from end-diastole have {abs(ml):.0f} ml {'more' if ml > 0 else 'less'}"
            f" than those seen in phase {frames[worst]} alone; look at the contours"
        )
    return said


def _certainty(parts: NDArray[np.floating]) -> float:
    told = torch.from_numpy(parts).float().numpy()
    heart = told[HeartPart.BACKGROUND] < 0.5
    return float(told.max(axis=0)[heart].mean()) if heart.any() else 0.0


def mean_dice(a: Labels, b: Labels) -> float:
    """Return the mean Dice of two labelings over the parts that are in either, 0 to 1."""
    return _mean(_overlaps(a, b))


def _overlaps(a: Labels, b: Labels) -> NDArray[np.float64]:
    """Return the Dice of each part in two labelings, 0 to 1; NaN where it is in neither."""
    found = np.full(len(_PARTS), np.nan)
    for index, part in enumerate(_PARTS):
        one, other = a == part, b == part
        size = int(one.sum()) + int(other.sum())
        if size:
            found[index] = 2 * float((one & other).sum()) / size
    return found


def _mean(overlaps: NDArray[np.float64]) -> float:
    known = overlaps[np.isfinite(overlaps)]
    return float(np.mean(known)) if known.size else 0.0
