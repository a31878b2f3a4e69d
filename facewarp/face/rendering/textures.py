"""Textures: RGBA images in template space, shipped or the user's own.

A texture covers the template's crop, 320x260 px (H x W), at any size of that aspect:
``texture = (template + 0.5) * k - 0.5`` with ``k = width / 260``. 1280x1040 is a good one. Where it
is transparent the frame stays as it is.
"""

import difflib
import logging
import warnings
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from facewarp.errors import FacewarpError
from facewarp.face.crop import CROP_SHAPE
from facewarp.face.rendering.makeup import LOOKS, TITLES, is_look, made_up, parse_look
from facewarp.face.rendering.mediapipe_uv import PREFIX, from_mediapipe
from facewarp.face.rendering.shading import BLENDS, Blend
from facewarp.media.colors.profiles import colors_of, in_srgb

_log = logging.getLogger(__name__)
_DAMAGE = (OSError, SyntaxError, ValueError, RuntimeError, TypeError, KeyError)  # Pillow's ways
BLEND_KEY = "Blend"
"""Name of the text chunk of a PNG that says how the texture meets the frame."""

_ASPECT_TOLERANCE = 0.01
_EXPECTED = (
    f"Save it as {4 * CROP_SHAPE[1]}x{4 * CROP_SHAPE[0]} px (width x height), "
    f"or any size with that aspect; {CROP_SHAPE[1]}x{CROP_SHAPE[0]} at least makes sense."
)


def list_textures() -> list[str]:
    """Return the names of the shipped textures, make-up included, sorted."""
    return sorted([*_painted(), *LOOKS])


def load_texture(name_or_path: str | PathLike[str]) -> NDArray[np.uint8]:
    """Read a texture.

    Args:
        name_or_path: one of `list_textures`, or a picture file. A name wins over a file in
            the working folder that is called the same. To the name of a look changes may be
            added, see `makeup.parse_look`; before a file painted for MediaPipe's canonical face
            stands `mediapipe_uv.PREFIX`.

    Returns:
        (h, w, 4) uint8 RGBA, straight alpha; 255 everywhere for a file without transparency.

    Raises:
        FacewarpError: no such texture, not readable, of wide values, or of another aspect.
    """
    read = _read(name_or_path)
    for line in read.told:
        _log.warning("%s: %s", str(name_or_path).removeprefix(PREFIX), line)
    return read.rgba


def texture_blend(name_or_path: str | PathLike[str]) -> Blend:
    """Return a texture's blend mode: its PNG text chunk "Blend", else "paint"."""
    return _read(name_or_path).blend


def texture_title(name: str) -> str:
    """Return the title of a shipped texture."""
    if is_look(name):
        return TITLES[name.partition("+")[0]]
    with _folder().joinpath(f"{name}.png").open("rb") as file, Image.open(file) as image:
        return str(image.info.get("Title", ""))


def check_texture(rgba: NDArray[np.uint8], where: str | None = None) -> NDArray[np.uint8]:
    """Check a texture array and return it as (h, w, 4) uint8; RGB becomes opaque RGBA.

    Raises:
        FacewarpError: anything but RGB or RGBA uint8 of the template's aspect.
    """
    if rgba.dtype != np.uint8 or rgba.ndim != 3 or rgba.shape[2] not in (3, 4):
        raise FacewarpError(
            f"a texture has to be RGBA or RGB of 8 bit, this is {rgba.dtype} of shape {rgba.shape}",
            where,
            "Save it as PNG of 8 bits, RGB or RGBA.",
        )
    height, width = rgba.shape[:2]
    aspect = CROP_SHAPE[0] / CROP_SHAPE[1]
    if abs(height / width / aspect - 1) > _ASPECT_TOLERANCE:
        raise FacewarpError(
            f"a texture has the template's aspect, {CROP_SHAPE[1]}:{CROP_SHAPE[0]}, "
            f"but this picture is {width}x{height} px",
            where,
            _EXPECTED,
        )
    if rgba.shape[2] == 3:
        rgba = np.dstack([rgba, np.full(rgba.shape[:2], 255, np.uint8)])
    return rgba


def _folder() -> Traversable:
    return files("facewarp.assets").joinpath("textures")


def _painted() -> list[str]:
    """Names of the shipped pictures."""
    folder = _folder()
    if not folder.is_dir():
        return []
    names = (entry.name for entry in folder.iterdir())
    return [name.removesuffix(".png") for name in names if name.endswith(".png")]


@dataclass(frozen=True, eq=False)
class _Texture:
    """A texture as it is read: (h, w, 4) uint8 RGBA, its blend mode, what a user should know."""

    rgba: NDArray[np.uint8]
    blend: Blend
    told: tuple[str, ...] = ()


def _read(name_or_path: str | PathLike[str]) -> _Texture:
    if is_look(str(name_or_path)):
        return _Texture(made_up(parse_look(str(name_or_path))), "tint")
    if str(name_or_path) in _painted():
        with as_file(_folder().joinpath(f"{name_or_path}.png")) as path:
            return _read_picture(path)
    foreign = str(name_or_path).startswith(PREFIX)
    path = Path(str(name_or_path).removeprefix(PREFIX))
    if not path.is_file():
        raise _not_found(path if foreign else name_or_path)
    read = _read_picture(path)
    if foreign:
        height, width = read.rgba.shape[:2]
        told = read.told
        if abs(height / width - 1) > _ASPECT_TOLERANCE:
            what = f"MediaPipe's layout is square, this is {width}x{height} px: taken as stretched"
            told = (*told, what)
        return replace(read, rgba=from_mediapipe(read.rgba), told=told)
    return replace(read, rgba=check_texture(read.rgba, str(path)))


def _read_picture(path: Path) -> _Texture:
    """Return a picture file of any size, upright and in sRGB."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                image.load()
                blend, count = image.info.get(BLEND_KEY), getattr(image, "n_frames", 1)
                colors = colors_of(image, None).told
                upright = in_srgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise FacewarpError("the texture is too large", path, _EXPECTED) from error
    except UnidentifiedImageError as error:
        raise FacewarpError(
            "the texture is not a picture that can be read", path, "Save it as a PNG."
        ) from error
    except _DAMAGE as error:
        what = f"the texture cannot be read: {error}"
        raise FacewarpError(what, path, "Check the file, or save it again as PNG.") from error
    if upright.mode == "F" or upright.mode.startswith("I"):
        raise FacewarpError(
            "a texture has 8 bits a channel, this is gray with more",
            path,
            "Save it as an RGBA PNG.",
        )
    rgba = np.array(upright.convert("RGBA"))
    told = [colors] if colors is not None else []
    if count > 1:
        told.append(f"a texture does not move: the first of {count} pictures is worn")
    if not rgba[..., 3].any():
        told.append("all of it is transparent: nothing will be seen")
    return _Texture(rgba, blend if blend in BLENDS else "paint", tuple(told))


def _not_found(name_or_path: str | PathLike[str]) -> FacewarpError:
    name, known = str(name_or_path), list_textures()
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    shipped = ", ".join(known) or "none"
    return FacewarpError(
        "there is no texture of this name and no such file",
        name,
        f"{hint}Shipped textures: {shipped}; or give the path of an RGBA PNG.",
    )
