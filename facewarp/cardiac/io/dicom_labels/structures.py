"""Drawn structures, which may overlap, as parts of the heart, which may not."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.cardiac.io.dicom_labels.part_names import (
    KEYS,
    Role,
    combined,
    is_piece,
    moment_of,
    role_of_codes,
    role_of_name,
    role_of_number,
)
from facewarp.cardiac.io.label_order import AUTO
from facewarp.cardiac.parts import HeartPart
from facewarp.errors import FacewarpError

Bits = NDArray[np.int32]
Mask = NDArray[np.bool_]

NAMES_FIX: Final = (
    'Say which is which: --label-names "lv=NAME,wall=NAME,rv=NAME" (names or numbers; outer=NAME '
    "for the left ventricle with its wall)."
)
_WITHIN: Final = 0.95  # share of a part within another one that makes it a part of that
_OVERLAP: Final = 0.05  # share of a part in another one that is refused
_OVERLAP_SAID: Final = 0.01
_MOST: Final = 30  # structures that fit into the bits of a voxel
_SHOWN: Final = 12


@dataclass(frozen=True)
class PartChoice:
    """What the user says of the structures.

    Attributes:
        names: ``"lv=NAME,wall=NAME,rv=NAME"``; None where names and codes are to tell.
        order: convention of the segments' numbers, or ``"auto"``.
    """

    names: str | None = None
    order: str = AUTO

    @property
    def is_given(self) -> bool:
        """Whether the user says anything."""
        return self.names is not None or self.order != AUTO


@dataclass(frozen=True)
class Structure:
    """A segment or region of interest.

    Attributes:
        number: in its file.
        name: what readers see of it.
        code: what its code means in words; "" without one.
        role: which part it is.
    """

    number: int
    name: str
    code: str
    role: Role

    @property
    def text(self) -> str:
        """Number, name and code in words."""
        coded = f" ({self.code})" if self.code and self.code.lower() != self.name.lower() else ""
        return f"{self.number} {self.name!r}{coded}"


@dataclass(frozen=True)
class StructureName:
    """What a file says of a structure.

    Attributes:
        number: in its file.
        name: what readers see of it.
        codes: value, scheme and meaning of its type's code and of that code's modifiers.
    """

    number: int
    name: str
    codes: tuple[tuple[str, str, str], ...] = ()


def with_unnamed(found: Sequence[StructureName], drawn: Iterable[int]) -> list[StructureName]:
    """Return the structures of a file, and those that it draws without saying what they are.

    Args:
        found: what it says of its structures.
        drawn: numbers of those that it draws.
    """
    named = {one.number for one in found}
    more = sorted({number for number in drawn if number not in named})
    return [*found, *(StructureName(number, "not described") for number in more)]


def about_undrawn(parts: Sequence[Structure], drawn: Iterable[int]) -> list[str]:
    """Return a sentence about parts of which nothing is drawn.

    Args:
        parts: the structures that are parts.
        drawn: numbers of those that the file draws.
    """
    seen = set(drawn)
    empty = [one for one in parts if one.number not in seen]
    return [f"nothing is drawn of {listed(empty)}"] if empty else []


def parts_of(
    found: Sequence[StructureName], choice: PartChoice, path: Path
) -> tuple[tuple[Structure, ...], list[str]]:
    """Tell which structures are parts of the heart: as the user says, or by name and code.

    Args:
        found: what a file says of its structures.
        choice: what the user says of them.
        path: the file, for messages.

    Returns:
        Those that are a part, in the order of their bits, and what is to be said of others.

    Raises:
        FacewarpError: name and code contradict each other, none is a left ventricle, two have one
            number, or there are more parts than bits.
    """
    numbers = Counter(one.number for one in found)
    if doubled := [one for one in found if numbers[one.number] > 1]:
        names = " and ".join(repr(one.name) for one in doubled[:2])
        what = f"{names} have the same number, {doubled[0].number}: whose masks are whose is open"
        raise FacewarpError(what, path, "Export it again.")
    structures = _named(found, choice, path)
    parts = tuple(one for one in structures if one.role not in (Role.OTHER, Role.UNKNOWN))
    if len(parts) > _MOST:
        what = f"{len(parts)} structures are parts of the ventricles by their names"
        raise FacewarpError(what, path, NAMES_FIX)
    unknown = [one for one in structures if one.role == Role.UNKNOWN]
    told = "structures whose part neither name nor code tells are left out"
    said = [f"{told}: {listed(unknown)}; --label-names says what they are"] if unknown else []
    pieces = [one for one in structures if one.role == Role.OTHER and is_piece(one.name)]
    if pieces and choice.names is None:
        said.append(
            f"left out: {listed(pieces)}; where wall or cavity is drawn without them it lacks "
            'them: --label-names "wall=NAME+NAME" joins'
        )
    return parts, said


def _named(found: Sequence[StructureName], choice: PartChoice, path: Path) -> tuple[Structure, ...]:
    """Tell which part each structure is: as the user says, or by name and code."""
    wanted = None if choice.names is None else _wanted(found, choice.names, path)
    result = []
    for one in found:
        code = " ".join(meaning for _, _, meaning in one.codes)
        if wanted is not None:
            role: Role | None = wanted.get(one.number, Role.OTHER)
        elif choice.order != AUTO:
            role = role_of_number(one.number, choice.order)
        else:
            role = combined(role_of_name(one.name), role_of_codes(one.codes))
        if role is None:
            what = f"structure {one.number} is named {one.name!r}, but coded as {code!r}"
            raise FacewarpError(what, path, NAMES_FIX)
        result.append(Structure(one.number, one.name, code, role))
    if not {Role.CAVITY, Role.LEFT, Role.OUTER} & {one.role for one in result}:
        what = f"no structure is known as the left ventricle: there are {listed(result)}"
        raise FacewarpError(what, path, NAMES_FIX)
    return tuple(result)


def listed(structures: Sequence[Structure]) -> str:
    """Return structures in words."""
    texts = [one.text for one in structures[:_SHOWN]]
    more = len(structures) - _SHOWN
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "") if texts else "none"


def moment_in(structures: Sequence[Structure]) -> str:
    """Return ``"ED"`` or ``"ES"`` where the names of all parts say so; "" otherwise."""
    moments = {moment_of(one.name) for one in structures}
    return moments.pop() if len(moments) == 1 else ""


def compose(
    bits: Bits, structures: Sequence[Structure], path: Path
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return part ids of voxels that lie in some structures.

    What is drawn within the outer contour and outside the inner one is wall; a wall drawn as a
    filled area loses the cavity, a left ventricle drawn with its wall loses the wall.

    Args:
        bits: ``(T, ...)`` bit k of a voxel tells whether it lies in structure k.
        structures: those that are parts, by bit.
        path: their file, for messages.

    Returns:
        Part ids, ``(T, ...)``, and what is to be said.

    Raises:
        FacewarpError: parts overlap, or the left ventricle may hold its wall.
    """
    masks = {role: _mask(bits, structures, role) for role in Role}
    said: list[str] = []
    cavity, wall = _cavity(masks, structures, path, said)
    if not wall.any():
        wall = masks[Role.OUTER] & ~cavity
    elif _share(cavity, wall) >= _WITHIN:
        said.append(f"{_text(structures, Role.WALL)} is drawn with the cavity: it is taken out")
        wall = wall & ~cavity
    right = masks[Role.RIGHT]
    named = {"cavity": cavity, "wall": wall, "right ventricle": right}
    for one, other in (
        ("wall", "cavity"),
        ("right ventricle", "cavity"),
        ("right ventricle", "wall"),
    ):
        said += _about_overlap(named, one, other, path)
    parts = np.zeros(bits.shape, dtype=np.uint8)
    for part, mask in ((HeartPart.RV, right), (HeartPart.MYOCARDIUM, wall), (HeartPart.LV, cavity)):
        parts[mask] = part
    return parts, said


