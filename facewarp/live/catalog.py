"""Effects, textures, styles and templates that a live session can choose from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facewarp.errors import FacewarpError
from facewarp.face.effects.factory import Effect, make_effect
from facewarp.face.effects.options import (
    DEFAULT_STYLE,
    DEFAULT_TEXTURE,
    EFFECT_NAMES,
    STYLE_MODES,
    BlendName,
    MatchName,
    StyleMode,
    takes,
)
from facewarp.face.effects.style import StyleFace, list_styles
from facewarp.face.rendering.makeup import is_look, parse_look
from facewarp.face.rendering.shading import Blend
from facewarp.face.rendering.textures import list_textures, load_texture, texture_blend
from facewarp.face.template.library import template_names
from facewarp.face.template.template import Template
from facewarp.face.template_building.from_photo import OwnFace
from facewarp.live.settings import LiveSettings

SNAPSHOT, PICTURE, OWN_TEXTURE, OWN_STYLE = "snapshot", "picture", "own", "own"
"""Names of a template from a frame, a template from an uploaded image, an uploaded texture, and an
uploaded style."""


@dataclass(frozen=True)
class EffectChoice:
    """The effect that a session begins with, and what holds for all that are chosen later.

    Attributes:
        effect: its name, see `LiveSettings`.
        texture: a shipped name or a file; None for `DEFAULT_TEXTURE`.
        blend: how textures meet the frame; None for what each asks for.
        match: what of the frame textures take on; None for "full".
        opacity: 0..1; None for 1.
        style: a shipped name or a style registered already; None for `DEFAULT_STYLE`.
        style_mode: what of it is transferred.
        further: effects made already that may be chosen by these names beside the others; their
            opacity does not change.
    """

    effect: str = "labels"
    texture: str | Path | None = None
    blend: BlendName | None = None
    match: MatchName | None = None
    opacity: float | None = None
    style: str | StyleFace | None = None
    style_mode: StyleMode = "full"
    further: Mapping[str, Effect] = field(default_factory=dict)


class Catalog:
    """Textures and templates by name: shipped ones, those given at the start, and a user's own.

    Only what is named at the start may be a file. Later names are among `choices`, so that nobody
    reads files by changing settings over the network.

    Args:
        template: the first one: a shipped name or a `.npz` file.
        choice: the first effect.

    Attributes:
        first: the first template, for which textures are made.
        names: of the first template, texture and style.

    Raises:
        FacewarpError: there is no such template.
    """

    def __init__(self, template: str, choice: EffectChoice) -> None:
        self._choice, style = choice, choice.style
        self.first = Template.load(template)
        style_name = style.name if isinstance(style, StyleFace) else style or DEFAULT_STYLE
        texture = DEFAULT_TEXTURE if choice.texture is None else str(choice.texture)
        self.names = template, texture, style_name
        self._templates: dict[str, Template | OwnFace] = {template: self.first}
        self._textures = list_textures()
        if self.names[1] not in self._textures:
            self._textures.insert(0, self.names[1])
        self._own_texture: NDArray[np.uint8] | None = None
        self._styles: dict[str, StyleFace | None] = dict.fromkeys(list_styles())
        if isinstance(style, StyleFace):
            self._styles = {style.name: style, **self._styles}

    def choices(self) -> dict[str, Sequence[str]]:
        """Return what the settings `settings.CHOICES` may be; the first template comes first."""
        own = [] if self._own_texture is None else [OWN_TEXTURE]
        templates = dict.fromkeys([*self._templates, *template_names()])
        return {
            "effect": [*dict.fromkeys((*EFFECT_NAMES, *self._choice.further))],
            "texture": [*self._textures, *own],
            "template": [*(name for name in templates if name not in (SNAPSHOT, PICTURE))]
            + [name for name in (SNAPSHOT, PICTURE) if name in templates],
            "style": [*self._styles],
            "style_mode": STYLE_MODES,
        }

    def template(self, name: str) -> Template:
        """Return a template by its name among the choices."""
        if name not in self._templates:
            self._templates[name] = Template.load(name)
        found = self._templates[name]
        return found.template if isinstance(found, OwnFace) else found

    def make_effect(
        self, settings: LiveSettings, register_style: Callable[[str], StyleFace]
    ) -> Effect:
        """Return the effect of some settings: one made already, or a new one.

        Args:
            settings: of names among the choices.
            register_style: makes a style of a shipped name.

        Raises:
            FacewarpError: a file of it can't be read.
        """
        made = self._choice.further.get(settings.effect)
        if made is not None:
            return made
        options: dict[str, Any] = {"annotate": False}
        if takes(settings.effect, "opacity"):
            options["opacity"] = settings.opacity
        if settings.effect == "texture":
            texture, blend = self.texture(settings.texture, settings.makeup)
            options |= {"texture": texture, "blend": self._choice.blend or blend}
            options["match"] = self._choice.match
        if settings.effect == "style":
            options["style"] = self.style(settings.style, register_style)
            options["style_mode"] = settings.style_mode
        return make_effect(settings.effect, **options)

    def check_makeup(self, name: str, makeup: str) -> None:
        """Check changes to a texture that is a look.

        Raises:
            FacewarpError: it is no look, or there is no such make-up.
        """
        if not makeup:
            return
        if not is_look(name):
            raise FacewarpError(f"{name} has no make-up to change", fix="Choose a look first.")
        parse_look(f"{name}+{makeup}")

    def texture(self, name: str, makeup: str = "") -> tuple[NDArray[np.uint8], Blend]:
        """Return the pixels (h, w, 4) of a texture in texture space, and its blend.

        Args:
            name: among the choices.
            makeup: changes to a look; other textures have none.

        Raises:
            FacewarpError: its file can't be read, or there is no such make-up.
        """
        blend: Blend = "paint"
        if name == OWN_TEXTURE and self._own_texture is not None:
            rgba = self._own_texture
        else:
            worn = f"{name}+{makeup}" if makeup else name
            rgba, blend = load_texture(worn), texture_blend(worn)
        return rgba, blend

    def style(self, name: str, register: Callable[[str], StyleFace]) -> StyleFace:
        """Return a style among the choices, registered when it is first wanted.

        Args:
            name: among the choices.
            register: makes a style of a shipped name.
        """
        found = self._styles[name]
        if found is None:
            found = self._styles[name] = register(name)
        return found

    def put_style(self, style: StyleFace | None) -> StyleFace | None:
        """Store a style as `OWN_STYLE`, or None; return the one before."""
        before = self._styles.pop(OWN_STYLE, None)
        if style is not None:
            self._styles[OWN_STYLE] = style
        return before

    def put_template(self, name: str, face: OwnFace | None) -> OwnFace | None:
        """Store a face under a name, or None; return the one that was there before."""
        before = self._templates.pop(name, None)
        if face is not None:
            self._templates[name] = face
        assert before is None or isinstance(before, OwnFace)
        return before

    def put_texture(self, rgba: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Store a texture (h, w, 4) as `OWN_TEXTURE`, or None; return the one before."""
        before, self._own_texture = self._own_texture, rgba
        return before
