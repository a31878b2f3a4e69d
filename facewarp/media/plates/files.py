"""Plates as files: 16-bit PNG and TIFF, OpenEXR, DPX, with all that the file holds besides RGB."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.media.frames import PLATE_SUFFIXES, DeepImage, Image
from facewarp.media.plates.alpha import Codes, is_multiplied, multiplied, straight
from facewarp.media.plates.colors import loses_primaries, plate_profile, to_bt709, transfer_of
from facewarp.media.plates.dpx import without_pixels
from facewarp.media.plates.tiff import tiff_is_deep
from facewarp.system.installation import install_command

DEEP_SUFFIXES: Final = PLATE_SUFFIXES | {".png", ".tif", ".tiff"}
"""Pictures that hold more than 8 bits a channel."""

_LUMA: Final = (0.2126, 0.7152, 0.0722)
_READABLE: Final = "Check it, or save it again as 16-bit PNG or OpenEXR."


def openimageio() -> Any:
    """Return the module OpenImageIO.

    Raises:
        FacewarpError: it is not installed.
    """
    try:
        import OpenImageIO
    except ImportError as error:
        what = "the package that reads and writes plates is not installed"
        raise FacewarpError(what, fix=f"Install it: {install_command('plates')}") from error
    return OpenImageIO


def has_openimageio() -> bool:
    """Return whether plates can be read and written here."""
    try:
        openimageio()
    except FacewarpError:
        return False
    return True


def is_deep(path: Path) -> bool:
    """Return whether a file is an EXR or DPX, or an RGB PNG or TIFF of 16 bits, by its header."""
    suffix = path.suffix.lower()
    if suffix in PLATE_SUFFIXES:
        return True
    if suffix not in DEEP_SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            head = file.read(26)
            if head[:8] == b"\x89PNG\r\n\x1a\n":
                return head[24] == 16 and head[25] in (2, 6)
    except (OSError, IndexError):
        return False
    return tiff_is_deep(path)


def size_of(path: Path) -> tuple[int, int]:
    """Return (width, height) px of a plate's display window."""
    spec = _opened(path).spec()
    return spec.full_width, spec.full_height


def pixel_aspect_of(path: Path) -> float:
    """Return the width of a plate's pixel over its height."""
    aspect = float(_opened(path).spec().get_float_attribute("PixelAspectRatio", 1.0))
    return aspect if 0 < aspect < float("inf") else 1.0


def read_plate(
    path: Path, note: Callable[[str], None] = lambda text: None
) -> tuple[Image, Image | None, DeepImage]:
    """Read a plate: what a screen shows of it, its alpha, and its own values.

    Args:
        path: the file.
        note: told what is left out.

    Returns:
        (H, W, 3) uint8; (H, W) uint8, None where all is opaque; the values. All of the display
        window.

    Raises:
        FacewarpError: it can't be read, or has no color.
    """
    buffer = _opened(path)
    spec = buffer.spec()
    if buffer.nsubimages > 1:
        note(f"a plate holds {buffer.nsubimages} parts: only the first is read and written")
    if lossy := _lossy_compression(spec):
        note(
            f"a plate is compressed with loss ({lossy}): as EXR it is written with zips, "
            "so that its values stay"
        )
    oiio = openimageio()
    is_whole = spec.format.basetype != oiio.FLOAT and spec.format.basetype != oiio.HALF
    pixels = _pixels(buffer, oiio.UINT16 if is_whole else oiio.FLOAT, path)
    places, alpha_at = _places(spec, path)
    if len(set(places)) == 1:
        note("a gray plate: what is painted on it becomes gray")
    values = _over_display(spec, _straight(spec, path, pixels))
    alpha = None
    if alpha_at is not None:
        share = _over_display(spec, pixels[..., alpha_at : alpha_at + 1])[..., 0]
        alpha = _eight_bits(share / np.float32(65_535 if is_whole else 1))
        if alpha.min(initial=255) == 255:
            alpha = None
    deep = DeepImage(
        values,
        transfer_of(spec, path, note),
        to_bt709(spec, note),
        profile=plate_profile(spec, path, note),
    )
    shown = deep.shown()
    if alpha is not None:
        shown[alpha == 0] = 0
    return shown, alpha, deep


