"""Describe a camera: its name, backend and modes."""

import math
from dataclasses import dataclass

BACKENDS: dict[str, tuple[str, ...]] = {
    "win32": ("DSHOW", "MSMF"),
    "linux": ("V4L2",),
    "darwin": ("AVFOUNDATION",),
}
"""OpenCV's ways to a camera by platform, in the order they are tried. On Windows DirectShow opens
within a second where Media Foundation may take half a minute."""


@dataclass(frozen=True)
class Mode:
    """A frame size that a camera can deliver.

    Attributes:
        width: px.
        height: px.
        pixels: the format as its four letters, such as `MJPG` or `YUYV`; empty if unknown.
        rates: frames a second that can be chosen, highest first; empty if unknown.
    """

    width: int
    height: int
    pixels: str = ""
    rates: tuple[float, ...] = ()

    def __str__(self) -> str:
        rates = " ".join(f"{rate:g}" for rate in self.rates)
        size = f"{self.width}x{self.height}"
        return " ".join(part for part in (size, self.pixels, rates and f"@ {rates}") if part)


@dataclass(frozen=True)
class Camera:
    """A camera of this machine.

    Attributes:
        index: its number for OpenCV's backend.
        name: as its maker or the system calls it.
        backend: OpenCV's way to it, one of `BACKENDS`.
        path: the device, where it has one.
        modes: frame sizes and rates; empty where they were not asked for or are not known.
        problem: why it can't be used, with what to do; None if nothing is known against it.
    """

    index: int
    name: str
    backend: str
    path: str | None = None
    modes: tuple[Mode, ...] = ()
    problem: str | None = None

    def __str__(self) -> str:
        return f"{self.index}: {self.name}"


@dataclass(frozen=True)
class Given:
    """What a camera delivered when it was opened, whatever it was asked for.

    Attributes:
        width: px.
        height: px.
        pixels: the format as its four letters; None where the camera does not tell.
        fps: frames a second; None where it does not tell.
    """

    width: int
    height: int
    pixels: str | None = None
    fps: float | None = None

    def __str__(self) -> str:
        rate = None if self.fps is None else f"@{self.fps:g}"
        return " ".join(filter(None, [f"{self.width}x{self.height}{rate or ''}", self.pixels]))


def four_letters(code: float) -> str | None:
    """Return the letters of a FOURCC code as OpenCV reports it; None where it reports none."""
    if not math.isfinite(code) or not 0 < code < 1 << 32:
        return None
    letters = int(code).to_bytes(4, "little")
    return letters.decode("ascii") if letters.isalnum() else None
