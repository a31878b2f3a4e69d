"""The order of a cine's phases: by what the pictures tell.

Order of trust
    Trigger times; temporal positions; acquisition times; numbers, with a sentence. A value that is
    the same in all pictures of a slice tells nothing; a trigger time or position that comes twice
    while others differ means that pictures of two acquisitions are mixed. An order by less trusted
    values that contradicts the trigger times of some pictures is refused.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.cardiac.io.slices.slice_image import SliceImage
from facewarp.cardiac.io.timing import missing_phase
from facewarp.errors import FacewarpError

_SHORT_STEP: Final = 0.4  # of the usual step: shorter ones mean two acquisitions
_MIXED_SHARE: Final = 0.3  # of steps that are short
_SEVERAL: Final = 3  # heartbeats; two are one that was begun in its middle
_LEAST_OF_BEAT: Final = 6  # pictures
_ACQUIRED: Final = "acquisition times"
_DAY_S: Final = 86400.0
_Key = Callable[[SliceImage], float | None]
_KEYS: Final[tuple[tuple[str, _Key], ...]] = (
    ("trigger times", lambda image: image.trigger_ms),
    ("temporal positions", lambda image: image.temporal),
    (_ACQUIRED, lambda image: image.acquired_s),
    ("instance numbers", lambda image: image.number),
)


def sort_phases(slices: list[list[SliceImage]], place: Path, said: list[str]) -> str:
    """Sort each slice's pictures by time, and tell by what.

    Args:
        slices: the pictures of each slice, sorted in place.
        place: where they are from, for messages.
        said: what is to be said of the order is added to it.

    Raises:
        FacewarpError: a picture is there twice, nothing tells the order, or what tells it
            contradicts the trigger times of some pictures.
    """
    for name, key in _KEYS:
        values = [[key(image) for image in members] for members in slices]
        if any(value is None for row in values for value in row):
            continue
        rows = [[float(v) for v in row if v is not None] for row in values]
        if name == _ACQUIRED:
            key = _since(key, _day_begins(rows))
            rows = [[key(image) or 0.0 for image in members] for members in slices]
        silent = [z for z, row in enumerate(rows) if len(row) > 1 and max(row) == min(row)]
        if silent and len(silent) < len(rows):
            which = ", ".join(str(z + 1) for z in silent[:4])
            said.append(
                f"the {name} of all pictures of slice {which} are the same, so that they do not "
                "tell the order of the phases"
            )
        if silent:
            continue
        if name == _ACQUIRED and any(len(set(row)) < len(row) for row in rows):
            continue  # whole seconds, in which several pictures were taken
        for members in slices:
            members.sort(key=lambda image: (key(image) or 0.0, image.number))
        _refuse_twice(slices, name, key, place)
        if name == "trigger times":
            _refuse_two_acquisitions(slices, place)
            _say_late_starts(slices, said)
            _say_several_beats(slices, said)
            turned = _against_numbers(slices)
            if 0 < len(turned) < len(slices):
                said.append(
                    f"trigger times put the phases of slice {turned[0] + 1} in another order than "
                    "its numbers, which is so in "
                    f"{len(turned)} of {len(slices)} slices: check them, one may be damaged"
                )
            if gap := missing_phase([image.trigger_ms or 0.0 for image in slices[0]]):
                said.append(f"trigger times of slice 1: {gap}")
        elif len(slices[0]) > 1:
            _refuse_other_order(slices, name, place)
            _say_what_tells(slices, name, said)
        return name
    z = next((z for z, members in enumerate(slices) if len(members) > 1), 0)
    what = (
        f"nothing tells the order of the {len(slices[z])} pictures of slice {z + 1}: neither "
        f"times nor positions, and all have the number {slices[z][0].number:g}"
    )
    raise FacewarpError(what, place, "Export the series again, with its trigger times.")


def _day_begins(rows: list[list[float]]) -> float:
    """Return a second of the day at which no picture was being taken: the end of the longest pause.

    Times of a scan around midnight begin at 0 again; dates, which tools change, are not looked at.
    """
    times = np.unique(np.concatenate([np.asarray(row) for row in rows]))
    pauses = np.diff(times, prepend=times[-1] - _DAY_S)
    return float(times[int(pauses.argmax())])


def _since(key: _Key, start: float) -> _Key:
    """Return a key of seconds of the day that goes on after midnight, from a second of the day."""

    def seconds(image: SliceImage) -> float | None:
        value = key(image)
        return None if value is None else value + _DAY_S * (value < start)

    return seconds


def _say_late_starts(slices: list[list[SliceImage]], said: list[str]) -> None:
    """Say which slices begin more than a phase earlier or later than the others."""
    starts = np.array([members[0].trigger_ms for members in slices], dtype=np.float64)
    ends = np.array([members[-1].trigger_ms for members in slices], dtype=np.float64)
    usual = float(np.median(starts))
    step = float(np.median(ends - starts)) / max(len(slices[0]) - 1, 1)
    odd = np.flatnonzero(np.abs(starts - usual) > step)
    if odd.size and step > 0:
        which = ", ".join(f"{z + 1} at {starts[z]:g} ms" for z in odd[:4])
        said.append(
            f"slices begin at different times after the R wave: most at {usual:g} ms, slice "
            f"{which}. Phases of one number are not of one moment, and volumes are wrong if so"
        )


def _say_several_beats(slices: list[list[SliceImage]], said: list[str]) -> None:
    """Say where trigger times begin anew several times in the order of the pictures' numbers.

    Real-time imaging takes one heartbeat after another; scanners that number pictures in no order
    make times fall at every other picture.
    """
    beats = []
    for members in slices:
        times = [image.trigger_ms or 0.0 for image in sorted(members, key=lambda i: i.number)]
        falls = sum(later < earlier for earlier, later in pairwise(times))
        beats.append(falls + 1 if falls * _LEAST_OF_BEAT <= len(times) else 1)
    usual = sorted(beats)[len(beats) // 2]
    if usual >= _SEVERAL:
        said.append(
            f"trigger times begin anew {usual - 1} times in the order of the pictures' numbers: "
            f"pictures of {usual} heartbeats are laid together as one, by their time after the R "
            "wave"
        )


def _refuse_other_order(slices: list[list[SliceImage]], name: str, place: Path) -> None:
    """Refuse an order against the trigger times that some of the pictures have."""
    for z, members in enumerate(slices):
        times = [image.trigger_ms for image in members if image.trigger_ms is not None]
        if any(later < earlier for earlier, later in pairwise(times)):
            what = (
                f"{name} put the phases of slice {z + 1} in another order than its trigger times, "
                "which are not told by every picture of the stack"
            )
            raise FacewarpError(what, place, "Export the series again, with its trigger times.")


def _say_what_tells(slices: list[list[SliceImage]], name: str, said: list[str]) -> None:
    """Say what the order is from where it is not from trigger times, and what contradicts it."""
    if name == "instance numbers":
        some = any(image.trigger_ms for members in slices for image in members)
        who = "not every picture tells" if some else "no picture tells"
        said.append(
            f"{who} its time: the phases are in the order of their numbers, and the heart rate is "
            "unknown unless the header tells it"
        )
    elif name == _ACQUIRED and (turned := _against_numbers(slices)):
        said.append(
            f"the phases are in the order of their acquisition times, which in {len(turned)} "
            f"of {len(slices)} slices is not that of their numbers"
        )


def _against_numbers(slices: list[list[SliceImage]]) -> list[int]:
    """Return the slices whose order is not that of their instance numbers, counted from 0."""
    return [
        z
        for z, members in enumerate(slices)
        if len({image.file for image in members}) == len(members)  # numbers of their own
        and len({image.number for image in members}) == len(members)
        and any(later.number < earlier.number for earlier, later in pairwise(members))
    ]


def _refuse_twice(slices: list[list[SliceImage]], name: str, key: _Key, place: Path) -> None:
    for z, members in enumerate(slices):
        usual = (float(key(members[-1]) or 0) - float(key(members[0]) or 0)) / len(members)
        for one, other in pairwise(members):
            if float(key(other) or 0) - float(key(one) or 0) <= 1e-3 * usual:
                unit = {"trigger times": " ms", _ACQUIRED: " s"}.get(name, "")
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
