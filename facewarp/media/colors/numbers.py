"""What picture files tell of colors beside profiles: H.273's numbers, and maps to make them HDR."""

import struct
from collections.abc import Iterator
from pathlib import Path

_MOST_BYTES = 1 << 20  # of a file's description, which stands before its pixels
_MAPS_OF_JPEG = (b"hdrgm:Version", b"urn:iso:std:iso:ts:21496:-1")
_MAPS_OF_HEIF = (b"tmap", b":aux:hdrgainmap")
_DAMAGE = (struct.error, IndexError, KeyError, ValueError)


def color_numbers(path: Path, kind: str | None) -> tuple[int, int] | None:
    """Return the primaries and the transfer that a picture file tells; None where it tells none.

    Args:
        path: the file.
        kind: its format, as `files.format_of` names it.
    """
    if kind not in ("PNG", "AVIF", "HEIF"):
        return None
    try:
        head = _head(path)
        return _of_png(head) if kind == "PNG" else _of_heif(head)
    except (OSError, *_DAMAGE):
        return None


def has_gain_map(path: Path, kind: str | None) -> bool:
    """Return whether an ordinary picture comes with a map that makes it HDR on screens that can.

    Args:
        path: the file.
        kind: its format, as `files.format_of` names it.
    """
    if kind not in ("JPEG", "AVIF", "HEIF"):
        return False
    try:
        head = _head(path)
        if kind != "JPEG":
            head = dict(_boxes(head))[b"meta"]
    except (OSError, *_DAMAGE):
        return False
    return any(mark in head for mark in (_MAPS_OF_JPEG if kind == "JPEG" else _MAPS_OF_HEIF))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


def _of_png(head: bytes) -> tuple[int, int] | None:
    at = 8
    while head[at + 4 : at + 8] not in (b"IDAT", b""):
        (length,) = struct.unpack_from(">I", head, at)
        if head[at + 4 : at + 8] == b"cICP":
            return head[at + 8], head[at + 9]
        at += length + 12
    return None


def _of_heif(head: bytes) -> tuple[int, int] | None:
    """Return what is told of the picture that is shown; others may be maps that belong to it."""
    parts = dict(_boxes(dict(_boxes(head))[b"meta"][4:]))
    pitm = parts[b"pitm"]
    shown = int.from_bytes(pitm[4 : 8 if pitm[0] else 6])
    kept = dict(_boxes(parts[b"iprp"]))
    properties = list(_boxes(kept[b"ipco"]))
    for index in _properties_of(shown, kept[b"ipma"]):
        name, data = properties[index - 1]
        if index and name == b"colr" and data[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", data, 4)
            return primaries, transfer
    return None


def _properties_of(item: int, ipma: bytes) -> list[int]:
    """Return the numbers, from 1, of an item's properties."""
    wide_ids, wide_numbers = ipma[0] > 0, ipma[3] & 1
    (entries,) = struct.unpack_from(">I", ipma, 4)
    at = 8
    for _ in range(entries):
        size = 4 if wide_ids else 2
        of, count = int.from_bytes(ipma[at : at + size]), ipma[at + size]
        at += size + 1
        step = 2 if wide_numbers else 1
        stored = [int.from_bytes(ipma[at + k * step :][:step]) for k in range(count)]
        at += count * step
        if of == item:
            return [number & (0x7FFF if wide_numbers else 0x7F) for number in stored]
    return []


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and contents of the boxes of an ISO media file."""
    at = 0
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        begin = 8
        if size == 1:
            (size,), begin = struct.unpack_from(">Q", data, at + 8), 16
        end = len(data) if size == 0 else at + size
        yield name, data[at + begin : end]
        if end <= at:
            return
        at = end
