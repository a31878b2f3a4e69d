"""What a look can choose from: settings, and the textures and templates there are."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facewarp.face.effects.factory import Effect
from facewarp.face.effects.options import DEFAULT_TEXTURE, EFFECT_NAMES, PREPARED_EFFECTS
from facewarp.face.rendering.shading import Blend
from facewarp.face.rendering.textures import list_textures, load_texture, texture_blend
from facewarp.face.template.library import template_names
from facewarp.face.template.template import Template
from facewarp.face.template_building.from_photo import OwnFace

SNAPSHOT, PICTURE, OWN_TEXTURE = "snapshot", "picture", "own"
"""What a template taken from a frame, one from an uploaded picture, and an uploaded texture are
called."""


class Catalog:
    """Textures and templates by name: those that ship, those a look began with, and a user's own.

    Only what was named at the beginning may be a file; later names are among :meth:`choices`, so
    that nobody reads files by changing settings from afar.

    Args:
        template: what to begin with: a shipped name, a ``.npz`` file or a :class:`Template`.
        texture: a shipped name or a file; None for the usual one.
        further: effects made already, by name: a style, effects by turns, a user's own.

    Attributes:
        further: those.
        first: the template begun with, for which textures are made.
        names: of the template and the texture begun with.

    Raises:
        FacewarpError: there is no such template.
    """

    def __init__(
        self,
        template: str | Path | Template,
        texture: str | Path | None,
        further: Mapping[str, Effect] | None = None,
    ) -> None:
        self.further = dict(further or {})
        self.first = template if isinstance(template, Template) else Template.load(template)
        name = self.first.name if isinstance(template, Template) else str(template)
        self.names = name, DEFAULT_TEXTURE if texture is None else str(texture)
        self._templates: dict[str, Template | OwnFace] = {name: self.first}
        self._textures = list_textures()
        if self.names[1] not in self._textures:
            self._textures.insert(0, self.names[1])
        self._own_texture: NDArray[np.uint8] | None = None

    def choices(self) -> dict[str, Sequence[str]]:
        """What effect, texture and template may be; the template begun with comes first."""
        own = [] if self._own_texture is None else [OWN_TEXTURE]
        templates = dict.fromkeys([*self._templates, *template_names()])
        effects = [name for name in EFFECT_NAMES if name not in PREPARED_EFFECTS]
        return {
            "effect": [*effects, *self.further],
            "texture": [*self._textures, *own],
            "template": [*(name for name in templates if name not in (SNAPSHOT, PICTURE))]
            + [name for name in (SNAPSHOT, PICTURE) if name in templates],
        }

    def template(self, name: str) -> Template:
        """A template by its name among the choices."""
        if name not in self._templates:
            self._templates[name] = Template.load(name)
        found = self._templates[name]
        return found.template if isinstance(found, OwnFace) else found

    def texture(self, name: str) -> tuple[NDArray[np.uint8], Blend]:
        """The pixels (h, w, 4) of a texture in the space of textures, and its blend.

        Raises:
            FacewarpError: its file can't be read.
        """
        blend: Blend = "paint"
        if name == OWN_TEXTURE and self._own_texture is not None:
            rgba = self._own_texture
        else:
            rgba, blend = load_texture(name), texture_blend(name)
        return rgba, blend

    def put_template(self, name: str, face: OwnFace | None) -> OwnFace | None:
        """Keep a face under a name, or None; the one that was there before."""
        before = self._templates.pop(name, None)
        if face is not None:
            self._templates[name] = face
        assert before is None or isinstance(before, OwnFace)
        return before

    def put_texture(self, rgba: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
        """Keep a texture (h, w, 4) as :data:`OWN_TEXTURE`, or None; the one before."""
        before, self._own_texture = self._own_texture, rgba
        return before