def _cavity(
    masks: dict[Role, Mask], structures: Sequence[Structure], path: Path, said: list[str]
) -> tuple[Mask, Mask]:
    """Return the left ventricle's cavity, and its wall as far as it is drawn by itself."""
    cavity, left, wall, outer = (
        masks[role] for role in (Role.CAVITY, Role.LEFT, Role.WALL, Role.OUTER)
    )
    if cavity.any():
        if not wall.any() and not outer.any() and left.any():
            masks[Role.OUTER] = left  # the ventricle beside its cavity is both together
        return cavity, wall
    name = _text(structures, Role.LEFT)
    if left.any() and wall.any():
        if _share(wall, left) < _WITHIN:
            return left, wall
        said.append(f"{name} is drawn with its wall: the wall is taken out")
        return left & ~wall, wall
    if left.any() and outer.any() and _share(left, outer) >= _WITHIN > _share(outer, left):
        return left, wall
    if outer.any() and wall.any():
        return outer & ~wall, wall
    if left.any() or outer.any():
        held = name if left.any() else _text(structures, Role.OUTER)
        what = f"{held} may hold the left ventricle's wall: no wall or cavity is drawn beside it"
        raise FacewarpError(what, path, f"If it is the cavity alone: {NAMES_FIX}")
    return cavity, wall


