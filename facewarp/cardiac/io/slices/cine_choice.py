"""Which of the pictures in a folder are the short-axis cine, and which are something else.

Pictures are told apart by examination, series, description, image type and place. Series of one
slice each make one stack; series that lie on the same slices are several cines, of which the user
chooses one. Stills, long-axis cines and phase pictures are left out, and it is said.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from facewarp.cardiac.io.slices.acquisition import (
    LEAST_SLICES,
    Acquisition,
    about_counts,
    one_name,
)
from facewarp.cardiac.io.slices.one_stack import (
    grids_joined,
    refuse_incomplete,
    refuse_not_parallel,
)
from facewarp.cardiac.io.slices.slice_image import SAME_MM, SliceImage
from facewarp.errors import FacewarpError

_PARALLEL: Final = 1e-3
_LEAST_JOINED: Final = 4  # phases, each a series of its own, that make a cine
_SHORT: Final = re.compile(r"(?<![a-z])(sax?|sas|ksa|short|shax|kurz\w*)(?![a-z])", re.IGNORECASE)
_LONG: Final = re.compile(
    r"((?<!\d)[2-4]\s*-?_?(ch|chamber|kammer|cv)\b|(?<![a-z0-9])[2-4]c(?![a-z0-9])"
    r"|(?<![a-z])(la|lax|long|hla|vla|lvot|rvot)(?![a-z])|axial|transvers|coronal|sagittal|aort)",
    re.IGNORECASE,
)
_NO_CINE: Final = re.compile(
    r"((?<![a-z])perf|inline.?vf|first.?pass|molli|t[12].?map|late.?(gad|enh)|psir|phase.?contrast"
    r"|(?<![a-z])(lge|mde|tagg?(ing)?)(?![a-z]))",
    re.IGNORECASE,
)
_CINE: Final = re.compile(r"(?<![a-z])cine(?![a-z])", re.IGNORECASE)


def choose_cine(
    images: Sequence[SliceImage], place: Path, series: str | None = None
) -> tuple[list[SliceImage], list[str]]:
    """Return the pictures of the short-axis cine among those of a folder.

    Args:
        images: all pictures.
        place: where they are from, for messages.
        series: name, number or end of the UID of the series meant; None to choose.

    Returns:
        The pictures, and what is to be said of those left out.

    Raises:
        FacewarpError: several examinations or cines, or none of the name given.
    """
    _one_study(images, place)
    said: list[str] = []
    pieces = _pieces(images)
    wanted = (series or "").strip()
    numbered = [piece for piece in pieces if [wanted] == [*map(str, piece.numbers)]]
    is_stack = any(piece.slices >= LEAST_SLICES for piece in numbered)
    acquisitions = _stacked(numbered if is_stack else pieces, said)
    acquisitions = _magnitude(acquisitions, said)
    if series is not None:
        acquisitions = _named(acquisitions, series, place)
    acquisitions = grids_joined(_phases_joined(acquisitions, said))
    cines = [one for one in acquisitions if one.phases > 1] or acquisitions
    stills = [one for one in acquisitions if one not in cines]
    if stills:
        said.append("left out, one phase alone: " + "; ".join(s.described() for s in stills))
    if series is None:
        cines = _without_others(cines, said)
        refuse_not_parallel(cines, place)
    chosen = _short_axis(cines, place, said)
    if series is None:
        refuse_incomplete(chosen, cines, place)
        said += _about_name(chosen)
    return chosen.images, [*said, *about_counts(chosen, images)]


def _about_name(chosen: Acquisition) -> list[str]:
    """Return what is to be said of a cine that is named after something else."""
    if _NO_CINE.search(chosen.title) and not _CINE.search(chosen.title):
        kind = "perfusion, late enhancement, a map or another sequence over time"
    elif _LONG.search(chosen.title) and not _SHORT.search(chosen.title):
        kind = "another plane than the short axis"
    else:
        return []
    return [
        f"by its name this is {kind}: {chosen.described()}; it is measured as a short-axis cine, "
        "and its numbers mean nothing if it is none"
    ]


def _one_study(images: Sequence[SliceImage], place: Path) -> None:
    studies: dict[str, list[SliceImage]] = {}
    for image in images:
        studies.setdefault(image.study, []).append(image)
    if len(studies) == len(images):  # UIDs were replaced one by one: they tell nothing
        return
    if len(studies) > 1:
        some = "; ".join(
            f"{len(members)} pictures in {members[0].file.parent.name}"
            for members in list(studies.values())[:4]
        )
        what = f"pictures of {len(studies)} examinations are mixed: {some}"
        raise FacewarpError(what, place, "Give a folder for each.")


def _pieces(images: Sequence[SliceImage]) -> list[Acquisition]:
    """Return the pictures by series, size, direction, component, and by repeats within a series."""
    pieces: dict[tuple[object, ...], list[Acquisition]] = {}
    told = len({image.series for image in images}) < len(images)  # else replaced one by one
    for image in images:
        series = image.series if told else f"{image.series_number} {image.title}"
        alike = pieces.setdefault((series, image.shape, image.component), [])
        for one in alike:
            if one.images[0].has_grid_of(image):
                one.images.append(image)
                break
        else:
            alike.append(Acquisition([image]))
    return [part for alike in pieces.values() for one in alike for part in _repeats(one)]


def _repeats(one: Acquisition) -> list[Acquisition]:
    """Acquisitions within one series that each show several phases of every slice."""
    by_number: dict[int, list[SliceImage]] = {}
    for image in one.images:
        by_number.setdefault(image.acquisition, []).append(image)
    parts = [Acquisition(members) for members in by_number.values()]
    depth = one.slices
    if len(parts) > 1 and all(part.slices == depth and part.phases > 1 for part in parts):
        return parts
    return [one]


def _stacked(pieces: list[Acquisition], said: list[str]) -> list[Acquisition]:
    """Series of one slice each as stacks: a piece joins the stack whose slices it does not hold."""
    ordered = sorted(pieces, key=lambda p: (p.numbers or [0], p.images[0].series))
    stacks: list[Acquisition] = []
    for piece in ordered:
        fits = [stack for stack in stacks if _beside(stack, piece)]
        fits.sort(key=lambda stack: stack.title != piece.title)
        if fits:
            if piece.slices >= LEAST_SLICES and piece.phases > 1:  # or a repeat, a little aside
                said.append(
                    f"{piece.described()} lies beside the slices of {fits[0].described()}: both "
                    "are taken as one stack; of repeats choose one with --series NUMBER"
                )
            fits[0].images.extend(piece.images)
        else:
            stacks.append(Acquisition(list(piece.images)))
    return stacks


def _beside(stack: Acquisition, piece: Acquisition) -> bool:
    """Whether a piece holds other slices of what a stack shows."""
    one, other = stack.images[0], piece.images[0]
    alike = one.has_grid_of(other) and one.component == other.component
    if not alike or (stack.phases > 1) != (piece.phases > 1):
        return False
    apart = np.abs(np.subtract.outer(stack.places, piece.places))
    return bool(apart.min() > SAME_MM)


def _phases_joined(acquisitions: list[Acquisition], said: list[str]) -> list[Acquisition]:
    """Stacks of one phase each as one cine, where they are of one name and of different times.

    Some scanners and workstations make a series of every phase, and programs that take names out of
    files may give every picture a series of its own.
    """
    if any(one.phases > 1 for one in acquisitions):
        return acquisitions
    joined: list[Acquisition] = []
    for one in acquisitions:
        fits = [other for other in joined if _another_phase(other, one)]
        if fits:
            fits[0].images.extend(one.images)
        else:
            joined.append(Acquisition(list(one.images)))
    cines = [one for one in joined if one.phases >= _LEAST_JOINED]
    if not cines:
        return acquisitions
    said += [
        f"every phase is a series of its own: {one.phases} of one name and place are one cine"
        for one in cines
    ]
    return joined


def _another_phase(cine: Acquisition, stack: Acquisition) -> bool:
    """Whether a stack of one phase shows the slices of a cine at another time."""
    one, other = cine.images[0], stack.images[0]
    alike = one.has_grid_of(other) and one.component == other.component
    if not alike or not one_name(cine, stack) or cine.slices != stack.slices:
        return False
    if np.abs(np.subtract(cine.places, stack.places)).max() > SAME_MM:
        return False
    before, after = ({_time(image) for image in part.images} for part in (cine, stack))
    return None not in before | after and before.isdisjoint(after)


def _time(image: SliceImage) -> float | None:
    """Return what tells phases of several series apart; acquisition times and numbers do not."""
    return image.temporal if image.trigger_ms is None else image.trigger_ms


def _magnitude(acquisitions: list[Acquisition], said: list[str]) -> list[Acquisition]:
    """Those of magnitude where there are such; phase, real and imaginary pictures are named."""
    kept = [one for one in acquisitions if one.images[0].component == "magnitude"]
    if not kept or len(kept) == len(acquisitions):
        return acquisitions
    others = [one for one in acquisitions if one not in kept]
    names = "; ".join(f"{one.images[0].component} pictures of {one.described()}" for one in others)
    said.append(f"left out: {names}")
    return kept


def _without_others(cines: list[Acquisition], said: list[str]) -> list[Acquisition]:
    """Without series over time that are named after another sequence, where others are there.

    Perfusion shows many heartbeats of a few slices of the cine, one moment of each; maps and
    late enhancement several inversion times; Siemens' InlineVF the cine with contours drawn in it.
    """
    kept = [one for one in cines if not _NO_CINE.search(one.title)]
    if not kept or len(kept) == len(cines):
        return cines
    others = [one for one in cines if one not in kept]
    said.append(f"left out, by their names no cines: {_listed(others)}")
    return kept


def _named(acquisitions: list[Acquisition], series: str, place: Path) -> list[Acquisition]:
    """Those that a user means: by the number of the series, its whole name, or a part of either."""
    wanted = series.strip().lower()
    tests = (
        lambda image: str(image.series_number) == wanted,
        lambda image: image.title.lower() == wanted,
        lambda image: wanted in image.title.lower() or image.series.endswith(wanted),
    )
    for test in tests:
        found = [one for one in acquisitions if any(test(image) for image in one.images)]
        if found:
            return found
    what = f"no series is called {series}: there are {_listed(acquisitions)}"
    raise FacewarpError(what, place, "Give the name or the number of one of them.")


def _short_axis(cines: list[Acquisition], place: Path, said: list[str]) -> Acquisition:
    """Return the one cine that is a short-axis stack."""
    if len(cines) == 1:
        return cines[0]
    deep = [one for one in cines if one.slices >= LEAST_SLICES]
    stacks = deep
    if len(stacks) > 1:
        short = [one for one in stacks if _SHORT.search(one.title)]
        stacks = short or [one for one in stacks if not _LONG.search(one.title)] or stacks
    if len(stacks) == 1:  # names do not choose between cines of the same slices
        stacks = [one for one in deep if one is stacks[0] or _same_slices(one, stacks[0])]
    if len(stacks) != 1:
        many = stacks or cines
        _refuse_untold_phases(many, place)
        what = f"there are {len(many)} cines: {_listed(many)}"
        fix = "Choose one with --series NAME or NUMBER, or give its folder alone."
        raise FacewarpError(what, place, fix)
    chosen = stacks[0]
    others = [one for one in cines if one is not chosen]
    for one in [one for one in others if _same_slices(one, chosen)]:
        others.remove(one)
        said.append(
            f"slice {_slices_again(one, chosen)} was acquired again ({one.described()}): the first "
            f"acquisition, of {chosen.described()}, is used"
        )
    if others:
        said.append(
            f"read: {chosen.described()}; left out, as long-axis or other cines: {_listed(others)}"
        )
    return chosen


def _slices_again(repeat: Acquisition, chosen: Acquisition) -> str:
    """Return the numbers of a stack's slices that another acquisition shows as well."""
    apart = np.abs(np.subtract.outer(chosen.places, repeat.places)).min(axis=1)
    return ", ".join(str(z + 1) for z in np.flatnonzero(apart <= SAME_MM))


