"""A camera: its name, backend and modes."""

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
    """A size a camera can give.

    Attributes:
        width: px.
        height: px.
        pixels: The format as its four letters, such as ``MJPG`` or ``YUYV``; empty if unknown.
        rates: Frames a second that can be chosen, highest first; empty if unknown.
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
    """A camera.

    Attributes:
        index: Its number for OpenCV's backend.
        name: As its maker or the system calls it.
        backend: OpenCV's way to it, one of `BACKENDS`.
        path: The device, where it has one.
        modes: What it can do; empty where that was not asked or can't be told.
        problem: Why it can't be used, with what to do; None if nothing is known against it.
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
    """What a camera gave when it was opened, whatever it was asked for.

    Attributes:
        width: px.
        height: px.
        pixels: The format as its four letters; None where the camera does not tell.
        fps: Frames a second; None where it does not tell.
    """

    width: int
    height: int
    pixels: str | None = None
    fps: float | None = None

    def __str__(self) -> str:
        rate = None if self.fps is None else f"@{self.fps:g}"
        return " ".join(filter(None, [f"{self.width}x{self.height}{rate or ''}", self.pixels]))


def four_letters(code: float) -> str | None:
    """The letters of a FOURCC as OpenCV tells it, None where it tells none."""
    if not math.isfinite(code) or not 0 < code < 1 << 32:
        return None
    letters = int(code).to_bytes(4, "little")
    return letters.decode("ascii") if letters.isalnum() else None
