"""Pictures that come over a network: decoded in memory, and no further than their limits allow.

Nothing a sender claims is believed: the format is told by the data, the size is checked before
any pixel is decoded, and no name or path of theirs is ever used.
"""

import io
import struct
import zlib
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageOps

from facewarp.errors import FacewarpError
from facewarp.media.colors.profiles import in_srgb
from facewarp.media.frames import Image

MAX_BYTES: Final = 12 << 20
"""Size of a file that is taken."""
MAX_PIXELS: Final = 24_000_000
"""Pixels of a picture that is taken: those of a good telephone, 72 MB decoded."""
MAX_FRAME_PIXELS: Final = 1920 * 1200
"""Pixels of a frame of live video that is taken as a JPEG."""

_PHOTOGRAPHS = ("JPEG", "PNG", "WEBP")
_TEXTURES = ("PNG", "WEBP", "JPEG")
_COLOR = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
_SMALLEST_PX = 16
_DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, MemoryError, struct.error, zlib.error,
    PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning,
)  # fmt: skip  # Pillow's ways


def read_photograph(data: bytes) -> Image:
    """Return a JPEG, PNG or WebP file as (H, W, 3) uint8 RGB, upright by its EXIF.

    Raises:
        FacewarpError: It is none of these, damaged, or beyond the limits.
    """
    return np.array(in_srgb(_read(data, _PHOTOGRAPHS, MAX_PIXELS)).convert("RGB"))


def read_texture(data: bytes) -> NDArray[np.uint8]:
    """Decode a PNG, WebP or JPEG to (H, W, 4) uint8 RGBA, straight alpha; opaque if it has none.

    Raises:
        FacewarpError: It is none of these, damaged, or beyond the limits.
    """
    return np.array(in_srgb(_read(data, _TEXTURES, MAX_PIXELS)).convert("RGBA"))


def read_frame(data: bytes) -> Image:
    """Return a JPEG of live video as (H, W, 3) uint8 RGB.

    Raises:
        FacewarpError: It is no JPEG, damaged, or beyond the limits.
    """
    return np.array(_read(data, ("JPEG",), MAX_FRAME_PIXELS).convert("RGB"))


def _read(data: bytes, formats: tuple[str, ...], max_pixels: int) -> PIL.Image.Image:
    known = ", ".join(formats[:-1]) + " or " + formats[-1] if len(formats) > 1 else formats[0]
    if len(data) > MAX_BYTES:
        raise FacewarpError(
            f"the picture's file has {len(data) / (1 << 20):.0f} MB",
            fix=f"Up to {MAX_BYTES >> 20} MB are taken; save it smaller.",
        )
    try:
        picture = PIL.Image.open(io.BytesIO(data), formats=formats)
    except _DAMAGE as error:
        raise FacewarpError(
            "this is not a picture that can be read", fix=f"Give a {known} file."
        ) from error
    width, height = picture.size
    if width * height > max_pixels or min(width, height) < _SMALLEST_PX:
        raise FacewarpError(
            f"the picture has {width}x{height} pixels",
            fix=f"From {_SMALLEST_PX}x{_SMALLEST_PX} to {max_pixels / 1e6:.3g} million are taken.",
        )
    if picture.mode not in _COLOR:
        raise FacewarpError(
            f"the picture's pixels are of the kind {picture.mode}",
            fix="Save it with 8 bits a channel.",
        )
    try:
        picture.load()
    except _DAMAGE as error:
        raise FacewarpError("the picture is damaged", fix="Save or send it again.") from error
    return _upright(picture)


def _upright(picture: PIL.Image.Image) -> PIL.Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except (*_DAMAGE, KeyError, TypeError):  # the picture itself is sound
        return picture
