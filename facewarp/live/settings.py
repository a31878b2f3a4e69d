"""Settings of a live session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from facewarp.errors import FacewarpError
from facewarp.face.effects.options import DEFAULT_STYLE, DEFAULT_TEXTURE, StyleMode, is_opacity

CHOICES: Final = ("effect", "texture", "template", "style", "style_mode")
"""Settings that are one of some names."""

SWITCHES: Final = ("smoothing", "mirror")
"""Settings that are on or off."""

MAX_MAKEUP: Final = 400
"""Letters of the changes to a look."""

DEFAULT_PORT: Final = 8765
"""Port of the live page."""


@dataclass(frozen=True)
class LiveSettings:
    """Settings that can be changed while frames run.

    Attributes:
        effect: one of `options.EFFECT_NAMES`, or the name of an effect made already.
        texture: name of the texture, for the effect `texture`.
        opacity: of the effect, 0..1, where it takes one.
        smoothing: smooth landmarks over time.
        mirror: mirror the preview; what is recorded or sent never is.
        template: name of the template that faces are registered to.
        makeup: changes to the parts of a texture that is a look of make-up, as
            ``"lips=#b02238:0.7+blush=off"``; see `facewarp.face.rendering.makeup`.
        style: whose style the effect `style` transfers.
        style_mode: what of it.
    """

    effect: str = "labels"
    texture: str = DEFAULT_TEXTURE
    opacity: float = 1.0
    smoothing: bool = True
    mirror: bool = False
    template: str = "average"
    makeup: str = ""
    style: str = DEFAULT_STYLE
    style_mode: StyleMode = "full"

    def check(self, choices: Mapping[str, Sequence[str]]) -> None:
        """Check that the settings are possible.

        Args:
            choices: what `CHOICES` may be.

        Raises:
            FacewarpError: one is not; says what it can be.
        """
        for name, possible in choices.items():
            value = getattr(self, name)
            if value not in possible:
                raise FacewarpError(
                    f"there is no {name} {value!r}", fix=f"Choose one of {', '.join(possible)}."
                )
        for name in SWITCHES:
            if not isinstance(getattr(self, name), bool):
                raise FacewarpError(f"{name} is on or off, not {getattr(self, name)!r}")
        if len(self.makeup) > MAX_MAKEUP:
            raise FacewarpError("this is too much make-up", fix="Name every part once.")
        if not is_opacity(self.opacity):
            raise FacewarpError(f"an opacity is within 0..1, not {self.opacity!r}")


def checked_settings(wanted: Any, choices: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the settings of a request, each of its type and range.

    Args:
        wanted: JSON value of the request: some of the fields of `LiveSettings` by name.
        choices: what `CHOICES` may be.

    Raises:
        ValueError: anything else; says what.
    """
    if not isinstance(wanted, dict) or not wanted:
        raise ValueError('settings are an object, such as {"effect": "mesh"}')
    for name, value in wanted.items():
        if name in CHOICES:
            if not isinstance(value, str) or value not in choices.get(name, ()):
                raise ValueError(f"{name} is one of {', '.join(choices.get(name, ()))}")
        elif name in SWITCHES:
            if not isinstance(value, bool):
                raise ValueError(f"{name} is true or false")
        elif name == "makeup":
            if not isinstance(value, str) or len(value) > MAX_MAKEUP:
                raise ValueError('makeup is a short text, such as "lips=crimson:0.8"')
        elif name == "opacity":
            if not is_opacity(value):
                raise ValueError("opacity is a number from 0 to 1")
        else:
            raise ValueError("there is no such setting")
    return wanted
