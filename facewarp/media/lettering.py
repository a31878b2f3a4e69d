"""Lettering for overlays: text and panels as small pictures that are blended over a frame.

An overlay is premultiplied RGBA, so that laying it on costs two multiplications a pixel of its own
box and nothing elsewhere. Words and digits are drawn once and kept: a number that changes with
every frame is put together from ten digits of one width and does not jitter.
"""

import re
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Overlay = NDArray[np.uint8]
"""(h, w, 4) uint8 RGBA, premultiplied."""

Colour = tuple[int, int, int]

INK: Final[Colour] = (255, 255, 255)
DIM: Final[Colour] = (196, 201, 212)
GREEN: Final[Colour] = (96, 211, 148)
AMBER: Final[Colour] = (250, 190, 70)
RED: Final[Colour] = (255, 86, 86)
GREY: Final[Colour] = (160, 165, 176)
PAPER: Final[Colour] = (15, 17, 22)
"""What panels are made of, at `PAPER_ALPHA`."""

PAPER_ALPHA: Final = 0.74
"""White letters on it keep a contrast of 7:1 over a white picture."""

LINE_EM: Final = 1.3
"""Height of a line of text, in sizes of the font."""

_OVERSAMPLING: Final = 4
_RUNS: Final = re.compile(r"[0-9]|[^0-9]+")


def em_of(image_shape: tuple[int, ...]) -> int:
    """Size in px of text that is legible and unobtrusive on a picture of this shape."""
    return int(np.clip(min(image_shape[:2]) / 34, 12, 64))


def blend(image: NDArray[np.uint8], overlay: Overlay, x: int, y: int) -> None:
    """Lay an overlay on a picture (H, W, 3) at (x, y), in place, moved and cut to fit in."""
    height, width = (min(a, b) for a, b in zip(image.shape[:2], overlay.shape[:2], strict=True))
    x = min(max(x, 0), image.shape[1] - width)
    y = min(max(y, 0), image.shape[0] - height)
    region, overlay = image[y : y + height, x : x + width], overlay[:height, :width]
    clear = cv2.cvtColor(cv2.bitwise_not(cv2.extractChannel(overlay, 3)), cv2.COLOR_GRAY2RGB)
    colour = cv2.cvtColor(overlay, cv2.COLOR_RGBA2RGB)
    region[:] = cv2.add(cv2.multiply(region, clear, scale=1 / 255), colour)


def text_width(text: str, em_px: int, bold: bool = False) -> int:
    """Width of a line of text in px."""
    return sum(_run(run, em_px, bold).shape[1] for run in _RUNS.findall(writable(text)))


def write(
    overlay: Overlay, text: str, x: int, y: int, em_px: int, colour: Colour, bold: bool = False
) -> None:
    """Write a line of text on an overlay, in place: left edge at x, line from y on; cut to fit."""
    for run in _RUNS.findall(writable(text)):
        letters = _run(run, em_px, bold)
        put(overlay, letters, x, y, colour)
        x += letters.shape[1]


def put(overlay: Overlay, mask: NDArray[np.uint8], x: int, y: int, colour: Colour) -> None:
    """Lay a colour on an overlay through a mask (h, w) of 0..255, in place; cut to fit."""
    target = overlay[y : y + mask.shape[0], x : x + mask.shape[1]]
    alpha = mask[: target.shape[0], : target.shape[1], None].astype(np.float32) / 255
    target[:] = np.rint(target * (1 - alpha) + alpha * (*colour, 255))


@lru_cache(maxsize=64)
def panel(
    width: int,
    height: int,
    radius: int,
    colour: Colour = PAPER,
    alpha: float = PAPER_ALPHA,
    edge: float = 0.0,
) -> Overlay:
    """A round-cornered panel, read-only.

    Args:
        width: px.
        height: px.
        radius: of the corners, px.
        colour: RGB.
        alpha: 0..1.
        edge: 0..1, opacity of a thin light line along its rim.
    """
    mask = rounded(width, height, radius).astype(np.float32) / 255
    rgba = mask[..., None] * np.array([*colour, 255], np.float32) * alpha
    if edge:
        inner = np.zeros_like(mask)
        inner[1:-1, 1:-1] = rounded(width - 2, height - 2, max(radius - 1, 0)) / np.float32(255)
        line = (np.clip(mask - inner, 0, 1) * edge)[..., None]
        rgba = rgba * (1 - line) + 255 * line
    return _kept(np.rint(rgba).astype(np.uint8))


@lru_cache(maxsize=64)
def rounded(width: int, height: int, radius: int) -> NDArray[np.uint8]:
    """A round-cornered rectangle as a mask (height, width), read-only."""
    radius = max(0, min(radius, width // 2, height // 2))
    mask = np.full((height, width), 255, np.uint8)
    if radius:
        side = 2 * radius * _OVERSAMPLING
        image = Image.new("L", (side, side))
        ImageDraw.Draw(image).ellipse((0, 0, side - 1, side - 1), fill=255)
        corner = _shrunk(image)[:radius, :radius]
        mask[:radius, :radius], mask[:radius, width - radius :] = corner, corner[:, ::-1]
        mask[height - radius :] = mask[:radius][::-1]
    return _kept(mask)


@lru_cache(maxsize=32)
def disc(diameter: int) -> NDArray[np.uint8]:
    """A disc as a mask, read-only."""
    return rounded(diameter, diameter, diameter // 2)


def writable(text: str) -> str:
    """A text with question marks for what the font has no letter for: file names may hold any."""
    return "".join(letter if _has_letter(letter) else "?" for letter in text)


@lru_cache(maxsize=1024)
def _has_letter(letter: str) -> bool:
    font = _font(32)
    shown, missing = (font.getmask(one) for one in (letter, "\uffff"))
    return letter == " " or (shown.size, bytes(shown)) != (missing.size, bytes(missing))


@lru_cache(maxsize=1024)
def _run(text: str, em_px: int, bold: bool) -> NDArray[np.uint8]:
    """A digit, or words without digits, as a mask (line height, advance)."""
    scale = _OVERSAMPLING
    font = _font(em_px * scale)
    digit = len(text) == 1 and text in "0123456789"
    advance = max(font.getlength(d) for d in "0123456789") if digit else font.getlength(text)
    width, height = max(1, round(advance / scale)), round(LINE_EM * em_px)
    image = Image.new("L", (width * scale, height * scale))
    at = (width * scale / 2, height * scale * 0.52) if digit else (0, height * scale * 0.52)
    ImageDraw.Draw(image).text(
        at,
        text,
        font=font,
        fill=255,
        anchor="mm" if digit else "lm",
        stroke_width=max(1, em_px * scale // 55) if bold else 0,
    )
    return _shrunk(image)


@lru_cache(maxsize=16)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)


def _shrunk(image: Image.Image) -> NDArray[np.uint8]:
    size = (image.width // _OVERSAMPLING, image.height // _OVERSAMPLING)
    return _kept(
        np.asarray(cv2.resize(np.asarray(image), size, interpolation=cv2.INTER_AREA), np.uint8)
    )


def _kept(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    array.flags.writeable = False
    return array
