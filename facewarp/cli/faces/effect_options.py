"""Options of the effects, which `facewarp track` and `facewarp live` share."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from facewarp.cli.option_groups import parse_share
from facewarp.face.effects.options import (
    DEFAULT_STYLE,
    DEFAULT_TEXTURE,
    EFFECT_NAMES,
    EFFECT_OPTIONS,
    BlendName,
    EffectName,
    MatchName,
    StyleMode,
    takes,
    unfit_option,
)

if TYPE_CHECKING:
    from facewarp.core.model import Model
    from facewarp.face.effects.factory import Effect
    from facewarp.face.effects.style import StyleFace


_TABLE = EFFECT_OPTIONS

_OF_TURNS: Final = ("opacity", "blend", "match", "style_mode")
"""Options that those effects of `--each` get which take them."""


class TextureUV(StrEnum):
    """Layouts that textures are painted in."""

    template = "template"
    mediapipe = "mediapipe"


@dataclass(frozen=True)
class EffectSelection:
    """Effects to render on faces, with their options.

    Attributes:
        effect: what every face gets, unless `each` says otherwise.
        texture: of the effect `texture`, with the changes of `makeup`.
        texture_uv: layout of the texture's file; None once it is in `texture`.
        makeup: changes to a look of make-up; None once they are in `texture`.
        blend: of the effect `texture`; None is what the texture asks for.
        match: of the effect `texture`: what of the frame it takes on.
        opacity: of the effects, 0..1.
        style: of the effect `style`.
        style_mode: of the effect `style`.
        each: effects by turns.
        plugin: Python files that add effects.
    """

    effect: Annotated[
        EffectName,
        typer.Option(metavar="NAME", help=f"Effect to render: {', '.join(EFFECT_NAMES)}."),
    ] = EFFECT_NAMES[0]
    texture: Annotated[
        str | None, typer.Option(help=_TABLE["texture"].help, show_default=DEFAULT_TEXTURE)
    ] = None
    texture_uv: Annotated[
        TextureUV | None,
        typer.Option(
            "--texture-uv",
            metavar="LAYOUT",
            help="What the texture's file is painted on: template (see template show --export-uv) "
            "or mediapipe, the canonical face of MediaPipe.",
            show_default="template",
        ),
    ] = None
    makeup: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART=HOW",
            help="Change a part of the make-up, by colour:strength: lips=crimson:0.8, blush=0.3, "
            "liner=off.",
            show_default=False,
        ),
    ] = None
    blend: Annotated[
        BlendName | None,
        typer.Option(
            metavar="NAME", help=_TABLE["blend"].help, show_default="what the texture asks for"
        ),
    ] = None
    match: Annotated[
        MatchName | None,
        typer.Option(metavar="HOW", help=_TABLE["match"].help, show_default="full"),
    ] = None
    opacity: Annotated[
        float | None,
        typer.Option(parser=parse_share, metavar="SHARE", help=_TABLE["opacity"].help),
    ] = None
    style: Annotated[
        str | None,
        typer.Option(metavar="IMAGE", help=_TABLE["style"].help, show_default=DEFAULT_STYLE),
    ] = None
    style_mode: Annotated[
        StyleMode | None,
        typer.Option(metavar="NAME", help=_TABLE["style_mode"].help, show_default="full"),
    ] = None
    each: Annotated[
        str | None,
        typer.Option(
            metavar="LIST",
            help="An effect for each face, in turn: mesh,labels; also texture:tiger. --match, "
            "--blend, --opacity and --style-mode hold for those that take them.",
            show_default=False,
        ),
    ] = None
    plugin: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Python file with effects of your own, for --each; it is executed.",
            show_default=False,
        ),
    ] = None

    def __post_init__(self) -> None:
        """Check that the options go together.

        Raises:
            typer.BadParameter: they do not.
        """
        if self.texture_uv is TextureUV.mediapipe:
            object.__setattr__(self, "texture", _painted_for_mediapipe(self.texture))
        object.__setattr__(self, "texture_uv", None)
        only_makeup = bool(self.makeup) and self.texture is None
        object.__setattr__(self, "texture", with_makeup(self.texture, self.makeup))
        object.__setattr__(self, "makeup", None)
        if self.each is not None:
            self._check_turns(only_makeup)
            return
        unfit = unfit_option(self.effect, vars(self))
        if unfit is not None:
            entry = _TABLE[unfit]
            option = "makeup" if unfit == "texture" and only_makeup else unfit
            _refuse(
                f"--{option.replace('_', '-')}",
                f"--effect {self.effect} {entry.missing}; "
                f"say --effect {' or '.join(entry.effects)}.",
            )
        if self.plugin:
            _refuse("--plugin", "say which of its effects are drawn with --each.")

    def _check_turns(self, only_makeup: bool) -> None:
        """Check that what `each` names goes with the other options."""
        if self.effect != EFFECT_NAMES[0]:
            _refuse("--each", "it names every effect itself; leave --effect out.")
        turns = [name for name, _ in self._turns]
        for option, example in (("texture", "texture:tiger"), ("style", "style:bronze")):
            if getattr(self, option) is not None:
                word = "makeup" if option == "texture" and only_makeup else option
                _refuse(f"--{word}", f"--each names what is drawn itself, as {example}.")
        for option in _OF_TURNS:
            if getattr(self, option) is not None and not any(takes(t, option) for t in turns):
                entry = _TABLE[option]
                word = option.replace("_", "-")
                _refuse(f"--{word}", f"no effect of --each takes it; {_one_of(entry.effects)} do.")

    @property
    def _turns(self) -> list[tuple[str, str | None]]:
        """Name of each effect of `each`, and what stands after its colon."""
        words = (word.strip().partition(":") for word in (self.each or "").split(","))
        return [(name, of or None) for name, _, of in words]

    @property
    def label(self) -> str:
        """Word for the names of outputs."""
        return self.effect if self.each is None else "each"

    def make(self, model: "str | Path | Model", annotate: bool) -> "Effect":
        """Make the effect.

        Args:
            model: what registers the face of a style.
            annotate: whether faces are tagged.
        """
        from facewarp.face.effects.factory import make_effect

        if self.each is not None:
            return self._by_turns(model, annotate)
        return make_effect(
            self.effect,
            texture=self.texture,
            blend=self.blend,
            match=self.match,
            opacity=self.opacity,
            style=_registered(self.style, model),
            style_mode=self.style_mode,
            annotate=annotate,
        )

    def registered_style(self, model: "str | Path | Model") -> "str | StyleFace | None":
        """Return the style that is named, registered by the model where it is a file."""
        return _registered(self.style, model)

    def _by_turns(self, model: "str | Path | Model", annotate: bool) -> "Effect":
        from facewarp.face.effects.factory import make_effect
        from facewarp.face.effects.plugins import Turns, load_effects

        for path in self.plugin or []:
            load_effects(path)
        effects = []
        for name, of in self._turns:
            if of and not (name in EFFECT_NAMES and name in EFFECT_OPTIONS):
                _refuse("--each", f"{name!r} takes nothing after a colon.")
            shared = {option: getattr(self, option) for option in _OF_TURNS if takes(name, option)}
            texture = of if name == "texture" else None
            style = _registered(of if name == "style" else None, model)
            effects.append(
                make_effect(name, texture=texture, style=style, annotate=annotate, **shared)
            )
        return effects[0] if len(effects) == 1 else Turns(effects)


def _registered(style: str | None, model: "str | Path | Model") -> "str | StyleFace | None":
    """Return a shipped style's name, or a style registered by the model in use."""
    from facewarp.face.effects.style import StyleFace, list_styles

    if style is None or style in list_styles():
        return style
    return StyleFace.of(style, model)


def _painted_for_mediapipe(texture: str | None) -> str:
    """Return a texture's name that says that its file is painted for MediaPipe's face."""
    if texture is None or not Path(texture).suffix:
        why = "it says how a file is painted; give --texture FILE."
        raise typer.BadParameter(why, param_hint="--texture-uv")
    return f"mediapipe:{Path(texture).absolute()}"  # batches may run in another folder


def with_makeup(texture: str | None, makeup: list[str] | None) -> str | None:
    """Return a texture's name with the changes asked for by `--makeup`."""
    if not makeup:
        return texture
    from facewarp.face.rendering.makeup import LOOKS, is_look

    if texture is not None and not is_look(texture):
        _refuse("--makeup", f"this changes a look; say --texture {' or '.join(LOOKS)}.")
    return "+".join([texture or "makeup", *makeup])


def _one_of(names: "tuple[str, ...]") -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"


def _refuse(option: str, why: str) -> None:
    raise typer.BadParameter(why, param_hint=option)
