"""Make-up textures: each part has a color and a strength of its own.

A look is asked for like a texture, by its name and what differs from it:
``makeup``, ``makeup+lips=crimson:0.8``, ``evening+blush=off+liner=0.4``.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from facewarp.errors import FacewarpError

PARTS: Final = ("contour", "blush", "freckles", "shadow", "liner", "brows", "lips")
"""What can be made up, in the order it is put on."""

FOLDER: Final = "makeup"
"""Where in ``assets/textures`` the masks of the parts lie, and ``look-NAME.png`` of each look."""


@dataclass(frozen=True)
class Makeup:
    """Color and strength of one part.

    Attributes:
        color: RGB, 0..255.
        strength: 0..1 of the part's mask; 0 leaves the part as it is.
    """

    color: tuple[int, int, int]
    strength: float


_USUAL: Final = {
    "contour": Makeup((128, 84, 66), 0.35),
    "blush": Makeup((214, 104, 98), 0.38),
    "freckles": Makeup((136, 78, 44), 0.6),
    "shadow": Makeup((126, 78, 96), 0.55),
    "liner": Makeup((26, 20, 22), 0.9),
    "brows": Makeup((70, 48, 38), 0.35),
    "lips": Makeup((176, 34, 56), 0.7),
}
"""What a part is coloured like when only its strength is given, or it is switched on."""

LOOKS: Final[Mapping[str, Mapping[str, Makeup]]] = {
    "makeup": {name: _USUAL[name] for name in ("blush", "shadow", "liner", "lips")},
    "evening": {
        "contour": Makeup((110, 70, 58), 0.5),
        "blush": Makeup((188, 82, 98), 0.42),
        "shadow": Makeup((42, 52, 128), 0.8),
        "liner": Makeup((14, 12, 22), 1.0),
        "brows": Makeup((48, 34, 30), 0.5),
        "lips": Makeup((120, 12, 58), 0.85),
    },
    "freckles": {
        "freckles": _USUAL["freckles"],
        "blush": Makeup((222, 118, 98), 0.28),
    },
}
"""Looks by name: what each begins with."""

TITLES: Final = {
    "makeup": "Make-up for the day: lips, eye shadow, liner, blush",
    "evening": "Make-up for the evening: dark lips, blue lids, contour",
    "freckles": "Freckles and a little blush",
}


def is_look(name: str) -> bool:
    """Whether a texture's name asks for make-up."""
    return name.partition("+")[0] in LOOKS


def looks_of(names: Iterable[str]) -> dict[str, dict[str, dict[str, str | float]]]:
    """Return every part of the looks among textures: ``{"color": "#rrggbb", "strength": 0..1}``.

    Args:
        names: of textures; those that are no looks are passed over.
    """
    found = {}
    for name in filter(is_look, names):
        look = parse_look(name)
        found[name] = {
            part: _plain(look.get(part, replace(_USUAL[part], strength=0.0))) for part in PARTS
        }
    return found


def _plain(makeup: Makeup) -> dict[str, str | float]:
    red, green, blue = makeup.color
    return {"color": f"#{red:02x}{green:02x}{blue:02x}", "strength": makeup.strength}


def parse_look(spec: str) -> dict[str, Makeup]:
    """Parse a name like ``makeup+lips=crimson:0.8`` into settings of parts.

    After the look's name any number of ``+PART=COLOUR``, ``+PART=STRENGTH``,
    ``+PART=COLOUR:STRENGTH`` or ``+PART=off``; colours are CSS names or ``#rrggbb``.

    Raises:
        FacewarpError: no such look or part, no colour, or no strength within 0..1.
    """
    name, *changes = spec.split("+")
    if name not in LOOKS:
        raise FacewarpError(f"there is no look {name!r}", fix=f"Looks: {', '.join(LOOKS)}.")
    look = dict(LOOKS[name])
    for change in changes:
        part, is_set, value = change.partition("=")
        if part not in PARTS or not is_set:
            close = difflib.get_close_matches(part, PARTS, n=1)
            hint = f"Did you mean {close[0]}? " if close else ""
            raise FacewarpError(
                f"make-up knows no {change!r}",
                fix=f"{hint}Say PART=COLOUR:STRENGTH with a part of {', '.join(PARTS)}.",
            )
        look[part] = _changed(look.get(part, _USUAL[part]), part, value.strip())
    return look


def made_up(
    look: Mapping[str, Makeup], masks: Mapping[str, NDArray[np.uint8]] | None = None
) -> NDArray[np.uint8]:
    """Return a look's texture, (h, w, 4) uint8 RGBA with straight alpha, in template space.

    Args:
        look: how each part is made up; those left out stay bare.
        masks: (h, w) uint8 of each part; None for the shipped ones.
    """
    masks = masks or part_masks()
    shape = next(iter(masks.values())).shape
    color = np.zeros((*shape, 3), np.float32)
    alpha = np.zeros(shape, np.float32)
    for part in PARTS:
        if part not in look:
            continue
        cover = masks[part].astype(np.float32) * np.float32(look[part].strength / 255)
        color += cover[..., None] * (np.array(look[part].color, np.float32) - color)
        alpha += cover * (1 - alpha)
    color /= np.maximum(alpha, 1e-4)[..., None]
    rgba = np.dstack([color, 255 * alpha])
    return np.rint(rgba.clip(0, 255)).astype(np.uint8)


@lru_cache(maxsize=1)
def part_masks() -> dict[str, NDArray[np.uint8]]:
    """Return the shipped masks of all parts, (h, w) uint8 each."""
    folder = files("facewarp.assets").joinpath("textures", FOLDER)
    masks = {}
    for part in PARTS:
        with folder.joinpath(f"{part}.png").open("rb") as file, Image.open(file) as image:
            masks[part] = np.array(image.convert("L"))
    return masks


def _changed(before: Makeup, part: str, value: str) -> Makeup:
    """Return a part's settings with the requested changes."""
    if value == "off":
        return replace(before, strength=0.0)
    color, has_both, strength = value.rpartition(":")
    if not has_both:
        is_number = re.fullmatch(r"[-+.\d]+", value) is not None
        color, strength = ("", value) if is_number else (value, "")
    made = before
    try:
        if color:
            made = replace(made, color=ImageColor.getrgb(color)[:3])
        if strength:
            made = replace(made, strength=float(strength))
    except ValueError:
        made = replace(made, strength=-1.0)
    if not 0 <= made.strength <= 1:
        raise FacewarpError(
            f"{part}={value} is no make-up",
            fix=f"Say {part}=COLOUR:STRENGTH, a CSS name or #rrggbb and 0..1, or {part}=off.",
        )
    return made
