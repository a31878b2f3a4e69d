"""Still pictures: read as upright 8-bit RGB whatever they are stored as, alone or by the folder."""

import fnmatch
import logging
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.media.frames import IMAGE_SUFFIXES, Frame, Image, Source
from facewarp.media.orientation import Orientation

_log = logging.getLogger(__name__)

_EXIF_ORIENTATION = 274
_READABLE = "Save it again as PNG or JPEG."
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)  # Pillow's ways


class ImageSource(Source):
    """One picture as a source of one frame at time 0.

    Attributes:
        icc_profile: The colour profile of an RGB picture, for a copy to carry; else None.
    """

    kind: Literal["image"] = "image"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with _open(path) as picture:
            orientation = _orientation(picture)
            self.size = orientation.turned_size(picture.size)
            self.icc_profile = _icc_profile(picture)
        self.rotation = orientation.degrees
        self.frame_count = 1

    def __iter__(self) -> Iterator[Frame]:
        """The one frame."""
        self.exhausted = False
        yield Frame(read_image(self.path), 0.0, 0, self.rotation)
        self.exhausted = True


class FolderSource(Source):
    """The pictures of a folder in natural order ("2.png" before "10.png"), not of its folders.

    With a pattern in place of the folder, such as ``shots/%04d.png`` or ``shots/*.png``, those
    that fit. A picture that can't be read is left out with a warning. Its index stays unused.

    Attributes:
        paths: The pictures; a frame's index is its place here.
    """

    kind: Literal["folder"] = "folder"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.paths = sorted(self._entries(), key=natural_order)
        if not self.paths:
            kinds = ", ".join(sorted(suffix.lstrip(".") for suffix in IMAGE_SUFFIXES))
            what = (
                "no pictures have such names"
                if is_pattern(path)
                else "the folder holds no pictures"
            )
            raise FacewarpError(what, path, f"Known kinds: {kinds}.")
        self.frame_count = len(self.paths)
        for picture in self.paths:
            try:
                self.size = ImageSource(picture).size
            except FacewarpError:
                continue
            return
        raise FacewarpError("none of the folder's pictures can be read", path, _READABLE)

    def _entries(self) -> list[Path]:
        folder, fits = self.path, re.compile("")
        if is_pattern(self.path):
            folder, fits = self.path.parent, _pattern(self.path.name)
        try:
            entries = list(folder.iterdir())
        except OSError as error:
            what = "the folder can't be read"
            raise FacewarpError(what, folder, "Check its permissions.") from error
        return [entry for entry in entries if fits.match(entry.name) and _is_picture(entry)]

    def __iter__(self) -> Iterator[Frame]:
        """The pictures, `STILL_RATE` of them a second."""
        self.exhausted, self.truncated = False, False
        for index, path in enumerate(self.paths):
            try:
                image, rotation = _read(path)
            except FacewarpError as error:
                _log.warning("left out: %s", error)
                self.truncated = True
                continue
            yield Frame(image, float(index / self.rate), index, rotation)
        self.exhausted = True


def read_image(path: Path) -> Image:
    """A picture file as (H, W, 3) uint8 RGB, upright by its EXIF.

    16-bit values are scaled by the range of their type. An alpha channel is dropped: what lies
    under it is shown. Of several pages the first is read.

    Raises:
        FacewarpError: It is damaged or not a picture.
    """
    return _read(path)[0]


def natural_order(path: Path) -> tuple[list[tuple[int, int | str]], str]:
    """A sorting key under which the numbers in names count as numbers."""
    parts = re.split(r"(\d+)", path.stem.casefold())
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts], path.name


def is_pattern(path: Path) -> bool:
    """Whether a path that is not there stands for a sequence: ``%04d``, ``*``, ``?`` or ``[``."""
    return not path.exists() and re.search(r"%0?\d*d|[*?\[]", path.name) is not None


def _pattern(name: str) -> re.Pattern[str]:
    if "%" not in name:
        return re.compile(fnmatch.translate(name))
    before, digits, after = re.split(r"(%0?\d*d)", name, maxsplit=1)
    width = digits[1:-1].lstrip("0")
    number = rf"\d{{{width},}}" if width else r"\d+"
    return re.compile(re.escape(before) + number + re.escape(after) + r"\Z")


def _is_picture(path: Path) -> bool:
    is_shown = not path.name.startswith(".")
    return is_shown and path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()


def _read(path: Path) -> tuple[Image, int]:
    with _open(path) as picture:
        orientation = _orientation(picture)
        try:
            image = _rgb(picture)
        except _DAMAGE as error:
            raise FacewarpError(f"the picture is damaged: {error}", path, _READABLE) from error
    return orientation.upright(image), orientation.degrees


def _open(path: Path) -> PIL.Image.Image:
    try:
        return PIL.Image.open(path)
    except FileNotFoundError as error:
        raise FacewarpError("there is no such picture", path, "Check the path.") from error
    except PermissionError as error:
        raise FacewarpError("the file may not be read", path, "Check its permissions.") from error
    except PIL.Image.DecompressionBombError as error:
        raise FacewarpError("the picture is too large", path, "Make it smaller first.") from error
    except _DAMAGE as error:
        raise FacewarpError("this is not a picture that can be read", path, _READABLE) from error


def _orientation(picture: PIL.Image.Image) -> Orientation:
    try:
        return Orientation.from_exif(picture.getexif().get(_EXIF_ORIENTATION, 1))
    except (*_DAMAGE, KeyError, TypeError):  # the picture itself may well be sound
        return Orientation()


def _icc_profile(picture: PIL.Image.Image) -> bytes | None:
    return picture.info.get("icc_profile") if picture.mode in ("RGB", "RGBA") else None


def _rgb(picture: PIL.Image.Image) -> Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = _eight_bits(np.asarray(picture))
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("P", "PA", "La", "RGBa"):
        picture = picture.convert("RGBA")  # else transparent colours are mixed or lost
    return np.array(picture.convert("RGB"))


def _eight_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Grey values of a wide type, 0 to the top of their range, as 0 to 255."""
    if values.dtype == np.uint16:
        return np.rint(values / 257.0).astype(np.uint8)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if low >= 0.0:
        whole = values.dtype.kind in "iu"
        tops = (255.0, 65_535.0) if whole else (1.0, 255.0, 65_535.0)
        low, high = 0.0, next((top for top in tops if high <= top), high)
    scaled = (np.nan_to_num(values.astype(np.float64), nan=low) - low) * (255.0 / (high - low or 1))
    return np.rint(scaled).astype(np.uint8)
