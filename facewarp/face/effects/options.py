"""The table of effects and their options, which library, commands and live page read.

Imports neither numpy nor torch, so that commands can show their help at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

EffectName = Literal["labels", "mesh", "texture", "style", "canonical", "field"]
"""Effects that facewarp has itself."""

StyleMode = Literal["color", "texture", "full"]
"""What of a style is transferred: its colors, its detail, or both."""

BlendName = Literal["paint", "tint", "mask", "glow"]
"""How a texture meets the frame; the same as `facewarp.face.rendering.shading.Blend`."""

MatchName = Literal["full", "brightness", "none"]
"""What of the frame paint takes on: full is light, its color, contrast, blur and grain."""

EFFECT_NAMES: Final[tuple[EffectName, ...]] = get_args(EffectName)

STYLE_MODES: Final[tuple[StyleMode, ...]] = get_args(StyleMode)

MATCHES: Final[tuple[MatchName, ...]] = get_args(MatchName)

DEFAULT_TEXTURE: Final = "mask"

DEFAULT_STYLE: Final = "painting"


@dataclass(frozen=True)
class EffectOption:
    """An option of effects.

    Attributes:
        effects: effects that take it.
        help: what it is, for `--help`.
        default: what an effect uses where the option is not given; None if that depends on others.
        missing: what an effect that does not take it has not, for errors: "has no style".
        for_added: effects added by users take it too.
    """

    effects: tuple[EffectName, ...]
    help: str
    default: str | float | bool | None
    missing: str
    for_added: bool = False


EFFECT_OPTIONS: Final[Mapping[str, EffectOption]] = {
    "texture": EffectOption(
        ("texture",),
        "Texture to apply: a shipped name or a PNG file.",
        DEFAULT_TEXTURE,
        "wears no texture",
    ),
    "blend": EffectOption(
        ("texture",),
        "How the texture meets the frame: paint, tint, mask, glow.",
        None,
        "has no blend",
    ),
    "match": EffectOption(
        ("texture",),
        "What paint takes on of the frame: full (light and its color, contrast, blur, grain), "
        "brightness, none.",
        "full",
        "takes nothing on",
    ),
    "inset": EffectOption(
        ("canonical",), "Show the view in the frame's corner.", False, "has no inset"
    ),
    "style": EffectOption(
        ("style",),
        "Style to transfer: a shipped name or an image of a face.",
        DEFAULT_STYLE,
        "has no style",
    ),
    "style_mode": EffectOption(
        ("style",),
        "What to take of the style: color, texture (its detail), or full for both.",
        "full",
        "has no style",
    ),
    "opacity": EffectOption(
        ("labels", "mesh", "texture", "style", "field"),
        "Strength of the effect, 0 to 1.",
        1.0,
        "has no opacity",
        for_added=True,
    ),
}
"""Every option of `make_effect` that not all effects take, by name."""


def takes(effect: str, option: str) -> bool:
    """Return whether an effect takes an option; a name not in the table is an added effect."""
    entry = EFFECT_OPTIONS[option]
    return effect in entry.effects if effect in EFFECT_NAMES else entry.for_added


def options_of(effect: str) -> list[str]:
    """Return the options that an effect takes."""
    return [option for option in EFFECT_OPTIONS if takes(effect, option)]


def unfit_option(effect: str, given: Mapping[str, Any]) -> str | None:
    """Return the first option that is given to an effect that does not take it.

    Args:
        effect: name of an effect.
        given: options by name; None and False count as not given, other names are left alone.
    """
    for option in EFFECT_OPTIONS:
        value = given.get(option)
        if value is not None and value is not False and not takes(effect, option):
            return option
    return None


def is_opacity(value: object) -> bool:
    """Return whether a value is an opacity: a number within 0..1."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
