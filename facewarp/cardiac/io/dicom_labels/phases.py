"""Which phases labels are of: those of the pictures that they name as their sources."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from facewarp.cardiac.io.slices.dicom_tags import tag_value
from facewarp.cardiac.io.volume import Volume
from facewarp.errors import FacewarpError

PHASE_FIX: Final = (
    "Give the cine as the DICOM series that they were drawn on, or labels of one phase with --ed."
)
UNRELATED: Final = (
    "the labels name none of the cine's pictures as those that they were drawn on: they are laid "
    "by place alone"
)


@dataclass(frozen=True)
class Sources:
    """The pictures that a mask or contour names.

    Attributes:
        named: UIDs.
        phases: indices of those of the cine's phases that they belong to.
    """

    named: frozenset[str] = frozenset()
    phases: frozenset[int] = frozenset()


def sources_in(references: Iterable[Any], volume: Volume) -> Sources:
    """Return what items with ReferencedSOPInstanceUID, and perhaps frame numbers, name."""
    named, phases = set(), set()
    for item in references:
        uid = str(tag_value(item, "ReferencedSOPInstanceUID") or "")
        if not uid:
            continue
        named.add(uid)
        frames = volume.phase_of.get(uid, {})
        numbers = tag_value(item, "ReferencedFrameNumber")
        if numbers is None:
            phases |= set(frames.values())
        else:
            wanted = [int(one) - 1 for one in np.atleast_1d(numbers)]
            phases |= {frames[one] for one in wanted if one in frames}
    return Sources(frozenset(named), frozenset(phases))


def settle_phases(
    sources: Sequence[Sources],
    whole: Sources,
    positions: Sequence[int | None],
    volume: Volume,
    path: Path,
) -> tuple[list[int | None], list[str]]:
    """Tell the phase of each mask or contour of a file.

    By the pictures that each names; where these are of several phases, as of programs that name
    every picture in the same place, by its temporal position; else by what the whole file names.

    Args:
        sources: what each names.
        whole: what the file names as a whole.
        positions: temporal position of each, from 1; None where it is not told.
        volume: the cine.
        path: the file, for messages.

    Returns:
        Index of the phase of each, all None where nothing tells it, and what is to be said.

    Raises:
        FacewarpError: some are told and others are not.
    """
    said = []
    named = {uid for one in (*sources, whole) for uid in one.named}
    known = [one.phases for one in sources]
    if named and volume.phase_of and not any((*known, whole.phases)):
        said.append(UNRELATED)
    if known and all(len(one) == 1 for one in known):
        return [next(iter(one)) for one in known], said
    placed = [None if one is None else one - 1 for one in positions]
    if placed and all(
        one is not None and one in range(volume.phases) and (not phases or one in phases)
        for one, phases in zip(placed, known, strict=True)
    ):
        return list(placed), said
    told = [one for one in known if one]
    common = frozenset.intersection(*told) if told else whole.phases
    if len(common) == 1:
        return [next(iter(common))] * len(sources), said
    if told and any(len(one) == 1 for one in told):
        count = sum(len(one) != 1 for one in known)
        what = (
            f"of {count} of {len(known)} masks or contours it is not told which phase they are of"
        )
        raise FacewarpError(what, path, PHASE_FIX)
    return [None] * len(sources), said
