"""Which part of the heart a segment or a region of interest is, by its codes and its name."""

import re
from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from facewarp.cardiac.io.label_order import AUTO, order_named
from facewarp.cardiac.parts import HeartPart


class Role(Enum):
    """What a drawn structure is."""

    CAVITY = auto()  #: the left ventricle within its wall
    LEFT = auto()  #: the left ventricle, with or without its wall: other structures tell
    WALL = auto()  #: its myocardium
    OUTER = auto()  #: its cavity and wall together, as the outer contour has them
    RIGHT = auto()  #: the right ventricle within its wall
    OTHER = auto()  #: a part that is not used here
    UNKNOWN = auto()


#: Roles by what ``--label-names`` calls them.
KEYS: Final = {"lv": Role.CAVITY, "wall": Role.WALL, "outer": Role.OUTER, "rv": Role.RIGHT}
_ROLE_OF_PART: Final = {
    HeartPart.LV: Role.CAVITY,
    HeartPart.MYOCARDIUM: Role.WALL,
    HeartPart.RV: Role.RIGHT,
}
#: SNOMED CT and the older SNOMED RT, which segmentations before 2018 have, under several names.
_SCHEMES: Final = {"SCT", "SRT", "SNM3", "99SDM"}
_CODED: Final = {
    "87878005": Role.LEFT,
    "T-32600": Role.LEFT,
    "53085002": Role.RIGHT,
    "T-32500": Role.RIGHT,
    "74281007": Role.WALL,  # myocardium
    "T-32020": Role.WALL,
    "49848007": Role.WALL,  # of the left ventricle
    "T-32620": Role.WALL,
}
_SIDES: Final = re.compile(r"^(?:sa)?(lv|rv)(?=.)|^sa(?=endo|epi)")
_OTHER: Final = re.compile(
    r"\b(atri\w*|l?ra|laa?|la(endo|epi|rv|ra)\w*|aort\w*|pulmon\w*|arter\w*|vein\w*|vena|valv\w*|"
    r"scar\w*|infarct\w*|lge|fat\w*|pericard\w*|thromb\w*|o?edema|effusion|insert\w*|sept\w*|"
    r"papill\w*|trabec\w*|mvo|out ?flow\w*|ot|lad|lcx|rca|brain|lateral|remote|axis|cent(er|re)|"
    r"apex|apical|basal|annul\w*|points?|anterior|inferior|mid|slice)\b|^(whole )?heart$"
)
_PIECE: Final = re.compile(
    r"\b(scar\w*|infarct\w*|fibros\w*|o?edema|mvo|papill\w*|trabec\w*|thromb\w*)\b"
)
_LEFT: Final = re.compile(r"\b(lv|left|ventric\w* l|l ventric\w*)\b")
_RIGHT: Final = re.compile(r"\b(rv|right|ventric\w* r|r ventric\w*)\b")
_VENTRICLE: Final = re.compile(r"\b([lr]v|ventric\w*)\b")
_INNER: Final = re.compile(r"\b(endo\w*|cav\w*|bp|blood|pool|lumen|chamber|[lr]v c)\b")
_EPI: Final = re.compile(r"\b(epi\w*|whole|entire|total)\b")
_WALL: Final = re.compile(r"\b(myo\w*|muscle|wall|mass|lv m)\b")
_MOMENT: Final = re.compile(r"\b(ed|es|end (?:diastol|systol)\w*|diastol\w*|systol\w*)\b")


def words_of(name: str) -> str:
    """Return a name as words in small letters, the side apart: ``LVendo`` is ``lv endo``."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)|(?<=\d)(?=[A-Za-z])", " ", name)
    words = []
    for word in re.findall(r"[a-z]+|\d+", parted.lower()):
        words += _SIDES.sub(lambda found: f"{found.group(1) or ''} ", word).split()
    return " ".join(words)


def role_of_name(name: str) -> Role:
    """Return what a structure is by its name alone, in the words that tools and readers use."""
    words = words_of(name)
    if _OTHER.search(words):
        return Role.OTHER
    left, right = bool(_LEFT.search(words)), bool(_RIGHT.search(words))
    inner, outer, wall = (bool(one.search(words)) for one in (_INNER, _EPI, _WALL))
    ventricle = bool(_VENTRICLE.search(words))
    if (left and right) or (inner and (wall or outer)):
        return Role.UNKNOWN
    if right:
        if wall or outer:
            return Role.OTHER
        return Role.RIGHT if ventricle or inner else Role.UNKNOWN
    if wall:
        return Role.WALL
    if outer and (left or "epi" in words):
        return Role.OUTER
    if inner and (left or "endo" in words):
        return Role.CAVITY
    return Role.LEFT if left and ventricle else Role.UNKNOWN


def is_piece(name: str) -> bool:
    """Whether a structure of another name may be a piece of wall or cavity, as a scar is."""
    return _PIECE.search(words_of(name)) is not None


def role_of_codes(codes: Sequence[tuple[str, str, str]]) -> Role:
    """Return what a structure is by its code and the modifiers of it.

    Args:
        codes: value, scheme and meaning of each, that of the type first.
    """
    if not codes:
        return Role.UNKNOWN
    value, scheme, _ = codes[0]
    if scheme in _SCHEMES and value in _CODED:
        return _CODED[value]
    return role_of_name(" ".join(meaning for _, _, meaning in codes))


def combined(name: Role, code: Role) -> Role | None:
    """Return what name and code tell together; None where they contradict each other."""
    if name == code or code in (Role.UNKNOWN, Role.OTHER):
        return name if name != Role.UNKNOWN else code
    if name in (Role.UNKNOWN, Role.OTHER):
        return code if name == Role.UNKNOWN else name
    both = {name, code}
    if both == {Role.WALL, Role.OUTER}:
        return Role.WALL  # whether it is filled, the cavity within it tells
    if Role.LEFT in both and Role.RIGHT not in both:
        return (both - {Role.LEFT}).pop()
    return None


def role_of_number(number: int, order: str) -> Role:
    """Return what a segment is by its number in a convention of ids, such as ``"acdc"``."""
    if order == AUTO:
        return Role.UNKNOWN
    part = order_named(order).parts.get(number)
    return Role.OTHER if part is None else _ROLE_OF_PART[part]


def moment_of(name: str) -> str:
    """Return ``"ED"`` or ``"ES"`` where a name says it; "" otherwise."""
    found = _MOMENT.findall(words_of(name))
    moments = {"ES" if "s" in word[:2] or "systol" in word else "ED" for word in found}
    return moments.pop() if len(moments) == 1 else ""
