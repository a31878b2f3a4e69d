"""What is drawn on faces: options that ``facewarp track`` and ``facewarp live`` share."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from facewarp.core.model import Model
    from facewarp.face.effects.factory import Effect
    from facewarp.face.effects.style import StyleFace


class EffectName(StrEnum):
    """Effects that can be drawn."""

    labels = "labels"
    mesh = "mesh"
    texture = "texture"
    style = "style"
    canonical = "canonical"
    field = "field"


class StyleModeName(StrEnum):
    """What of a style is carried over."""

    color = "color"
    texture = "texture"
    full = "full"


EACH_HELP = "Effects by turns, the first face's first: texture:tiger,style:bronze,labels."
PLUGIN_HELP = "Python file with effects of your own, for --each; it is run."
STYLE_HELP = "What --effect style takes over: a picture of a face, or a shipped style."
MODE_HELP = "Colours, detail (texture), or both of the style."
MAKEUP_HELP = "Change a part of a look of make-up: lips=crimson:0.8, blush=0.3, liner=off."


@dataclass(frozen=True)
class EffectSelection:
    """The options, checked.

    Attributes:
        effect: what every face gets, unless ``each`` says otherwise.
        texture: of the effect ``texture``.
        makeup: changes to a look of make-up.
        opacity: of the effects.
        style: of the effect ``style``.
        style_mode: of the effect ``style``.
        each: effects by turns.
        plugins: Python files that add effects.
    """

    effect: EffectName
    texture: str | None
    makeup: list[str] | None
    opacity: float | None
    style: str | None
    style_mode: StyleModeName | None
    each: str | None
    plugins: list[Path] | None

    def __post_init__(self) -> None:
        """See that the options go together."""
        name = self.effect.value
        texture = with_makeup(self.texture, self.makeup)
        object.__setattr__(self, "texture", texture)
        object.__setattr__(self, "makeup", None)
        if texture is not None and name != "texture":
            _refuse("--texture", f"--effect {name} wears no texture; say --effect texture.")
        for option, value in (("--style", self.style), ("--style-mode", self.style_mode)):
            if value is not None and name != "style":
                _refuse(option, f"--effect {name} has no style; say --effect style.")
        if self.opacity is not None and name == "canonical":
            _refuse("--opacity", "--effect canonical shows the frame itself and has no opacity.")
        if self.each is not None and self.effect is not EffectName.labels:
            _refuse("--each", "it names every effect itself; leave --effect out.")
        if self.plugins and self.each is None:
            _refuse("--plugin", "say which of its effects are drawn with --each.")

    @property
    def label(self) -> str:
        """A word for the names of outputs."""
        return self.effect.value if self.each is None else "each"

    def make(self, model: "str | Path | Model", annotate: bool) -> "Effect":
        """The effect.

        Args:
            model: what registers the face of a style.
            annotate: whether faces are tagged.
        """
        from facewarp.face.effects.factory import make_effect

        if self.each is not None:
            return self._by_turns(model, annotate)
        mode: Any = None if self.style_mode is None else self.style_mode.value
        return make_effect(
            self.effect.value,
            texture=self.texture,
            opacity=self.opacity,
            style=_registered(self.style, model),
            style_mode=mode,
            annotate=annotate,
        )

    def _by_turns(self, model: "str | Path | Model", annotate: bool) -> "Effect":
        from facewarp.face.effects.factory import make_effect
        from facewarp.face.effects.plugins import Turns, load_effects

        for path in self.plugins or []:
            load_effects(path)
        effects = []
        for word in (self.each or "").split(","):
            name, _, of = word.strip().partition(":")
            if of and name not in ("texture", "style"):
                _refuse("--each", f"{name!r} takes nothing after a colon.")
            texture = of or None if name == "texture" else None
            style = _registered(of or None if name == "style" else None, model)
            opacity = None if name == "canonical" else self.opacity
            effects.append(
                make_effect(name, texture=texture, style=style, opacity=opacity, annotate=annotate)
            )
        return effects[0] if len(effects) == 1 else Turns(effects)


def _registered(style: str | None, model: "str | Path | Model") -> "str | StyleFace | None":
    """A style by its shipped name, or registered by the model in use."""
    from facewarp.face.effects.style import StyleFace, list_styles

    if style is None or style in list_styles():
        return style
    return StyleFace.of(style, model)


def with_makeup(texture: str | None, makeup: list[str] | None) -> str | None:
    """A texture's name with the changes asked for by ``--makeup``."""
    if not makeup:
        return texture
    from facewarp.face.rendering.makeup import LOOKS, is_look

    if texture is not None and not is_look(texture):
        _refuse("--makeup", f"this changes a look; say --texture {' or '.join(LOOKS)}.")
    return "+".join([texture or "makeup", *makeup])


def _refuse(option: str, why: str) -> None:
    raise typer.BadParameter(why, param_hint=option)
