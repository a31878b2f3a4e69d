"""Values of DICOM headers as numbers and texts; what is damaged is named, never shown.

A damaged length makes a value run on into the patient's name. Messages therefore name the attribute
and the file, and hold no value but the few that the standard defines.
"""

import math
import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from facewarp.errors import FacewarpError

#: What pydicom and numpy raise on headers and pixels that are not as the standard has them.
DAMAGE: Final = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    NotImplementedError,
    RecursionError,
    EOFError,
    OSError,
    struct.error,
)
_TAG: Final = re.compile(r"\([0-9A-Fa-f]{4}, ?[0-9A-Fa-f]{4}\)")
_AGAIN: Final = "Copy or export it again."
_FIRST_BLOCK: Final = 0x10  # of elements that are reserved for a vendor
_LAST_BLOCK: Final = 0xFF
_MAX_TEXT: Final = 64  # letters that a title has at most (VR LO)
_MODALITIES: Final = {
    "AU", "BMD", "CR", "CT", "DOC", "DX", "ECG", "EPS", "ES", "HD", "IO", "IVUS", "KO", "MG", "NM",
    "OCT", "OT", "PR", "PT", "PX", "REG", "RF", "RTDOSE", "RTIMAGE", "RTPLAN", "RTSTRUCT", "SC",
    "SEG", "SM", "SR", "US", "XA", "XC",
}  # fmt: skip


@dataclass(frozen=True)
class PrivateTag:
    """A vendor's own attribute, in a block of its group that the vendor's name reserves.

    Attributes:
        group: of the tag.
        element: where vendors usually put it.
        creator: what the block is reserved with.
    """

    group: int
    element: int
    creator: str

    def of(self, data: Any) -> tuple[int, int] | None:
        """Return its tag in a data set; None where it is absent or the block is another vendor's.

        Programs that take names out of files may take the reservations too: then the usual place
        counts.
        """
        blocks = {
            block: str(data[self.group, block].value or "")
            for block in range(_FIRST_BLOCK, _LAST_BLOCK + 1)
            if (self.group, block) in data
        }
        own = [block for block, creator in blocks.items() if creator.strip() == self.creator]
        usual = self.element >> 8
        if not own and usual not in blocks:
            own = [usual]
        tags = [(self.group, block << 8 | self.element & 0xFF) for block in own]
        return next((tag for tag in tags if tag in data), None)


class TagError(ValueError):
    """An attribute whose value cannot be what it says.

    Args:
        name: keyword of the attribute.
    """

    def __init__(self, name: str) -> None:
        """See the class."""
        self.name = name
        super().__init__(f"{name} cannot be read")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file, and the attribute where it is known, of what is damaged in a header.

    pydicom's own warnings are not shown, since they quote values.

    Raises:
        FacewarpError: a value in the header cannot be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pydicom")
            yield
    except DAMAGE as error:
        found = error.name if isinstance(error, TagError) else tag_in(error)
        what = f"{found} in the header is damaged" if found else "the header is damaged"
        raise FacewarpError(what, path, _AGAIN) from error


def tag_value(data: Any, name: str) -> Any:
    """Return an attribute's value as pydicom reads it; None where it is absent or empty.

    Raises:
        TagError: it cannot be read.
    """
    try:
        value = data.get(name)
    except Exception as error:
        raise TagError(name) from error
    return None if value in (None, "") else value


def frame_value(data: Any, frame: int, group: str, name: str) -> Any:
    """Return a value of one picture: its own, that of all pictures, or that of the file.

    Args:
        data: the file's header.
        frame: which of the file's pictures, from 0.
        group: keyword of the functional group's sequence that holds the value.
        name: keyword of the value.

    Raises:
        TagError: it, or what holds it, cannot be read.
    """
    groups = []
    own = tag_value(data, "PerFrameFunctionalGroupsSequence")
    shared = tag_value(data, "SharedFunctionalGroupsSequence")
    try:
        groups += [] if own is None else [own[frame]]
        groups += [] if shared is None else list(shared)
        for one in groups:
            for held in (group, group.replace("PerFrame", "Shared")):
                inner = tag_value(one, held)
                if inner and name in inner[0]:
                    return tag_value(inner[0], name)
    except TagError:
        raise
    except DAMAGE as error:
        raise TagError(group) from error
    return tag_value(data, name)


def private_number(data: Any, private: PrivateTag) -> float | None:
    """Return a private attribute as a number; None where it is absent or none.

    Raises:
        TagError: it cannot be read.
    """
    try:
        tag = private.of(data)
        return None if tag is None else number(data[tag].value)
    except Exception as error:
        raise TagError(f"attribute ({private.group:04x},{private.element:04x})") from error


def number(value: Any) -> float | None:
    """Return a value as a finite number; None where it is absent or none."""
    try:
        found = None if value is None or value == "" else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if found is not None and math.isfinite(found) else None


def numbers(value: Any, name: str, count: int) -> list[float] | None:
    """Return a value as finite numbers; None where it is absent or of another count.

    Raises:
        TagError: there are as many, and not all are finite numbers.
    """
    if value is None:
        return None
    listed = [value] if isinstance(value, str | bytes | int | float) else list(value)
    if len(listed) != count:
        return None
    found = [number(one) for one in listed]
    if None in found:
        raise TagError(name)
    return [one for one in found if one is not None]


def whole(data: Any, name: str, default: int | None = None) -> int:
    """Return an attribute that is one whole number from 0.

    Args:
        data: the header.
        name: keyword of the attribute.
        default: where it is absent or empty; None where it must be there.

    Raises:
        TagError: it is something else.
    """
    value = tag_value(data, name)
    if value is None and default is not None:
        return default
    found = number(value)
    if found is None or found < 0 or found != int(found):
        raise TagError(name)
    return int(found)


def title(data: Any, *names: str) -> str:
    """Return the first of some attributes that is a title to be shown; "" where none is."""
    for name in names:
        text = str(tag_value(data, name) or "").strip()
        if text and text.isprintable():
            return text[:_MAX_TEXT]
    return ""


def modality_word(modality: str) -> str:
    """Return a modality to be shown: one that the standard defines, or ``"unknown"``."""
    return modality if modality in _MODALITIES else "unknown"


def check_groups(data: Any, frames: int) -> None:
    """Check that a file describes as many pictures as it says it holds.

    Raises:
        TagError: it does not.
    """
    groups = tag_value(data, "PerFrameFunctionalGroupsSequence")
    if groups is not None and len(groups) != frames:
        raise TagError("NumberOfFrames")


def rescaling(data: Any, frame: int) -> tuple[float, float]:
    """Return slope and intercept from what is stored to grey values.

    Raises:
        TagError: one is no finite number, or the slope is not positive: grey values would be turned
            round or all alike.
    """
    defaults = {"RescaleSlope": 1.0, "RescaleIntercept": 0.0}
    result = []
    for name, default in defaults.items():
        value = frame_value(data, frame, "PixelValueTransformationSequence", name)
        told = default if value is None else number(value)
        if told is None or (name == "RescaleSlope" and told <= 0):
            raise TagError(name)
        result.append(told)
    return result[0], result[1]


def seconds_of_day(text: str) -> float | None:
    """Return the seconds of ``HHMMSS.ffffff``; None where it is no time."""
    digits = text.partition("+")[0].partition("-")[0].replace(":", "")
    try:
        return int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + float(digits[4:])
    except ValueError:
        return None


def tag_in(error: BaseException) -> str:
    """Return the tag that a message of pydicom names, of which nothing else is shown."""
    found = _TAG.search(str(error))
    return f"attribute {found.group()}" if found else ""
