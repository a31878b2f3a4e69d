"""Multi-layer OpenEXR files: written whole, compressed without loss, and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import written
from facewarp.system.installation import install_command

Box = tuple[int, int, int, int]
Attributes = Mapping[str, str | float | Fraction]
MOST_FRAME: Final = 39
"""Of a second, in a timecode: SMPTE ST 12-1 has two bits for its tens."""


@dataclass(frozen=True, eq=False)
class LayersFile:
    """What one file holds.

    Attributes:
        size: (width, height) px of the display window, which begins at (0, 0).
        box: x0, y0, x1, y1 of the data window, x1 and y1 exclusive.
        channels: "layer.channel" -> (h, w) of the box, float16 or float32.
        pixel_aspect: width of a pixel over its height.
        attributes: of the header; Fractions become rationals, "timeCode" ``hh:mm:ss:ff`` a
            timecode.
    """

    size: tuple[int, int]
    box: Box
    channels: Mapping[str, NDArray[np.generic]]
    pixel_aspect: float = 1.0
    attributes: Attributes = field(default_factory=dict)


def openexr() -> Any:
    """Return the module OpenEXR.

    Raises:
        FacewarpError: it is not installed.
    """
    try:
        import OpenEXR
    except ImportError as error:
        what = "the package that writes OpenEXR is not installed"
        raise FacewarpError(what, fix=f"Install it: {install_command('exr')}") from error
    return OpenEXR


def write_layers(path: Path, file: LayersFile) -> None:
    """Write a file, whole or not at all.

    Raises:
        FacewarpError: it could not be written.
    """
    exr = openexr()
    x0, y0, x1, y1 = file.box
    width, height = file.size
    header: dict[str, Any] = {
        "compression": exr.ZIPS_COMPRESSION,
        "type": exr.scanlineimage,
        "displayWindow": _window(0, 0, width, height),
        "dataWindow": _window(x0, y0, x1, y1),
        "pixelAspectRatio": float(file.pixel_aspect),
    }
    header |= file.attributes
    if isinstance(told := header.pop("timeCode", None), str):
        header |= _time_code(exr, told)
    # OpenEXR 3.5 ignores strides: an array that is a view would be written wrong without a word
    channels = {name: np.ascontiguousarray(values) for name, values in file.channels.items()}
    with written(path) as temporary:
        try:
            with exr.File(header, channels) as output:
                output.write(str(temporary))
        except RuntimeError as error:
            raise OSError(str(error)) from error


def read_layers(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.generic]]]:
    """Read a file's header and all of its channels.

    Raises:
        FacewarpError: it can't be read, or is cut short or damaged.
    """
    exr = openexr()
    try:
        with exr.File(str(path), separate_channels=True) as file:
            pixels = {name: channel.pixels for name, channel in file.channels().items()}
            return dict(file.header()), pixels
    except (RuntimeError, OSError, ValueError, TypeError) as error:
        what = "the OpenEXR file can't be read, or is damaged"
        raise FacewarpError(what, path, "Write or copy it again.") from error


def is_whole(path: Path, attribute: str, value: str) -> bool:
    """Return whether a file can be read to its end and has an attribute of a value."""
    if not path.is_file():
        return False
    try:
        header, _ = read_layers(path)
    except FacewarpError:
        return False
    return bool(header.get(attribute) == value)


def _time_code(exr: Any, told: str) -> dict[str, Any]:
    """Return the attribute of ``hh:mm:ss:ff``, ``;`` for drop frame; none beyond 39 frames."""
    hours, minutes, seconds, frame = (int(part) for part in re.split("[:;.]", told))
    if frame > MOST_FRAME:
        return {}
    unused = [0] * 13
    drops = int(told[-3] != ":")
    return {"timeCode": exr.TimeCode(hours, minutes, seconds, frame, drops, *unused)}


def _window(x0: int, y0: int, x1: int, y1: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    return np.array([x0, y0], np.int32), np.array([x1 - 1, y1 - 1], np.int32)
