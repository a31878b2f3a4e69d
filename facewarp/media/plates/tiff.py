"""What the tags of a TIFF tell of its pixels, which Pillow hands out in 8 bits."""

import struct
from pathlib import Path
from typing import BinaryIO, Final

_BITS: Final = 258
_PHOTOMETRIC: Final = 262
_RGB: Final = 2
_DEEP_BITS: Final = 16


def tiff_is_deep(path: Path) -> bool:
    """Return whether a TIFF's first picture is RGB of 16 bits, also of files beyond 4 GB."""
    try:
        with path.open("rb") as file:
            return _is_deep(file)
    except (OSError, KeyError, struct.error):
        return False


def _is_deep(file: BinaryIO) -> bool:
    """Read the tags of TIFF 6.0, or of BigTIFF, whose numbers have 8 bytes.

    Raises:
        KeyError: it is no TIFF, or lacks a tag.
    """
    order = {b"II": "<", b"MM": ">"}[file.read(2)]
    is_big = {42: False, 43: True}[struct.unpack(f"{order}H", file.read(2))[0]]
    wide, count_of, entry = ("Q", "Q", "HHQ8s") if is_big else ("I", "H", "HHI4s")
    if is_big:
        file.seek(8)

    def number(form: str) -> int:
        value: int = struct.unpack(order + form, file.read(struct.calcsize(order + form)))[0]
        return value

    file.seek(number(wide))
    tags = {}
    for _ in range(number(count_of)):
        tag, _, count, value = struct.unpack(
            order + entry, file.read(struct.calcsize(order + entry))
        )
        tags[tag] = count, value
    count, value = tags[_BITS]
    if 2 * count > len(value):
        file.seek(struct.unpack(order + wide, value)[0])
        value = file.read(2)
    bits, color = (
        struct.unpack(f"{order}H", data[:2])[0] for data in (value, tags[_PHOTOMETRIC][1])
    )
    return bool(bits == _DEEP_BITS and color == _RGB and count >= 3)
