"""Pictures of an APNG laid over one another as its specification says (PNG, third edition).

Pillow mixes half-transparent pixels into the alpha below them as if it were a color, and does not
bring back what was there before such a picture (`findings/pillow-apng-alpha-over-alpha.sh`).
"""

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_OF_PIXELS: Final = (b"PLTE", b"tRNS")
_CLEAR, _BRING_BACK, _OVER = 1, 2, 1


@dataclass
class _Part:
    """A picture of the file: where it lies on the canvas, and what becomes of it."""

    size: tuple[int, int]
    left: int
    top: int
    disposal: int
    blend: int
    data: list[bytes] = field(default_factory=list)


class Canvas:
    """The canvas of an APNG, on which its pictures are laid in their order.

    Args:
        path: of the file.

    Raises:
        ValueError: it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._head = b""
        self._kept: list[bytes] = []
        self._parts: list[_Part] = []
        self._read(path.read_bytes())
        width, height = struct.unpack_from(">II", self._head)
        self._shown = np.zeros((height, width, 4), np.uint8)
        self._next: NDArray[np.uint8] = self._shown
        self._count = 0

    def picture(self, number: int) -> NDArray[np.uint8]:
        """Return picture `number` (H, W, 4), alpha straight; to be asked for in their order.

        Raises:
            ValueError: it is damaged, or not there.
        """
        while self._count <= number:
            if self._count >= len(self._parts):
                raise ValueError(f"picture {number} is missing")
            self._lay(self._parts[self._count])
            self._count += 1
        return self._shown

    def _read(self, data: bytes) -> None:
        at, part = len(_SIGNATURE), None
        while at + 8 <= len(data):
            (length,) = struct.unpack_from(">I", data, at)
            name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
            at += 12 + length
            if len(body) < length:
                break
            if name == b"IHDR":
                self._head = body
            elif name in _OF_PIXELS:
                self._kept.append(_chunk(name, body))
            elif name == b"fcTL":
                _, width, height, left, top, _, _, disposal, blend = struct.unpack(">5I2H2B", body)
                part = _Part((width, height), left, top, disposal, blend)
                self._parts.append(part)
            elif name in (b"IDAT", b"fdAT") and part is not None:
                part.data.append(body if name == b"IDAT" else body[4:])
        if not self._head:
            raise ValueError("it has no header")

    def _lay(self, part: _Part) -> None:
        (width, height), left, top = part.size, part.left, part.top
        window = np.s_[top : top + height, left : left + width]
        before = self._next
        if before[window].shape[:2] != (height, width):
            raise ValueError("a picture lies outside of its canvas")
        pixels = self._decoded(part)
        shown = before.copy()
        shown[window] = over(pixels, shown[window]) if part.blend == _OVER else pixels
        self._shown = shown
        self._next = before if part.disposal == _BRING_BACK else shown
        if part.disposal == _CLEAR:
            self._next = shown.copy()
            self._next[window] = 0

    def _decoded(self, part: _Part) -> NDArray[np.uint8]:
        head = struct.pack(">II", *part.size) + self._head[8:]
        data = _SIGNATURE + _chunk(b"IHDR", head) + b"".join(self._kept)
        data += _chunk(b"IDAT", b"".join(part.data)) + _chunk(b"IEND", b"")
        with PIL.Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            return _rgba(picture)


def over(upper: NDArray[np.uint8], lower: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay RGBA over RGBA, (..., 4) with straight alpha."""
    above = upper[..., 3:].astype(np.float32) / np.float32(255)
    below = lower[..., 3:].astype(np.float32) / np.float32(255) * (1 - above)
    alpha = above + below
    color = upper[..., :3] * above + lower[..., :3] * below
    np.divide(color, alpha, out=color, where=alpha > 0)
    return np.rint(np.concatenate([color, 255 * alpha], axis=-1)).astype(np.uint8)


def _rgba(picture: PIL.Image.Image) -> NDArray[np.uint8]:
    """Return a picture (H, W, 4); of 16 bits of gray Pillow would make white."""
    if not picture.mode.startswith("I"):
        return np.asarray(picture.convert("RGBA"))
    codes = np.asarray(picture)
    gray = np.rint(codes / 257).astype(np.uint8)
    clear = codes == picture.info.get("transparency", -1)
    return np.dstack([gray, gray, gray, np.where(clear, 0, 255).astype(np.uint8)])


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
