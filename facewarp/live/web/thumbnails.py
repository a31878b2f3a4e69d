"""Small pictures of textures and styles for the tiles of the page."""

import io
from functools import lru_cache
from typing import Final

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from facewarp.face.effects.style import list_styles, style_picture
from facewarp.face.rendering.textures import list_textures, load_texture
from facewarp.face.template.template import Template

_SIZE_PX: Final = (156, 192)
_BRIGHTNESS: Final = 0.85  # of the face below a texture


@lru_cache(maxsize=64)
def shipped(kind: str, name: str) -> bytes | None:
    """Return the PNG of a shipped texture or style; None where there is none of that name.

    Args:
        kind: ``"texture"`` or ``"style"``.
        name: of it; of a texture that is a look, with its changes.
    """
    if kind == "style":
        return picture(style_picture(name)) if name in list_styles() else None
    if name.partition("+")[0] not in list_textures():
        return None
    return texture(load_texture(name))


def texture(rgba: NDArray[np.uint8]) -> bytes:
    """Return the PNG of a texture (h, w, 4), worn by the average face, so that it can be seen."""
    small = PIL.Image.fromarray(rgba).convert("RGBA").resize(_SIZE_PX, PIL.Image.Resampling.BOX)
    worn = PIL.Image.alpha_composite(_face(), small)
    return _png(worn.crop(_face().getbbox(alpha_only=True)))


def picture(image: NDArray[np.uint8]) -> bytes:
    """Return the PNG of a picture (h, w, 3), small."""
    small = PIL.Image.fromarray(image)
    small.thumbnail(_SIZE_PX)
    return _png(small)


@lru_cache(maxsize=1)
def _face() -> PIL.Image.Image:
    """Return the average face, a little darker, on nothing."""
    template = Template.load("average")
    shade = np.rint(_BRIGHTNESS * template.color.astype(np.float32))
    alpha = np.rint(255 * (1 - template.probabilities[0]))
    rgba = np.dstack([shade, alpha]).astype(np.uint8)
    return PIL.Image.fromarray(rgba).resize(_SIZE_PX, PIL.Image.Resampling.BOX)


def _png(image: PIL.Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
