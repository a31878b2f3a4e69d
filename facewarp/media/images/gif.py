"""GIF by its blocks: how many pictures it has, and whether its background color is seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

_MOST_BYTES = 64 << 20  # that are looked through
_CLEARED, _RESTORED = 2, 3  # what becomes of a picture when its time is over


@dataclass(frozen=True)
class _Picture:
    """One picture of a GIF: x0, y0, x1, y1 on the canvas, its end, and whether it has holes."""

    box: tuple[int, int, int, int]
    end: int
    is_opaque: bool

    def covers(self, box: tuple[int, int, int, int]) -> bool:
        """Return whether nothing of a box is seen beside this."""
        inside = self.box[0] <= box[0] and self.box[1] <= box[1]
        return self.is_opaque and inside and self.box[2] >= box[2] and self.box[3] >= box[3]


def is_still_gif(path: Path) -> bool:
    """Return whether a file is a GIF of one picture; others are videos."""
    data = _read(path)
    return data is not None and len(list(islice(_pictures(data), 2))) == 1


def shows_background(path: Path) -> bool:
    """Return whether FFmpeg fills a part of a GIF with its background color.

    It does where nothing was drawn yet, or a picture without holes was cleared away; browsers show
    what lies behind there, and so do the pictures' authors mean it.
    """
    data = _read(path)
    if data is None or not data[10] & 0x80:  # no common palette, no color of the background
        return False
    canvas = (0, 0, int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little"))
    pictures = list(_pictures(data))
    if not pictures:
        return False
    first = pictures[0]
    if first.is_opaque and not first.covers(canvas):
        return True
    return any(
        (one.end == _CLEARED or (one.end == _RESTORED and one is first))
        and one.is_opaque
        and not after.covers(one.box)
        for one, after in pairwise(pictures)
    )


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            data = file.read(6)
            if data[:4] != b"GIF8":
                return None
            data += file.read(_MOST_BYTES)
    except OSError:
        return None
    return data if len(data) > 13 else None


def _pictures(data: bytes) -> Iterator[_Picture]:
    """Yield the pictures of a GIF as far as it is whole."""
    at = 13 + (3 * (2 << (data[10] & 7)) if data[10] & 0x80 else 0)
    end, has_holes = 0, False
    while at + 10 < len(data):
        if data[at] == 0x21:
            if data[at + 1] == 0xF9:
                end, has_holes = data[at + 3] >> 2 & 7, bool(data[at + 3] & 1)
            at += 2
        elif data[at] == 0x2C:
            left, top, width, height = (
                int.from_bytes(data[at + k : at + k + 2], "little") for k in (1, 3, 5, 7)
            )
            yield _Picture((left, top, left + width, top + height), end, not has_holes)
            end, has_holes = 0, False
            at += 11 + (3 * (2 << (data[at + 9] & 7)) if data[at + 9] & 0x80 else 0)
        else:
            return
        while at < len(data) and data[at]:  # blocks of data up to an empty one
            at += data[at] + 1
        at += 1
