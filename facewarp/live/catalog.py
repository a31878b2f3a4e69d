"""Effects, textures and templates that a live session can choose from."""

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
"""Names of a template from a frame, a template from an uploaded image, and an uploaded texture."""


class Catalog:
    """Textures and templates by name: shipped ones, those given at the start, and a user's own.

    Only what is named at the start may be a file. Later names are among `choices`, so that nobody
    reads files by changing settings over the network.

    Args:
        template: the first one: a shipped name, a `.npz` file or a `Template`.
        texture: a shipped name or a file; None for the default.
        further: effects made already, by name: a style, effects by turns, a user's own.

    Attributes:
        further: effects made already.
        first: the first template, for which textures are made.
        names: of the first template and texture.

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
        """Return what effect, texture and template may be; the first template comes first."""
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
        """Return a template by its name among the choices."""
        if name not in self._templates:
            self._templates[name] = Template.load(name)
        found = self._templates[name]
        return found.template if isinstance(found, OwnFace) else found

    def texture(self, name: str) -> tuple[NDArray[np.uint8], Blend]:
        """Return the pixels (h, w, 4) of a texture in texture space, and its blend.

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
