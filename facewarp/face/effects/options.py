"""Names and options of the effects: one table for library, command line and live page."""

from dataclasses import dataclass
from os import PathLike
from typing import Final

import numpy as np
from numpy.typing import NDArray

from facewarp.face.effects.style import StyleFace, StyleMode
from facewarp.face.rendering.shading import Blend

TextureSource = str | PathLike[str] | NDArray[np.uint8]
"""A shipped texture's name, a file, or RGBA pixels."""

StyleSource = str | PathLike[str] | NDArray[np.generic] | StyleFace
"""A shipped style's name, a picture file, pixels, or a style registered already."""

DEFAULT_TEXTURE: Final = "mask"

DEFAULT_STYLE: Final = "painting"

_OPTIONS_OF: Final = {
    "texture": {"texture"},
    "blend": {"texture"},
    "inset": {"canonical"},
    "style": {"style"},
    "style_mode": {"style"},
    "opacity": {"labels", "mesh", "texture", "style", "field"},
}


@dataclass(frozen=True)
class EffectOptions:
    """What effects can be asked for; an effect refuses an option that it has no use for.

    Attributes:
        annotate: tag faces with id, state and confidence.
        opacity: 0..1; None is the effect's own.
        texture: for ``texture``; None is `DEFAULT_TEXTURE`.
        blend: for ``texture``; None is what the texture asks for.
        inset: for ``canonical``: into the frame's corner instead of replacing the frame.
        style: for ``style``; None is `DEFAULT_STYLE`.
        style_mode: for ``style``: what of it, None is "full".
    """

    annotate: bool = True
    opacity: float | None = None
    texture: TextureSource | None = None
    blend: Blend | None = None
    inset: bool = False
    style: StyleSource | None = None
    style_mode: StyleMode | None = None
