"""What a cine's pictures themselves tell of the order of its slices and phases.

Neighboring phases of one slice look alike, neighboring slices less so, and a heart moves little
from one phase to the next. Whatever files and converters say is held against that.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.placement import PlacementDoubt

_THIN_MM: Final = 4.0
_HEART_MM: Final = 60.0  # from base to apex
_LEAST_PHASES: Final = 6
_BLOCKS: Final = 32  # along the shorter side of a picture, for means that noise changes little
_NAMED: Final = 4  # pairs of pictures
_DETOUR: Final = 1.4  # times the change of a shorter way through all phases, in half the slices
_DETOUR_OF_FEW: Final = 2.5  # in fewer of them
#: Of the usual change from slice to slice, less than which two show one place: 0.31 and more in
#: patients of ACDC, up to 0.18 in 95 % of them with a slice once more (decision 183).
_DOUBLED: Final = 0.25
_FEWEST_SLICES: Final = 5  # that tell an order
_MOST_SLICES: Final = 40  # more are of a stack that was resampled
#: Change to the slice after the next over that to the next, in the best order, from which pictures
#: tell an order: 1.4 to 2.2 in patients, 1 in what has none.
_FARTHER: Final = 1.2
_NO_SHORTER: Final = 1e-3  # of the way as stored, less than which a rearrangement gains nothing
_SOME_PHASES: Final = 4  # in which slices are compared
_SHORTER: Final = 0.95  # times the way through a stack, up to which another order is better
_WIDE_MM: Final = 12.5  # from slice to slice, from which pictures need not follow one another
_BRIGHT: Final = 0.99  # share of the voxels that are darker than those cut off
_LEAST_AGAIN: Final = 6  # pictures of a second beat that is not whole
_BEAT_OF_FEW: Final = 0.3  # as the next, where less than half of the pictures have their like
_BEAT: Final = 0.6  # of a step's change, by which pictures of one moment of two beats may differ


def about_copies(data: NDArray[np.float32]) -> list[str]:
    """Return what is to be said of neighboring slices or phases that hold the very same pictures.

    Args:
        data: ``(T, D, H, W)``.
    """
    count, depth = data.shape[:2]
    blank = data.max(axis=(0, 2, 3)) == data.min(axis=(0, 2, 3))
    slices = [
        z + 1
        for z in range(depth - 1)
        if not blank[z] and np.array_equal(data[:, z], data[:, z + 1])
    ]
    phases = [t + 1 for t in range(count) if np.array_equal(data[t], data[(t + 1) % count])]
    said = []
    if slices:
        which = ", ".join(f"{z} and {z + 1}" for z in slices[:_NAMED])
        said.append(
            f"slices {which} hold the very same pictures, as of padding: volumes count them twice"
        )
    if phases and len(phases) < count:
        which = ", ".join(f"{t} and {t % count + 1}" for t in phases[:_NAMED])
        said.append(
            f"phases {which} hold the very same pictures: a heart rate told by the number of "
            "phases counts them twice"
        )
    some = {
        z + 1: again
        for z in np.flatnonzero(~blank)
        if (again := [t + 1 for t in range(count - 1) if np.array_equal(*data[t : t + 2, z])])
        and not set(again) <= set(phases)
    }
    if some:
        which = "; ".join(
            f"slice {z}, phase {', '.join(str(t + 1) for t in again[:_NAMED])}"
            for z, again in list(some.items())[:_NAMED]
        )
        said.append(
            f"the very same picture as in the phase before is in {which}: where a slice has fewer "
            "phases than others and was filled up, its moments are not theirs, and volumes of "
            "phases are wrong"
        )
    return said


def about_doubled(data: NDArray[np.float32], slice_mm: float) -> list[str]:
    """Return what is to be said of neighboring slices that show one place twice.

    Args:
        data: ``(T, D, H, W)``.
        slice_mm: from slice to slice; thin ones look alike anyhow.
    """
    if slice_mm < _THIN_MM or data.shape[1] < _FEWEST_SLICES:
        return []
    steps = np.diagonal(_slices_unlike(data), 1)
    same = (data[:, 1:] == data[:, :-1]).all(axis=(0, 2, 3))  # told as copies
    usual = float(np.median(steps[~same])) if not same.all() else 0.0
    twice = np.flatnonzero(~same & (steps < _DOUBLED * usual))
    if not twice.size:
        return []
    which = ", ".join(f"{z + 1} and {z + 2}" for z in twice[:_NAMED])
    return [
        f"slices {which} look as alike as pictures of one place: where a slice is there twice, "
        "volumes count it twice"
    ]


def about_slice_order(data: NDArray[np.float32], slice_mm: float) -> list[str]:
    """Return what is to be said of slices whose pictures follow one another in another order.

    Args:
        data: ``(T, D, H, W)``.
        slice_mm: from slice to slice; those far apart need not look alike.
    """
    order = slice_order(data) if slice_mm <= _WIDE_MM else []
    if order == list(range(len(order))):
        return []
    better = " ".join(str(z + 1) for z in order)
    text = (
        "the order of the slices seems to be wrong, or breath-holds moved the heart by more than "
        f"a slice: their pictures follow one another as neighbors do in the order {better}; "
        "contours, volumes and motion suffer from it"
    )
    return [PlacementDoubt(text)]


def mixed_up(data: NDArray[np.float32], slice_mm: float) -> bool:
    """Whether slices and phases of a cine were mixed up by whatever wrote it.

    Neighboring phases of one slice look alike, neighboring slices less so. A stack of which the
    contrary is true, and which looks as it should once the pictures are dealt out phase by phase
    instead of slice by slice, was dealt out wrongly.

    Args:
        data: ``(T, D, H, W)``.
        slice_mm: from slice to slice; thin ones, which come from resampling, look alike anyhow.
    """
    phases, depth = data.shape[:2]
    if phases < 4 or depth < 3 or slice_mm < _THIN_MM:
        return False
    as_stored = _fingerprints(data)
    dealt = as_stored.reshape(depth, phases, -1).transpose(1, 0, 2)
    return _unlike(as_stored) > 1.0 and _unlike(dealt) < 0.5


def exchanged(data: NDArray[np.float32], slice_mm: float) -> bool:
    """Whether slices and phases of a cine stand in each other's place, time as the third axis.

    Args:
        data: ``(T, D, H, W)``.
        slice_mm: from slice to slice; thin ones look alike, where they make up a heart.
    """
    phases, depth = data.shape[:2]
    thin = slice_mm < _THIN_MM and depth * slice_mm > _HEART_MM
    if phases < 3 or depth < 4 or thin:
        return False
    as_stored = _fingerprints(data)
    dealt = as_stored.reshape(depth, phases, -1).transpose(1, 0, 2)
    transposed = _unlike(as_stored.transpose(1, 0, 2))
    return _unlike(as_stored) > 1.0 and transposed < min(0.5, _unlike(dealt))


def out_of_order(data: NDArray[np.float32]) -> list[int]:
    """Slices whose phases do not follow one another as those of a beating heart.

    The way from phase to phase and back to the first is compared with another way through the same
    pictures, always on to the most similar one left. In real cines both change as much (at most
    1.13 times in two of 7 and 20 slices); phases in the order of their names' letters (1, 10, 11,
    2) change 1.6 times as much or more, shuffled ones twice to ten times. Noise makes them equal.
    Pictures of several beats, which have their like in other beats, are not judged; and near the
    apex of a drawn heart, whose way back is exactly its way out, a slice reaches 2.05.

    Args:
        data: ``(T, D, H, W)``.

    Returns:
        Their numbers, from 0.
    """
    phases = len(data)
    if phases < _LEAST_PHASES:
        return []
    small = _block_means(data)
    unlike = 1 - np.einsum("tdk,sdk->dts", small, small)  # (D, T, T)
    on = np.arange(phases)
    step = unlike[:, on, (on + 1) % phases].mean(axis=1)
    far = range(max(3, phases // 4), max(phases // 2, phases - _LEAST_AGAIN) + 1)
    beats = [
        unlike[:, on[:-lag], on[lag:]].mean(axis=1)
        < (_BEAT if 2 * lag <= phases else _BEAT_OF_FEW) * step
        for lag in far
    ]
    if np.any(beats, axis=0).mean() > 0.5:
        return []
    shorter = np.array([_shorter_way(one) for one in unlike])
    detour = step * phases / np.maximum(shorter, 1e-6)
    often = (detour > _DETOUR).mean() >= 0.5
    return np.flatnonzero(detour > (_DETOUR if often else _DETOUR_OF_FEW)).tolist()


def slice_order(data: NDArray[np.float32]) -> list[int]:
    """Return the order of slices in which their pictures follow one another best.

    From slice to slice pictures change little by little, and from one to the next but one about
    twice as much: a slice in a wrong place makes the way through the stack longer. Slices are
    put elsewhere, exchanged and turned round in groups as long as that makes it shorter.

    Args:
        data: ``([T,] D, H, W)``.

    Returns:
        Numbers of all slices, from 0; those that hold no picture, or the very one before, stay at
        their places. As stored where no other order is better.
    """
    stack = data if data.ndim == 4 else data[None]
    pictured = np.flatnonzero(stack.max(axis=(0, 2, 3)) != stack.min(axis=(0, 2, 3)))
    again = [z for z in pictured if z and np.array_equal(stack[:, z], stack[:, z - 1])]
    pictured = np.setdiff1d(pictured, again)
    order = list(range(stack.shape[1]))
    if not _FEWEST_SLICES <= len(pictured) <= _MOST_SLICES:
        return order
    unlike = _slices_unlike(stack)[np.ix_(pictured, pictured)]
    best = np.arange(len(pictured))
    way = stored = _way(unlike, best)
    while True:
        ways = [(_way(unlike, other), other) for other in _rearranged(best)]
        shortest, other = min(ways, key=lambda pair: pair[0])
        if shortest > way - _NO_SHORTER * stored:
            break
        way, best = shortest, other
    by_twos = float(unlike[best[:-2], best[2:]].mean()) * (len(best) - 1)
    if way > _SHORTER * stored or by_twos < _FARTHER * way:
        return order
    if best[0] > best[-1]:
        best = best[::-1]  # which end is first, this does not tell
    for place, slice_ in zip(pictured.tolist(), pictured[best].tolist(), strict=True):
        order[place] = slice_
    return order


def _slices_unlike(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how unlike any two slices of ``(T, D, H, W)`` are, ``(D, D)``: mean of some phases.

    The brightest voxels count no more than others: by an implant's artifact alone two slices would
    look alike.
    """
    some = data[:: -(-len(data) // _SOME_PHASES)]
    small = _block_means(np.minimum(some, np.quantile(some[..., ::2, ::2], _BRIGHT)))
    unlike: NDArray[np.float32] = 1 - np.einsum("tik,tjk->tij", small, small).mean(axis=0)
    return unlike


def _way(unlike: NDArray[np.floating], order: NDArray[np.intp]) -> float:
    return float(unlike[order[:-1], order[1:]].sum())


def _rearranged(order: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Return orders with one slice put elsewhere, two exchanged, or a group turned round."""
    count, found = len(order), []
    for one in range(count):
        rest = np.delete(order, one)
        found += [np.insert(rest, at, order[one]) for at in range(count) if at != one]
        for other in range(one + 2, count):
            exchanged_two, turned = order.copy(), order.copy()
            exchanged_two[[one, other]] = exchanged_two[[other, one]]
            turned[one : other + 1] = turned[one : other + 1][::-1]
            found += [exchanged_two, turned]
    return found


def _shorter_way(unlike: NDArray[np.float32]) -> float:
    """Change along a closed way through all phases, to the most similar one left each time."""
    phases = len(unlike)
    ways = []
    for start in range(0, phases, max(1, phases // 4)):
        left = unlike.copy()
        np.fill_diagonal(left, np.inf)
        left[:, start] = np.inf
        at, way = start, 0.0
        for _ in range(phases - 1):
            following = int(left[at].argmin())
            way += float(unlike[at, following])
            left[:, following] = np.inf
            at = following
        ways.append(way + float(unlike[at, start]))
    return min(ways)


def _block_means(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every picture of ``(T, D, H, W)`` as means of blocks, less its mean, of length 1."""
    phases, depth, height, width = data.shape
    block = max(1, min(height, width) // _BLOCKS)
    cut = data[..., : height // block * block, : width // block * block]
    blocks = cut.reshape(phases, depth, height // block, block, width // block, block)
    return _of_length_1(blocks.mean(axis=(3, 5)).reshape(phases, depth, -1))


def _fingerprints(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every picture of ``(T, D, H, W)`` with fewer pixels, less its mean, of length 1."""
    step = max(1, min(data.shape[2:]) // 64)
    return _of_length_1(data[..., ::step, ::step].reshape(*data.shape[:2], -1))


def _of_length_1(small: NDArray[np.float32]) -> NDArray[np.float32]:
    """Vectors ``(T, D, K)`` less their mean, of length 1; squares of stray values are large."""
    double = small.astype(np.float64)
    double -= double.mean(axis=2, keepdims=True)
    double /= np.maximum(np.linalg.norm(double, axis=2, keepdims=True), 1e-9)
    return double.astype(np.float32)


def _unlike(stack: NDArray[np.float32]) -> float:
    """How unlike neighboring phases are, against neighboring slices."""
    over_time = 1 - float((stack[1:] * stack[:-1]).sum(-1).mean())
    along = 1 - float((stack[:, 1:] * stack[:, :-1]).sum(-1).mean())
    return over_time / max(along, 1e-6)