def write_plate(
    target: Path,
    image: Image,
    deep: DeepImage | None,
    like: Path | None = None,
    comment: str | None = None,
    alpha: Image | None = None,
    *,
    pixel_aspect: float = 1.0,
) -> None:
    """Write a plate.

    Made from a plate it keeps that file's further channels, windows, compression, profile and
    metadata; what did not change keeps its values to the last bit.

    Args:
        target: the file.
        image: (H, W, 3) uint8, written where there is nothing deeper.
        deep: the values to write.
        like: the plate it was made from.
        comment: what the metadata says of it.
        alpha: (H, W) uint8, of what is not made from such a plate; DPX is black where it is 0.
        pixel_aspect: width of a pixel over its height.

    Raises:
        OSError: it could not be written.
    """
    same_kind = like is not None and like.suffix.lower() == target.suffix.lower() and is_deep(like)
    if like is not None and deep is not None and loses_primaries(like, deep.profile):
        same_kind = False
    if same_kind and deep is not None:
        assert like is not None
        buffer = _replaced(like, deep)
    else:
        buffer = _from_scratch(target, image, deep, alpha)
        if pixel_aspect != 1:
            buffer.specmod().attribute("PixelAspectRatio", float(pixel_aspect))
    if comment is not None:
        buffer.specmod().attribute("ImageDescription", comment)
    if not buffer.write(str(target), "unknown", target.suffix.lower().lstrip(".")):
        raise OSError(buffer.geterror())


def _opened(path: Path) -> Any:
    oiio = openimageio()
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)
    buffer = oiio.ImageBuf(str(path), 0, 0, straight)
    if buffer.has_error or buffer.spec().width <= 0:
        raise FacewarpError(f"the plate can't be read: {_reason(buffer)}", path, _READABLE)
    if buffer.spec().deep:  # of which OpenImageIO has no array of pixels
        what = "this is a deep OpenEXR, with any number of values a pixel"
        raise FacewarpError(what, path, "Flatten it first: oiiotool deep.exr --flatten -o flat.exr")
    if buffer.orientation > 1:
        _check_read(buffer, path)
        buffer = oiio.ImageBufAlgo.reorient(buffer)
    return buffer


def _check_read(buffer: Any, path: Path) -> None:
    """Refuse a plate of which a part can't be read.

    OpenImageIO hands out an array all the same, in which that part is what memory held before.
    """
    if not buffer.read() or buffer.has_error:
        raise FacewarpError(f"the plate is damaged: {_reason(buffer)}", path, _READABLE)


def _pixels(buffer: Any, kind: Any, path: Path) -> NDArray[Any]:
    """Return all channels (H, W, C) of a plate's data window."""
    _check_read(buffer, path)
    return np.asarray(buffer.get_pixels(kind))


def _reason(buffer: Any) -> str:
    """Return the first line of what OpenImageIO says, which may quote bytes of the file."""
    try:
        return str(buffer.geterror()).partition("\n")[0]
    except UnicodeDecodeError:
        return "its header is damaged"


def _places(spec: Any, path: Path) -> tuple[list[int], int | None]:
    """Return where R, G, B and the alpha are among the channels."""
    names = list(spec.channelnames)
    if path.suffix.lower() == ".exr" and spec.format == openimageio().TypeUInt32:
        what = "the plate holds whole numbers, as ids have, and no light"
        raise FacewarpError(what, path, "Give its beauty pass.")
    if "Y" in names and "RY" in names:
        what = "the plate has its colors as luminance and chroma (Y, RY, BY)"
        raise FacewarpError(what, path, "Save it again with R, G and B.")
    if all(name in names for name in "RGB"):
        places = [names.index(name) for name in "RGB"]
    elif len(names) in (1, 2) or "Y" in names:
        places = [names.index("Y") if "Y" in names else 0] * 3
    else:
        what = f"the plate has no channels R, G, B, but {', '.join(names[:6])}"
        raise FacewarpError(what, path, "Give its beauty pass as the main layer.")
    return places, names.index("A") if "A" in names else None


