"""Picture files by content: format, size limits, orientation; pixels as upright RGB and alpha."""

import contextlib
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.media.colors.numbers import color_numbers
from facewarp.media.colors.profiles import HDR_TRANSFERS, colors_of, shown_by
from facewarp.media.frames import (
    IMAGE_SUFFIXES,
    PLATE_SUFFIXES,
    READ_ONLY_SUFFIXES,
    DeepImage,
    Image,
)
from facewarp.media.images.gif import is_still_gif
from facewarp.media.orientation import Orientation
from facewarp.system.installation import install_command

MAX_PIXELS: Final = 300_000_000
"""Pixels of the largest picture that is read: half as many again as the largest of phones."""
MAX_SIDE_PX: Final = 32_766
"""Longest side that OpenCV resamples."""
UNREAD_KINDS: Final = {
    **dict.fromkeys(
        (".arw", ".cr2", ".cr3", ".dng", ".nef", ".orf", ".pef", ".raf", ".rw2", ".srw"),
        "raw photograph",
    ),
    ".cin": "Cineon picture",
    ".dds": "texture of games (DDS)",
    ".hdr": "high dynamic range picture",
    **dict.fromkeys((".jp2", ".j2k"), "JPEG 2000 picture"),
    ".jxl": "JPEG XL picture",
    ".kra": "Krita picture",
    ".psd": "Photoshop picture",
    ".xcf": "GIMP picture",
}
"""Suffixes of pictures that are not read, and what they are."""

_LARGE_PIXELS = 32_000_000  # from here on a file must be as large as pictures of that size are
_PIXELS_PER_BYTE = 200  # photographs have 1 to 20; deflate and LZW reach some hundred on one color
_BAND_PIXELS = 4_000_000  # converted at a time: Pillow's own conversions double the memory
_EXIF_ORIENTATION = 274
_SUBFILE_TYPE = 254  # of a page of TIFF
_REDUCED_OR_MASK = 1 | 4
_PHOTOMETRIC = 262  # 0 where white is 0
_READABLE = "Save it again as PNG or JPEG."
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}
_AVIF_BRANDS = {b"avif", b"avis"}
DAMAGE = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error,
    RuntimeError, TypeError, KeyError,
)  # fmt: skip  # Pillow's ways, and those of its plugins


