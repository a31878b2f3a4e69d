"""Paint on pictures of more than 8 bits: what the effect does not cover keeps its values."""

from dataclasses import replace

import numpy as np

from facewarp.drawing.effect_layer import EffectLayer
from facewarp.media.frames import DeepImage, Frame, Image


def painted(frame: Frame, drawn: Image, layer: EffectLayer | None) -> Frame:
    """Lay an effect over a frame's deep picture, in what a screen shows of it.

    Args:
        frame: as it was read.
        drawn: the effect on its 8-bit image.
        layer: the effect alone; None where it replaces the frame, which then has 8 bits.
    """
    if frame.deep is None or layer is None:
        return frame.with_image(drawn)
    return replace(frame.with_image(drawn), deep=laid_over(frame.deep, layer))


def laid_over(deep: DeepImage, layer: EffectLayer) -> DeepImage:
    """Return a deep picture with a layer over it; values under an alpha of 0 stay as they are."""
    if layer.is_empty:
        return deep
    x0, y0, x1, y1 = layer.box
    window = np.s_[y0:y1, x0:x1]
    mixed = deep.coded(np.asarray(layer.over(deep.display(window), 1.0), np.float32))
    codes = deep.codes.copy()
    np.copyto(codes[window], mixed, where=(layer.alpha > 0)[..., None])
    return replace(deep, codes=codes)
