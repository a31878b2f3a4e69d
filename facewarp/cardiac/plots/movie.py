"""Write the movie of a cine as GIF or WebM."""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from facewarp.cardiac.parts import PART_COLORS
from facewarp.cardiac.plots.volume_chart import LINE_COLORS, MARKER, PAPER
from facewarp.core.arrays import ImageArray
from facewarp.system.atomic_files import written

_FASTEST_S: Final = 0.02  # browsers show GIFs no faster
_GRAYS: Final = 160
_BLENDS: Final = (0.35, 0.7, 1.0)


def write_movie(path: Path, frames: Iterable[ImageArray], step_s: float) -> None:
    """Write images as a movie; a GIF loops.

    Args:
        path: a ``.gif`` or ``.webm`` file.
        frames: ``(H, W, 3)`` RGB, even in height and width.
        step_s: seconds from one to the next.

    Raises:
        FacewarpError: it could not be written.
    """
    if path.suffix.lower() == ".gif":
        _write_gif(path, frames, max(step_s, _FASTEST_S))
        return
    from facewarp.media.frames import Frame
    from facewarp.media.sinks import open_sink  # FFmpeg takes a tenth of a second to import

    later = iter(frames)
    first = next(later)
    height, width = first.shape[:2]
    with open_sink(path, size=(width, height), fps=1 / step_s) as sink:
        for index, frame in enumerate(chain([first], later)):
            sink.write(Frame(frame, index * step_s, index))


def _write_gif(path: Path, frames: Iterable[ImageArray], step_s: float) -> None:
    palette = _palette()
    images = (  # one after the other: Pillow keeps a copy of each
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in frames
    )
    with written(path) as temporary:
        next(images).save(
            temporary,
            save_all=True,
            append_images=images,
            duration=10 * round(100 * step_s),
            loop=0,
            optimize=False,
        )


def _palette() -> Image.Image:
    """Return a palette of many grays, and the contour colors blended with dark to light ones."""
    colors = [(level, level, level) for level in np.linspace(0, 255, _GRAYS).round()]
    for color in PART_COLORS[1:].tolist():
        for ground in (20, 80, 150, 220):
            colors += [_blend(color, (ground,) * 3, share) for share in _BLENDS]
    for curve in (*LINE_COLORS.values(), MARKER):
        colors += [_blend(curve, PAPER, share) for share in _BLENDS]
    image = Image.new("P", (1, 1))
    image.putpalette([int(value) for color in colors for value in color])
    return image


def _blend(
    color: Sequence[float], ground: Sequence[float], share: float
) -> tuple[float, float, float]:
    red, green, blue = (share * c + (1 - share) * g for c, g in zip(color, ground, strict=True))
    return red, green, blue