@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels of a picture file.

    Attributes:
        image: (H, W, 3) uint8 RGB, upright; black where alpha is 0, so that nothing shows that
            the file hides.
        alpha: (H, W) uint8, 255 = opaque, not multiplied into the colors; None if all is opaque.
        rotation: degrees clockwise by which the stored picture was turned: 0, 90, 180 or 270.
        deep: the codes that the file holds, where a color profile tells that they are no sRGB.
        told: what a user should know of its colors.
    """

    image: Image
    alpha: Image | None
    rotation: int
    deep: DeepImage | None = None
    told: str | None = None


def format_of(path: Path) -> str | None:
    """Tell the format of a picture file from its first bytes, whatever its suffix says.

    Returns:
        "JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF" or "JXL"; None for everything else, videos
        in the containers of HEIF among them.
    """
    try:
        with path.open("rb") as file:
            head = file.read(64)
    except OSError:
        return None
    if head[4:8] == b"ftyp":
        major, compatible = head[8:12], {head[i : i + 4] for i in range(16, 64, 4)}
        if major in _AVIF_BRANDS or (major == b"mif1" and compatible & _AVIF_BRANDS):
            return "AVIF"
        return "HEIF" if major in _HEIF_BRANDS else None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    signatures = {
        b"\xff\xd8\xff": "JPEG",
        b"\x89PNG\r\n\x1a\n": "PNG",
        b"II*\0": "TIFF",
        b"MM\0*": "TIFF",
        b"II+\0": "TIFF",
        b"MM\0+": "TIFF",
        b"\xff\x0a": "JXL",
        b"\0\0\0\x0cJXL ": "JXL",
    }
    return next((name for start, name in signatures.items() if head.startswith(start)), None)


MOTION_JPEG: Final = frozenset({".mjpeg", ".mjpg"})
"""Videos that are one JPEG after another, of which the first alone looks like a picture."""


def is_image_file(path: Path) -> bool:
    """Whether a file is taken for a picture: by its suffix, else by its first bytes."""
    suffix = path.suffix.lower()
    if suffix in MOTION_JPEG:
        return False
    known = suffix in IMAGE_SUFFIXES | READ_ONLY_SUFFIXES | PLATE_SUFFIXES or suffix in UNREAD_KINDS
    return known or format_of(path) is not None or is_still_gif(path)


def read_picture(path: Path, page: int = 0) -> Picture:
    """Read a picture file, upright by its orientation tag.

    16-bit values are scaled by the range of their type.

    Args:
        path: the file.
        page: which of its pictures.

    Raises:
        FacewarpError: it is damaged, no picture, too large, or of a kind that is not read.
    """
    with open_picture(path) as picture:
        try:
            picture.seek(page)
        except DAMAGE as error:
            raise _damaged(path, error) from error
        return decode(picture, path)


def decode(picture: PIL.Image.Image, path: Path) -> Picture:
    """Decode the picture that an open file is at.

    Raises:
        FacewarpError: it is damaged, or there is not enough memory.
    """
    try:
        check_size(picture, path)
        with _without_pillow_limit():
            picture.load()
            orientation = orientation_after_loading(picture)  # TIFF is turned by now, others not
            colors = colors_of(picture, color_numbers(path, format_of(path)))
            rgb, alpha = _pixels(colors.picture)
    except MemoryError as error:
        what = f"{picture.width}x{picture.height} pixels do not fit into the memory"
        raise FacewarpError(what, path, "Close other programs, or make it smaller.") from error
    except DAMAGE as error:
        raise _damaged(path, error) from error
    upright = None if alpha is None else orientation.upright(alpha)
    image, deep = orientation.upright(rgb), None
    if colors.profile is not None:
        deep = DeepImage(image, profile=colors.profile)
        image = shown_by(colors.profile, image)
    return Picture(image, upright, orientation.degrees, deep, colors.told)


@contextlib.contextmanager
def open_picture(path: Path) -> Iterator[PIL.Image.Image]:
    """Open a picture file without decoding it; its format and its size are checked.

    Raises:
        FacewarpError: it can't be read, is no picture, is too large, or of a kind that is not
            read, or the package that reads it is missing.
    """
    _check_kind(path)
    try:
        with _without_pillow_limit():
            picture = PIL.Image.open(path)
    except FileNotFoundError as error:
        raise FacewarpError("there is no such picture", path, "Check the path.") from error
    except PermissionError as error:
        raise FacewarpError("the file may not be read", path, "Check its permissions.") from error
    except DAMAGE as error:
        raise FacewarpError("this is not a picture that can be read", path, _READABLE) from error
    with picture:
        check_size(picture, path)
        yield picture


def upright_size(picture: PIL.Image.Image) -> tuple[int, int]:
    """(width, height) px of a picture as it will be shown, before it is decoded."""
    if picture.format == "TIFF":  # Pillow turns it alone, and tells the size it will have then
        return picture.size
    return orientation_after_loading(picture).turned_size(picture.size)


def has_alpha(path: Path) -> bool:
    """Whether a picture file has an alpha channel, by its header; False if it can't be read."""
    try:
        with open_picture(path) as picture:
            return picture.has_transparency_data
    except FacewarpError:
        return False


def pages_of(picture: PIL.Image.Image) -> list[int]:
    """Which of a file's pictures are shown one after the other; one for a photograph.

    Thumbnails and masks of TIFF, the still that stands in for an APNG, the previews that cameras
    put into JPEG and the further photographs of a HEIC file are no part of a sequence.
    """
    shown = picture.tell()
    try:
        count = getattr(picture, "n_frames", 1)
    except DAMAGE:
        return [shown]
    if count == 1 or picture.format in ("MPO", "HEIF", "PSD", "ICO"):
        return [shown]
    if picture.format == "PNG" and picture.info.get("default_image"):
        return list(range(1, count))
    if picture.format != "TIFF":
        return list(range(count))
    kept = []
    for page in range(count):
        try:
            picture.seek(page)
            kind = int(picture.tag_v2.get(_SUBFILE_TYPE, 0))  # type: ignore[attr-defined]
        except DAMAGE:
            break
        if not kind & _REDUCED_OR_MASK:
            kept.append(page)
    if not kept:
        return [0]
    picture.seek(0)
    return kept


