"""Slices that were acquired one by one as one stack, or why they are none.

Slices of one stack may have pixels of their own: another field of view, matrix or direction of
rows. They may be tilted a little. What belongs to a stack and cannot be read with it is refused:
volumes would lack it.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.cardiac.io.slices.acquisition import LEAST_SLICES, Acquisition, one_name
from facewarp.cardiac.io.slices.slice_image import by_position
from facewarp.errors import FacewarpError

_TILT_DEGREES: Final = 1.0  # up to which slices are parallel for a volume
_STACK_DEGREES: Final = 20.0  # up to which slices of one name were meant as one stack
_EVEN: Final = 0.1  # relative difference up to which steps between slices are the same


def grids_joined(acquisitions: list[Acquisition]) -> list[Acquisition]:
    """Stacks whose slices have pixels of their own as one, where their planes make one stack.

    Of a stack that is acquired slice by slice some may have another field of view, matrix or
    direction of rows, or be tilted a little.
    """
    left = sorted(acquisitions, key=lambda one: -one.slices)
    joined: list[Acquisition] = []
    while left:
        main = left.pop(0)
        if main.phases > 1:
            near = [one for one in left if _fits_planes(main, one)]
            named = [one for one in near if one_name(main, one)]
            for group in (near, named):
                images = [image for one in (main, *group) for image in one.images]
                if group and _is_even(Acquisition(images), main, group):
                    main, left = Acquisition(images), [one for one in left if one not in group]
                    break
        joined.append(main)
    return [one for one in acquisitions if one in joined] + [
        one for one in joined if one not in acquisitions
    ]


def _fits_planes(main: Acquisition, other: Acquisition) -> bool:
    """Whether another may hold slices of the same stack: parallel, of as many phases."""
    one, two = main.images[0], other.images[0]
    return (
        one.component == two.component
        and main.phases == other.phases
        and one.tilt_degrees(two) <= _TILT_DEGREES
    )


def _is_even(whole: Acquisition, main: Acquisition, others: Sequence[Acquisition]) -> bool:
    """Whether slices of several acquisitions lie evenly apart, none of them twice."""
    count = main.slices + sum(one.slices for one in others)
    steps = np.diff(whole.places)
    if whole.slices < count or count < LEAST_SLICES:
        return False
    return bool(np.abs(steps / np.median(steps) - 1).max() <= _EVEN)


def refuse_not_parallel(cines: Sequence[Acquisition], place: Path) -> None:
    """Refuse cines of one slice or two each that are of one name and tilted against one another.

    Raises:
        FacewarpError: they are a stack of which each slice was planned anew.
    """
    few = [one for one in cines if one.slices < LEAST_SLICES]
    if len(few) < len(cines) or len(cines) < LEAST_SLICES:
        return
    alike = [one for one in cines if one_name(cines[0], one)]
    angles = [a.images[0].tilt_degrees(b.images[0]) for a, b in pairwise(alike)]
    if len(alike) >= LEAST_SLICES and 0 < max(angles) <= _STACK_DEGREES:
        total = max(a.images[0].tilt_degrees(b.images[0]) for a in alike for b in alike)
        what = (
            f"the slices of {alike[0].title} are not parallel: up to {total:.1f} degrees lie "
            "between them, so that they make no volume"
        )
        raise FacewarpError(what, place, "Give a stack of parallel slices.")


def refuse_incomplete(chosen: Acquisition, cines: Sequence[Acquisition], place: Path) -> None:
    """Refuse a stack of which slices would be left out: its volumes would be too small.

    Raises:
        FacewarpError: other pictures of its name show planes beside its own.
    """
    normal, places = chosen.images[0].normal, chosen.places
    step = float(np.median(np.diff(places))) if len(places) > 1 else 0.0
    for one in cines:
        tilt = one.images[0].tilt_degrees(chosen.images[0])
        if one is chosen or not one_name(chosen, one) or tilt > _STACK_DEGREES:
            continue
        own = [float(members[0].middle_mm @ normal) for members in by_position(one.images)]
        if np.abs(np.subtract.outer(places, own)).min() < step / 2:
            continue
        why = f"are tilted by {tilt:.1f} degrees" if tilt > _TILT_DEGREES else "do not fit them"
        count = f"{one.slices} slice{'s' * (one.slices > 1)}"
        what = (
            f"{count} beside the {chosen.slices} of {chosen.described()} {why} "
            f"({one.described()}): volumes would lack them"
        )
        fix = "Export the stack with parallel slices evenly apart, or choose with --series NUMBER."
        raise FacewarpError(what, place, fix)