def _about_overlap(named: dict[str, Mask], one: str, other: str, path: Path) -> list[str]:
    share = _share(named[one], named[other])
    if share > _OVERLAP:
        what = f"{share:.0%} of the {one} lies in the {other}"
        raise FacewarpError(what, path, f"Draw them side by side. Or: {NAMES_FIX}")
    told = f"{share:.1%} of the {one} lies in the {other} and is counted there"
    return [told] if share > _OVERLAP_SAID else []


def refuse_twice(phases: Sequence[Bits], structures: Sequence[Structure], path: Path) -> None:
    """Refuse two structures that are the same part of one phase.

    Raises:
        FacewarpError: there are such ones.
    """
    for phase in phases:
        there = int(np.bitwise_or.reduce(phase, axis=None)) if phase.size else 0
        seen: dict[Role, Structure] = {}
        for k, one in enumerate(structures):
            if not there >> k & 1:
                continue
            if one.role in seen:
                what = f"{seen[one.role].text} and {one.text} are the same part of the heart"
                raise FacewarpError(what, path, f"{NAMES_FIX} NAME+NAME joins two.")
            seen[one.role] = one


def _mask(bits: Bits, structures: Sequence[Structure], role: Role) -> Mask:
    wanted = sum(1 << k for k, one in enumerate(structures) if one.role == role)
    return np.asarray((bits & wanted) != 0)


def _share(one: Mask, other: Mask) -> float:
    """Share of a mask that lies in another one."""
    return int(np.count_nonzero(one & other)) / max(int(np.count_nonzero(one)), 1)


def _text(structures: Sequence[Structure], role: Role) -> str:
    return " and ".join(one.text for one in structures if one.role == role)


def _wanted(found: Sequence[StructureName], names: str, path: Path) -> dict[int, Role]:
    """Read ``lv=NAME,wall=NAME+NAME,rv=3``: structure number -> role."""
    known = {one.name.strip().lower(): one.number for one in found}
    numbers = {str(one.number): one.number for one in found}
    result: dict[int, Role] = {}
    for pair in names.split(","):
        key, _, value = pair.partition("=")
        role = KEYS.get(key.strip().lower())
        if role is None or not value.strip():
            what = f"--label-names has {pair.strip()!r}"
            raise FacewarpError(what, fix=f"Give KEY=NAME, of the keys {', '.join(KEYS)}.")
        whole = value.strip().lower()
        for name in [whole] if whole in known else [one.strip() for one in whole.split("+")]:
            number = known.get(name, numbers.get(name))
            if number is None:
                there = listed([Structure(one.number, one.name, "", Role.UNKNOWN) for one in found])
                what = f"--label-names asks for {name!r}, but there are {there}"
                raise FacewarpError(what, path, "Give their names or numbers.")
            result[number] = role
    return result