def _over_display(spec: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    """Lay the data window into the display window, cut to it; black outside."""
    height, width = spec.full_height, spec.full_width
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    if (left, top, spec.width, spec.height) == (0, 0, width, height):
        return np.ascontiguousarray(pixels)
    whole = np.zeros((height, width, pixels.shape[2]), pixels.dtype)
    inner, outer = _windows(spec)
    whole[outer] = pixels[inner]
    return whole


def _windows(spec: Any) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part that data and display window share: in the one, in the other."""
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + spec.width, spec.full_width), min(top + spec.height, spec.full_height)
    inner = slice(y0 - top, max(y1, y0) - top), slice(x0 - left, max(x1, x0) - left)
    return inner, (slice(y0, max(y1, y0)), slice(x0, max(x1, x0)))


def _replaced(like: Path, deep: DeepImage) -> Any:
    """Return a plate with other colors and all else as it is."""
    oiio = openimageio()
    old = _opened(like)
    spec = old.spec()
    without_pixels(spec, like)
    kind = oiio.UINT16 if deep.codes.dtype == np.uint16 else oiio.FLOAT
    pixels = _pixels(old, kind, like)
    places, alpha_at = _places(spec, like)
    inner, outer = _windows(spec)
    before = _straight(spec, like, pixels)[inner]
    codes = deep.codes[outer].astype(before.dtype)
    painted = (codes != before).any(-1)
    if alpha_at is not None and is_multiplied(spec, like):
        share = pixels[..., alpha_at][inner]
        painted &= share != 0
        codes = multiplied(codes, share)
    if len(set(places)) == 1:
        codes = np.repeat(_luma(codes)[..., None], 3, axis=2)
    for channel, place in enumerate(places):
        pixels[..., place][inner][painted] = codes[..., channel][painted]
    if _lossy_compression(spec):
        spec.attribute("compression", "zips")
    return _filled(spec, pixels)


def _straight(spec: Any, path: Path, pixels: NDArray[Any]) -> NDArray[Any]:
    """Return R, G, B of all channels, not multiplied by alpha."""
    places, alpha_at = _places(spec, path)
    codes = pixels[..., places]
    if alpha_at is None or not is_multiplied(spec, path):
        return codes
    return straight(codes, pixels[..., alpha_at])


def _luma(codes: NDArray[Any]) -> NDArray[Any]:
    """Return the gray of codes (..., 3), in their type."""
    gray = codes.astype(np.float32) @ np.array(_LUMA, np.float32)
    return np.rint(gray).astype(codes.dtype) if codes.dtype == np.uint16 else gray


def _lossy_compression(spec: Any) -> str | None:
    """Return the compression of a plate that changes values each time it is written, if it does.

    B44 and PXR24 change them once: what they have written stays as it is.
    """
    name = str(spec.get_string_attribute("compression"))
    return name if name.startswith("dwa") else None


def _from_scratch(target: Path, image: Image, deep: DeepImage | None, alpha: Image | None) -> Any:
    """Return a plate of nothing but RGB and alpha, in what its kind of file holds."""
    oiio = openimageio()
    is_exr = target.suffix.lower() == ".exr"
    deep = deep or DeepImage(image.astype(np.uint16) * 257)
    height, width = image.shape[:2]
    is_dpx = target.suffix.lower() == ".dpx"
    holds_alpha = alpha is not None and not is_dpx
    spec = oiio.ImageSpec(
        width, height, 4 if holds_alpha else 3, oiio.HALF if is_exr else oiio.UINT16
    )
    if is_dpx:
        spec.attribute("oiio:BitsPerSample", 10)
    light = DeepImage(np.zeros((1, 1, 3), np.float32), "linear")
    wanted = light if is_exr else DeepImage(np.zeros((1, 1, 3), np.uint16))
    same = deep.transfer == wanted.transfer and deep.codes.dtype == wanted.codes.dtype
    same &= deep.to_bt709 is None
    icc = None if deep.profile is None else deep.profile.icc
    same &= deep.profile is None or icc is not None
    codes = deep.codes if same else wanted.coded(deep.display(np.s_[:, :]))
    if alpha is not None:
        share: Codes = alpha.astype(np.uint16) * np.uint16(257)
        if is_exr:
            share = alpha.astype(np.float32) / np.float32(255)
        if is_exr or is_dpx:
            codes = multiplied(cast(Codes, codes), share)
        codes = codes if is_dpx else cast(Codes, np.dstack([codes, share]))
        spec.attribute("oiio:UnassociatedAlpha", int(not is_exr))
    if same and icc is not None:
        spec.attribute("ICCProfile", f"uint8[{len(icc)}]", np.frombuffer(icc, np.uint8))
    return _filled(spec, np.ascontiguousarray(codes))


def _filled(spec: Any, pixels: NDArray[Any]) -> Any:
    """Return a plate of these pixels; one that took none would be written black."""
    buffer = openimageio().ImageBuf(spec)
    if not buffer.set_pixels(spec.roi, pixels):
        raise OSError(_reason(buffer))
    return buffer


def _eight_bits(values: NDArray[np.floating]) -> Image:
    return np.rint(255 * np.clip(np.nan_to_num(values), 0, 1)).astype(np.uint8)
