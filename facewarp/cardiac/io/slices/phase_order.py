"""The order of a cine's phases: by what the pictures tell, and held against the pictures.

Order of trust
    Trigger times; temporal positions; acquisition times; numbers, with a sentence. A value that is
    the same in all pictures of a slice tells nothing; one that comes twice while others differ
    means that pictures of two acquisitions are mixed.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.slices.slice_image import SliceImage
from facewarp.errors import FacewarpError

_SHORT_STEP: Final = 0.4  # of the usual step: shorter ones mean two acquisitions
_MIXED_SHARE: Final = 0.3  # of steps that are short
_THIN_MM: Final = 4.0
_HEART_MM: Final = 60.0  # from base to apex

_Key = Callable[[SliceImage], float | None]
_KEYS: Final[tuple[tuple[str, _Key], ...]] = (
    ("trigger times", lambda image: image.trigger_ms),
    ("temporal positions", lambda image: image.temporal),
    ("acquisition times", lambda image: image.acquired_s),
    ("instance numbers", lambda image: image.number),
)


def sort_phases(slices: list[list[SliceImage]], place: Path, said: list[str]) -> str:
    """Sort each slice's pictures by time, and tell by what."""
    for name, key in _KEYS:
        values = [[key(image) for image in members] for members in slices]
        if any(value is None for row in values for value in row):
            continue
        rows = [[float(v) for v in row if v is not None] for row in values]
        if max(len(row) for row in rows) > 1 and all(max(r) == min(r) for r in rows):
            continue
        for members in slices:
            members.sort(key=lambda image: (key(image) or 0.0, image.number))
        _refuse_twice(slices, name, key, place)
        if name == "trigger times":
            _refuse_two_acquisitions(slices, place)
        elif name == "instance numbers" and len(slices[0]) > 1:
            said.append(
                "no picture tells its time: the phases are in the order of their numbers, and the "
                "heart rate is unknown unless the header tells it"
            )
        return name
    one, other = slices[0][:2]
    what = f"slice 1 is there twice at number {one.number:g}: {one.file.name}, {other.file.name}"
    raise FacewarpError(what, place, "Keep one acquisition of each slice.")


def _refuse_twice(slices: list[list[SliceImage]], name: str, key: _Key, place: Path) -> None:
    for z, members in enumerate(slices):
        usual = (float(key(members[-1]) or 0) - float(key(members[0]) or 0)) / len(members)
        for one, other in pairwise(members):
            if float(key(other) or 0) - float(key(one) or 0) <= 1e-3 * usual:
                unit = {"trigger times": " ms", "acquisition times": " s"}.get(name, "")
                at = f"{'number ' if name == 'instance numbers' else ''}{key(one):g}{unit}"
                what = f"slice {z + 1} is there twice at {at}: {one.file.name}, {other.file.name}"
                raise FacewarpError(what, place, "Keep one acquisition of each slice.")


def _refuse_two_acquisitions(slices: list[list[SliceImage]], place: Path) -> None:
    """Refuse phases that come in pairs, as where a second acquisition lies between the first's."""
    for z, members in enumerate(slices):
        steps = np.diff([image.trigger_ms or 0.0 for image in members])
        if len(steps) < 5:
            continue
        long = float(np.median(np.sort(steps)[len(steps) // 2 :]))
        if (steps < _SHORT_STEP * long).mean() > _MIXED_SHARE:
            first = ", ".join(f"{image.trigger_ms:g}" for image in members[:4])
            what = f"slice {z + 1} has phases at {first} ... ms: pictures of several acquisitions"
            fix = "Give one acquisition alone (of several series, choose with --series)."
            raise FacewarpError(what, place, fix)


def mixed_up(data: NDArray[np.float32], slice_mm: float) -> bool:
    """Whether slices and phases of a cine were mixed up by whatever wrote it.

    Neighbouring phases of one slice look alike, neighbouring slices less so. A stack of which the
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


def _fingerprints(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Every picture of ``(T, D, H, W)`` with fewer pixels, less its mean, of length 1."""
    step = max(1, min(data.shape[2:]) // 64)
    small = data[..., ::step, ::step].reshape(*data.shape[:2], -1)
    small = small - small.mean(axis=2, keepdims=True)
    return np.asarray(small / np.maximum(np.linalg.norm(small, axis=2, keepdims=True), 1e-9))


def _unlike(stack: NDArray[np.float32]) -> float:
    """How unlike neighbouring phases are, against neighbouring slices."""
    over_time = 1 - float((stack[1:] * stack[:-1]).sum(-1).mean())
    along = 1 - float((stack[:, 1:] * stack[:, :-1]).sum(-1).mean())
    return over_time / max(along, 1e-6)