def orientation_after_loading(picture: PIL.Image.Image) -> Orientation:
    """How a picture is still to be turned once it is loaded.

    Pillow turns TIFF while loading and takes the tag away then; other formats it leaves as they
    are stored.
    """
    try:
        return Orientation.from_exif(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except DAMAGE:  # the picture itself may well be sound
        return Orientation()


def check_size(picture: PIL.Image.Image, path: Path) -> None:
    """Refuse a picture larger than what is read, or than its file can hold.

    Raises:
        FacewarpError: its size, and the limit.
    """
    width, height = picture.size
    pixels = width * height
    if pixels > MAX_PIXELS or max(width, height) > MAX_SIDE_PX:
        what = f"the picture is too large: {width}x{height} pixels"
        fix = f"Up to {MAX_PIXELS // 1_000_000} million and {MAX_SIDE_PX} a side are read."
        raise FacewarpError(what, path, fix)
    size = path.stat().st_size
    if pixels > _LARGE_PIXELS and size * _PIXELS_PER_BYTE < pixels:
        what = f"{size / 1000:.0f} kB claim to be {width}x{height} pixels"
        raise FacewarpError(what, path, "If it is no fake, save it smaller.")


def has_heif_reader() -> bool:
    """Whether pictures of phones (HEIC) can be read here; makes Pillow know them if so."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener(thumbnails=False)
    return True


def _check_kind(path: Path) -> None:
    """Refuse what is known not to be read, by the name of its format."""
    stored = format_of(path)
    if stored == "HEIF" and not has_heif_reader():
        what = "this is a HEIC picture, and the package that reads them is not installed"
        raise FacewarpError(what, path, f"Install it: {install_command('heic')}")
    kind = "JPEG XL picture" if stored == "JXL" else UNREAD_KINDS.get(path.suffix.lower())
    if (told := color_numbers(path, stored)) is not None and told[1] in HDR_TRANSFERS:
        what = f"this is an HDR picture ({HDR_TRANSFERS[told[1]]}), which is not read"
        raise FacewarpError(what, path, "Save it again in sRGB, or as OpenEXR.")
    if kind is not None and stored not in ("JPEG", "PNG", "WEBP", "AVIF", "HEIF"):
        raise FacewarpError(f"this is a {kind}, which is not read", path, _READABLE)


def _damaged(path: Path, error: Exception) -> FacewarpError:
    return FacewarpError(f"the picture is damaged: {error}", path, _READABLE)


_limit_lock = threading.Lock()
_limit_users, _limit_before = 0, PIL.Image.MAX_IMAGE_PIXELS


@contextlib.contextmanager
def _without_pillow_limit() -> Iterator[None]:
    """Lift Pillow's limit of pixels, which is the process's, while a file of ours is read."""
    global _limit_users, _limit_before
    with _limit_lock:
        if _limit_users == 0:
            _limit_before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
        _limit_users += 1
    try:
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            yield
    finally:
        with _limit_lock:
            _limit_users -= 1
            if _limit_users == 0:
                PIL.Image.MAX_IMAGE_PIXELS = _limit_before


def _pixels(picture: PIL.Image.Image) -> tuple[Image, Image | None]:
    """(H, W, 3) RGB and (H, W) alpha, or None, of a decoded picture as it is stored."""
    if picture.mode.startswith("I") or picture.mode == "F":
        gray = _eight_bits(np.asarray(picture))
        if picture.mode.startswith("I") and _is_white_zero(picture):
            gray = 255 - gray
        return np.repeat(gray[..., None], 3, axis=2), None
    width, height = picture.size
    rgb = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if picture.has_transparency_data else None
    rows = max(1, _BAND_PIXELS // max(width, 1))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = picture.crop((0, top, width, bottom))
        if alpha is None:
            rgb[top:bottom] = np.asarray(band.convert("RGB"))
            continue
        rgba = np.asarray(band.convert("RGBA"))
        rgb[top:bottom], alpha[top:bottom] = rgba[..., :3], rgba[..., 3]
        rgb[top:bottom][rgba[..., 3] == 0] = 0
    return rgb, None if alpha is None or alpha.min(initial=255) == 255 else alpha


def _is_white_zero(picture: PIL.Image.Image) -> bool:
    """Return whether 0 is white in a TIFF, which Pillow turns round for 8 bits and fewer only."""
    tags = getattr(picture, "tag_v2", {}) if picture.format == "TIFF" else {}
    return tags.get(_PHOTOMETRIC) == 0


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Gray values of a wide type, 0 to the top of their range, as 0 to 255."""
    if values.dtype == np.uint16:
        return np.rint(values / 257.0).astype(np.uint8)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = float(values[finite].min()), float(values[finite].max())
    if low >= 0.0:
        whole = values.dtype.kind in "iu"
        tops = (255.0, 65_535.0) if whole else (1.0, 255.0, 65_535.0)
        low, high = 0.0, next((top for top in tops if high <= top), high)
    scaled = (values.astype(np.float64) - low) * (255.0 / (high - low or 1))
    clean = np.nan_to_num(scaled, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(clean.clip(0, 255)).astype(np.uint8)
