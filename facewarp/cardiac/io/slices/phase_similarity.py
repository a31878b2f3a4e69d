"""What a cine's pictures themselves tell of the order of its slices and phases.

Neighboring phases of one slice look alike, neighboring slices less so, and a heart moves little
from one phase to the next. Whatever files and converters say is held against that.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_THIN_MM: Final = 4.0
_HEART_MM: Final = 60.0  # from base to apex
_LEAST_PHASES: Final = 6
_BLOCKS: Final = 32  # along the shorter side of a picture, for means that noise changes little
_NAMED: Final = 4  # pairs of pictures
_DETOUR: Final = 1.4  # times the change of a shorter way through all phases, in half the slices
_DETOUR_OF_FEW: Final = 2.5  # in fewer of them
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
    return said


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
    far = range(max(3, phases // 4), phases // 2 + 1)
    beats = [unlike[:, on[:-lag], on[lag:]].mean(axis=1) < _BEAT * step for lag in far]
    if np.any(beats, axis=0).mean() > 0.5:
        return []
    shorter = np.array([_shorter_way(one) for one in unlike])
    detour = step * phases / np.maximum(shorter, 1e-6)
    often = (detour > _DETOUR).mean() >= 0.5
    return np.flatnonzero(detour > (_DETOUR if often else _DETOUR_OF_FEW)).tolist()


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