def _refuse_untold_phases(many: Sequence[Acquisition], place: Path) -> None:
    """Refuse stacks of one phase each that are of one name and place and do not tell their times.

    Raises:
        FacewarpError: they seem to be the phases of one cine.
    """
    first = many[0]
    alike = [one for one in many if one.phases == 1 and one_name(first, one)]
    alike = [one for one in alike if one.places == first.places]
    if len(alike) < max(_LEAST_JOINED, len(many)):
        return
    what = (
        f"there are {len(alike)} series of one phase each on the same slices, {first.described()} "
        "and others: if they are one cine, no picture tells its time"
    )
    fix = "Write TriggerTime into the files, or give all phases as one NIfTI of (X, Y, Z, T)."
    raise FacewarpError(what, place, fix)


def _same_slices(one: Acquisition, other: Acquisition) -> bool:
    """Whether two stacks show the same slices."""
    if not np.allclose(one.images[0].axes, other.images[0].axes, atol=_PARALLEL):
        return False
    return bool(np.abs(np.subtract.outer(one.places, other.places)).min() <= SAME_MM)


def _listed(acquisitions: Sequence[Acquisition], most: int = 6) -> str:
    named = "; ".join(one.described() for one in acquisitions[:most])
    more = len(acquisitions) - most
    return f"{named}; and {more} more" if more > 0 else named
