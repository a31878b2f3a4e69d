"""Text renderer: text and panels as small RGBA images to blend over a frame.

An overlay is premultiplied RGBA, so that blending costs two multiplications a pixel of its box.
Words and digits are rendered once and cached: a number that changes with every frame is composed
of ten digits of one width and does not jitter.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from facewarp.drawing.compositing import Overlay, put
from facewarp.drawing.palette import INK, PAPER, PAPER_ALPHA, Color

_PILL: Final[Color] = (18, 20, 26)
_PILL_ALPHA: Final = 150

LINE_EM: Final = 1.3
"""Height of a line of text, in sizes of the font."""

_OVERSAMPLING: Final = 4
_RUNS: Final = re.compile(r"[0-9]|[^0-9]+")


def em_of(image_shape: tuple[int, ...]) -> int:
    """Return the size in px of text that is legible and unobtrusive on an image of this shape."""
    return int(np.clip(min(image_shape[:2]) / 34, 12, 64))


def text_width(text: str, em_px: int, bold: bool = False) -> int:
    """Return the width of a line of text in px."""
    return sum(_run(run, em_px, bold).shape[1] for run in _RUNS.findall(writable(text)))


def write(
    overlay: Overlay, text: str, x: int, y: int, em_px: int, color: Color, bold: bool = False
) -> None:
    """Write a line of text on an overlay, in place: left edge at x, line from y on; cut to fit."""
    for run in _RUNS.findall(writable(text)):
        letters = _run(run, em_px, bold)
        put(overlay, letters, x, y, color)
        x += letters.shape[1]


@lru_cache(maxsize=64)
def panel(
    width: int,
    height: int,
    radius: int,
    color: Color = PAPER,
    alpha: float = PAPER_ALPHA,
    edge: float = 0.0,
) -> Overlay:
    """Render a round-cornered panel, read-only.

    Args:
        width: px.
        height: px.
        radius: of the corners, px.
        color: RGB.
        alpha: 0..1.
        edge: 0..1, opacity of a thin light line along its rim.
    """
    mask = rounded(width, height, radius).astype(np.float32) / 255
    rgba = mask[..., None] * np.array([*color, 255], np.float32) * alpha
    if edge:
        inner = np.zeros_like(mask)
        inner[1:-1, 1:-1] = rounded(width - 2, height - 2, max(radius - 1, 0)) / np.float32(255)
        line = (np.clip(mask - inner, 0, 1) * edge)[..., None]
        rgba = rgba * (1 - line) + 255 * line
    return _kept(np.rint(rgba).astype(np.uint8))


@lru_cache(maxsize=64)
def rounded(width: int, height: int, radius: int) -> NDArray[np.uint8]:
    """Render a round-cornered rectangle as a mask (height, width), read-only."""
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
    """Render a disc as a mask, read-only."""
    return rounded(diameter, diameter, diameter // 2)


def writable(text: str) -> str:
    """Replace letters that the font lacks by question marks; file names may hold any."""
    return "".join(letter if _has_letter(letter) else "?" for letter in text)


@lru_cache(maxsize=1024)
def _has_letter(letter: str) -> bool:
    font = _font(32)
    shown, missing = (font.getmask(one) for one in (letter, "\uffff"))
    return letter == " " or (shown.size, bytes(shown)) != (missing.size, bytes(missing))


@lru_cache(maxsize=1024)
def _run(text: str, em_px: int, bold: bool) -> NDArray[np.uint8]:
    """Render a digit, or words without digits, as a mask (line height, advance)."""
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


def text_height_px(frame_shape: tuple[int, ...]) -> int:
    """Return the size of text that is readable and unobtrusive on a frame of this shape."""
    return int(np.clip(min(frame_shape[:2]) / 42, 10, 40))


@lru_cache(maxsize=512)
def text_label(
    lines: Sequence[str], size_px: int, dot: Color | None = None, opacity: float = 1.0
) -> NDArray[np.uint8]:
    """Render light text on a dark translucent pill: (h, w, 4) uint8, premultiplied, read-only.

    Args:
        lines: a tuple of the lines of text.
        size_px: size of the font.
        dot: colour of the round mark before the text.
        opacity: 0..1 of the whole label.
    """
    scale = _OVERSAMPLING
    em = size_px * scale
    font = _font(em)
    widths = [font.getlength(line) for line in lines]
    line_height = em * 1.25
    inset_x, inset_y = em * 0.55, em * 0.28
    dot_width = em * 0.75 if dot else 0.0
    width = int(max(widths) + 2 * inset_x + dot_width)
    height = int(line_height * len(lines) + 2 * inset_y)
    width, height = (-(-v // scale) * scale for v in (width, height))
    image = Image.new("RGBA", (width, height), (*_PILL, 0))
    draw = ImageDraw.Draw(image)
    radius = min(height / 2, line_height / 2 + inset_y)
    draw.rounded_rectangle((0, 0, width - 1, height - 1), radius, fill=(*_PILL, _PILL_ALPHA))
    middle = inset_y + line_height / 2
    if dot:
        x, r = inset_x + em * 0.2, em * 0.22
        draw.ellipse((x - r, middle - r, x + r, middle + r), fill=(*dot, 255))
    for index, line in enumerate(lines):
        at = (inset_x + dot_width, middle + index * line_height)
        draw.text(at, line, font=font, fill=(*INK, 235), anchor="lm")
    premultiplied = np.asarray(image, dtype=np.float32) * opacity
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255 / max(opacity, 1e-6)
    blocks = premultiplied.reshape(height // scale, scale, width // scale, scale, 4)
    label = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    label.flags.writeable = False
    return label
