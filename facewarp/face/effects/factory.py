"""Make effects by name: functions that render onto the registered faces of a frame.

An effect takes an RGB frame, the faces found in it and the template, and returns a new frame. It
never modifies the frame it was given and touches only the box of each face (`canonical` returns an
image of its own). A face whose state is "lost" gets its tag and nothing else.

Example:
    >>> effect = make_effect("texture", texture="tiger", opacity=0.9)  # doctest: +SKIP
    >>> out = effect(frame.image, tracker(frame.image, frame.time), template)  # doctest: +SKIP
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.effects.canonical import Canonical
from facewarp.face.effects.displacement_field import Field
from facewarp.face.effects.labels import Labels
from facewarp.face.effects.mesh import Mesh
from facewarp.face.effects.options import (
    DEFAULT_STYLE,
    DEFAULT_TEXTURE,
    EFFECT_OPTIONS,
    MATCHES,
    MatchName,
    StyleMode,
    unfit_option,
)
from facewarp.face.effects.plugins import USER_EFFECTS
from facewarp.face.effects.style import Style, StyleFace, list_styles, shipped_style
from facewarp.face.effects.texture import Texture
from facewarp.face.rendering.shading import BLENDS, Blend
from facewarp.face.rendering.textures import load_texture, texture_blend

if TYPE_CHECKING:
    from facewarp.face.face import Face
    from facewarp.face.template.template import Template

Effect = Callable[[NDArray[np.uint8], Sequence["Face"], "Template"], NDArray[np.uint8]]
"""(frame (H, W, 3) uint8 RGB, faces, template) -> a new (H, W, 3) uint8 RGB."""

TextureSource = str | PathLike[str] | NDArray[np.uint8]
"""A shipped texture's name, a file, or RGBA pixels."""

StyleSource = str | PathLike[str] | NDArray[np.generic] | StyleFace
"""A shipped style's name, an image file, pixels, or a style registered already."""


@dataclass(frozen=True)
class EffectOptions:
    """Options of effects; which effect takes which is in `options.EFFECT_OPTIONS`.

    Attributes:
        annotate: tag faces with id, state and confidence.
        opacity: 0..1; None is the effect's own.
        texture: for `texture`; None is the default.
        blend: for `texture`; None is what the texture asks for.
        match: for `texture`: what of the frame it takes on, None is "full".
        inset: for `canonical`: into the frame's corner instead of replacing the frame.
        style: for `style`; None is the default.
        style_mode: for `style`: what of it is transferred, None is "full".
    """

    annotate: bool = True
    opacity: float | None = None
    texture: TextureSource | None = None
    blend: Blend | None = None
    inset: bool = False
    style: StyleSource | None = None
    style_mode: StyleMode | None = None
    match: MatchName | None = None


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
    return Texture(
        rgba, _opacity(options), blend or "paint", options.annotate, options.match or "full"
    )


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
"""What makes each effect of `options.EFFECT_NAMES`."""


def make_effect(
    name: str,
    *,
    texture: TextureSource | None = None,
    opacity: float | None = None,
    blend: Blend | None = None,
    match: MatchName | None = None,
    inset: bool = False,
    style: StyleSource | None = None,
    style_mode: StyleMode | None = None,
    annotate: bool = True,
) -> Effect:
    """Make an effect by its name.

    Args:
        name: one of `EFFECTS`, or an effect added with `facewarp.effect`.
        texture: of the effect `texture`: a shipped name, a file, or RGBA pixels (h, w, 4) uint8.
        opacity: 0..1; at 0 the frame stays as it is but for the tags.
        blend: how the texture meets the frame: "paint", "tint", "mask" or "glow".
        match: what of the frame the texture takes on: "full", "brightness" or "none".
        inset: show the canonical view in the frame's corner.
        style: of the effect `style`: a shipped name, an image file, pixels or a `StyleFace`.
        style_mode: what of the style is transferred: "color", "texture" or "full".
        annotate: tag faces with id, state and confidence.

    Returns:
        The effect, a function of (frame (H, W, 3) uint8 RGB, faces, template).

    Raises:
        FacewarpError: no such effect or texture, or an option that does not fit.

    Example:
        >>> tracker = facewarp.FaceTracker()
        >>> draw = facewarp.make_effect("texture", texture="tiger")
        >>> picture = draw(image, tracker(image), tracker.template)
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
    if match is not None and match not in MATCHES:
        raise FacewarpError(f"there is no match {match!r}", fix=f"Matches: {', '.join(MATCHES)}.")
    options = EffectOptions(annotate, opacity, texture, blend, inset, style, style_mode, match)
    unfit = unfit_option(name, vars(options))
    if unfit is not None:
        raise FacewarpError(
            f"the effect {name!r} takes no {unfit}",
            fix=f"Leave it out, or use the effect "
            f"{' or '.join(sorted(EFFECT_OPTIONS[unfit].effects))}.",
        )
    if name in USER_EFFECTS:
        return USER_EFFECTS[name](_opacity(options), annotate)
    return EFFECTS[name](options)


def note_of(effect: Effect) -> str | None:
    """Return what the metadata of images made with an effect must say, if anything."""
    note = getattr(effect, "note", None)
    return None if note is None else str(note)
