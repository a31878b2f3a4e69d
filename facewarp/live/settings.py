"""Settings of a live session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facewarp.errors import FacewarpError
from facewarp.face.effects.options import DEFAULT_TEXTURE, check_opacity


@dataclass(frozen=True)
class LiveSettings:
    """What can be changed while frames run.

    Attributes:
        effect: one of :data:`facewarp.face.effects.factory.EFFECTS`, or one made already.
        texture: what the effect ``texture`` wears.
        opacity: of the effect, 0..1; ``canonical`` has none.
        smoothing: whether faces are held steady.
        mirror: whether the picture shown is mirrored, like a looking glass; text is not.
        template: what faces are registered with.
    """

    effect: str = "labels"
    texture: str = DEFAULT_TEXTURE
    opacity: float = 1.0
    smoothing: bool = True
    mirror: bool = False
    template: str = "average"

    def check(self, choices: Mapping[str, Sequence[str]]) -> None:
        """See that all of it is possible.

        Raises:
            FacewarpError: something is not; says what would be.
        """
        for name, possible in choices.items():
            value = getattr(self, name)
            if value not in possible:
                raise FacewarpError(
                    f"there is no {name} {value!r}", fix=f"Choose one of {', '.join(possible)}."
                )
        for name in ("smoothing", "mirror"):
            if not isinstance(getattr(self, name), bool):
                raise FacewarpError(f"{name} is on or off, not {getattr(self, name)!r}")
        check_opacity(self.opacity)
