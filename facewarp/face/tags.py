"""Small labels written on a frame: a face's id, state and confidence, and legends."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from facewarp.face.overlay import blend_over

if TYPE_CHECKING:
    from facewarp.face.tracker import Face

_Color = tuple[int, int, int]

STATE_COLORS: dict[str, _Color] = {
    "tracking": (96, 211, 148),
    "uncertain": (245, 183, 49),
    "lost": (150, 150, 150),
}
"""RGB of the dot that tells a face's state."""

_INK: _Color = (255, 255, 255)
_PILL: _Color = (18, 20, 26)
_PILL_ALPHA = 150
_DIM = 0.6  # opacity of the tag of a face that is not followed well
_FOREHEAD = 0.3  # of the height of the landmarks' box, by which the tag stays clear of the brows
_OVERSAMPLING = 4


def draw_tag(frame: NDArray[np.uint8], face: "Face") -> None:
    """Write a face's tag above its box, in place, kept inside of the frame."""
    tag = tag_label(face, frame.shape)
    top = face.box[1] - _FOREHEAD * (face.box[3] - face.box[1])
    place(frame, tag, round(face.box[0]), round(top) - tag.shape[0])


def tag_label(face: "Face", frame_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Id, state and confidence of a face as a small label, dim unless the face is followed well."""
    if face.state == "tracking":
        words = f"{face.confidence:.0%}"
    elif face.state == "lost":
        words = "lost"
    else:
        words = f"{face.state} {face.confidence:.0%}"
    return text_label(
        (f"#{face.id}  {words}",),
        text_height_px(frame_shape),
        dot=STATE_COLORS.get(face.state, _INK),
        opacity=1.0 if face.state == "tracking" else _DIM,
    )


def place(frame: NDArray[np.uint8], image: NDArray[np.uint8], x: int, y: int) -> None:
    """Lay a premultiplied RGBA picture at a frame position, in place, moved and cut to fit in."""
    height = min(image.shape[0], frame.shape[0])
    width = min(image.shape[1], frame.shape[1])
    x = min(max(x, 0), frame.shape[1] - width)
    y = min(max(y, 0), frame.shape[0] - height)
    blend_over(frame[y : y + height, x : x + width], image[:height, :width])


def text_height_px(frame_shape: tuple[int, ...]) -> int:
    """Size of text that is readable and unobtrusive on a frame of this shape."""
    return int(np.clip(min(frame_shape[:2]) / 42, 10, 40))


@lru_cache(maxsize=512)
def text_label(
    lines: Sequence[str], size_px: int, dot: _Color | None = None, opacity: float = 1.0
) -> NDArray[np.uint8]:
    """Light text on a dark translucent pill: (h, w, 4) uint8, premultiplied, read-only.

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
        draw.text(at, line, font=font, fill=(*_INK, 235), anchor="lm")
    premultiplied = np.asarray(image, dtype=np.float32) * opacity
    premultiplied[..., :3] *= premultiplied[..., 3:] / 255 / max(opacity, 1e-6)
    blocks = premultiplied.reshape(height // scale, scale, width // scale, scale, 4)
    label = np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
    label.flags.writeable = False
    return label


@lru_cache(maxsize=8)
def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
