"""Effects: what is made of a frame once its faces are registered to the template.

An effect takes an RGB frame, the faces found in it and the template, and returns a new frame; the
one it was given is never modified, and only the box of each face is touched (``canonical`` returns
a picture of its own). A face whose state is "lost" gets its tag and nothing else.

Example:
    >>> effect = make_effect("texture", texture="tiger", opacity=0.9)  # doctest: +SKIP
    >>> out = effect(frame.image, tracker(frame.image, frame.time), template)  # doctest: +SKIP
"""

import difflib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.effects.canonical import Canonical
from facewarp.face.effects.displacement_field import Field
from facewarp.face.effects.labels import Labels
from facewarp.face.effects.mesh import Mesh
from facewarp.face.effects.options import (
    _OPTIONS_OF,
    DEFAULT_STYLE,
    DEFAULT_TEXTURE,
    EffectOptions,
    StyleSource,
    TextureSource,
)
from facewarp.face.effects.plugins import USER_EFFECTS
from facewarp.face.effects.style import Style, StyleFace, StyleMode, list_styles, shipped_style
from facewarp.face.effects.texture import Texture
from facewarp.face.rendering.shading import BLENDS, Blend
from facewarp.face.rendering.textures import load_texture, texture_blend

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

Effect = Callable[[NDArray[np.uint8], Sequence["Face"], "Template"], NDArray[np.uint8]]
"""(frame HxWx3 uint8 RGB, faces, template) -> a new HxWx3 uint8 RGB."""


def _labels(options: EffectOptions) -> Effect:
    return Labels(_opacity(options), options.annotate)


def _mesh(options: EffectOptions) -> Effect:
    return Mesh(_opacity(options), options.annotate)


def _texture(options: EffectOptions) -> Effect:
    source = DEFAULT_TEXTURE if options.texture is None else options.texture
    blend = options.blend
    if isinstance(source, np.ndarray):
        rgba = source
    else:
        rgba = load_texture(source)
        blend = blend or texture_blend(source)
    return Texture(rgba, _opacity(options), blend or "paint", options.annotate)


def _canonical(options: EffectOptions) -> Effect:
    return Canonical(options.inset, options.annotate)


def _field(options: EffectOptions) -> Effect:
    return Field(_opacity(options), options.annotate)


def _style(options: EffectOptions) -> Effect:
    source = DEFAULT_STYLE if options.style is None else options.style
    if isinstance(source, str) and source in list_styles():
        source = shipped_style(source)
    elif not isinstance(source, StyleFace):
        source = StyleFace.of(source)
    return Style(source, options.style_mode or "full", _opacity(options), options.annotate)


def _opacity(options: EffectOptions) -> float:
    return 1.0 if options.opacity is None else options.opacity


EFFECTS: Final[dict[str, Callable[[EffectOptions], Effect]]] = {
    "labels": _labels,
    "mesh": _mesh,
    "texture": _texture,
    "style": _style,
    "canonical": _canonical,
    "field": _field,
}
"""Every effect by name."""


def make_effect(
    name: str,
    *,
    texture: TextureSource | None = None,
    opacity: float | None = None,
    blend: Blend | None = None,
    inset: bool = False,
    style: StyleSource | None = None,
    style_mode: StyleMode | None = None,
    annotate: bool = True,
) -> Effect:
    """An effect by its name.

    Args:
        name: one of `EFFECTS`, or of those added with
            `plugins.effect`.
        texture: see `EffectOptions`, as the others.
        opacity: 0..1, at 0 the frame stays as it is but for the tags.
        blend: how a texture meets the frame, one of "paint", "mask", "glow".
        inset: the canonical view in the frame's corner.
        style: whose style.
        style_mode: what of it, one of "color", "texture", "full".
        annotate: tag faces with id, state and confidence.

    Raises:
        FacewarpError: no such effect or texture, or an option that does not fit.
    """
    known = [*EFFECTS, *USER_EFFECTS]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        raise FacewarpError(
            f"there is no effect {name!r}", fix=f"{hint}Effects: {', '.join(known)}."
        )
    if blend is not None and blend not in BLENDS:
        raise FacewarpError(f"there is no blend {blend!r}", fix=f"Blends: {', '.join(BLENDS)}.")
    options = EffectOptions(annotate, opacity, texture, blend, inset, style, style_mode)
    for option, effects in _OPTIONS_OF.items():
        value = getattr(options, option)
        if value is not None and value is not False and name not in effects | _free_for(option):
            raise FacewarpError(
                f"the effect {name!r} takes no {option}",
                fix=f"Leave it out, or use the effect {' or '.join(sorted(effects))}.",
            )
    if name in USER_EFFECTS:
        return USER_EFFECTS[name](_opacity(options), annotate)
    return EFFECTS[name](options)


def note_of(effect: Effect) -> str | None:
    """What pictures made with an effect have to say in their metadata, if anything."""
    note = getattr(effect, "note", None)
    return None if note is None else str(note)


def _free_for(option: str) -> set[str]:
    """Added effects that take an option."""
    return set(USER_EFFECTS) if option == "opacity" else set()
