"""Override settings from the command line: ``--set key=value`` on frozen dataclasses."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.config.train_config import TrainConfig

FIXED = ("preset", "kind", "classes")  # what a preset is, rather than how it is trained


def with_overrides(config: "TrainConfig", settings: Mapping[str, str]) -> "TrainConfig":
    """Return a configuration with changed settings.

    Args:
        config: to change.
        settings: new values by name, as text: ``{"steps": "200", "loss.landmarks": "0"}``. A
            tuple's values stand between commas.

    Raises:
        FacewarpError: there is no such setting, or this can't be its value.
    """
    for key, text in settings.items():
        config = _replace(config, key.split("."), text, key)
    return config


def parse_settings(items: Sequence[str]) -> dict[str, str]:
    """Parse ``--set`` options ``["steps=200", ...]``; the last of a name counts."""
    settings = {}
    for item in items:
        key, equals, text = item.partition("=")
        if not (key.strip() and equals):
            raise FacewarpError(
                f"{item!r} is not a setting", "--set", "Write it as key=value, e.g. lr=1e-3."
            )
        settings[key.strip()] = text.strip()
    return settings


def _replace(node: Any, path: list[str], text: str, key: str) -> Any:
    names = [field.name for field in dataclasses.fields(node) if field.name not in FIXED]
    if path[0] not in names:
        raise FacewarpError(
            f"there is no setting {key!r}", "--set", f"Settings here: {', '.join(names)}."
        )
    old = getattr(node, path[0])
    if len(path) == 1:
        new = _parse(old, text, key, get_args(get_type_hints(type(node))[path[0]]))
        return dataclasses.replace(node, **{path[0]: new})
    if not dataclasses.is_dataclass(old):
        raise FacewarpError(f"there is no setting {key!r}: {path[0]} has no parts", "--set")
    return dataclasses.replace(node, **{path[0]: _replace(old, path[1:], text, key)})


def _parse(old: Any, text: str, key: str, hints: tuple[Any, ...]) -> Any:
    """Parse a value of the type of the old one.

    Args:
        old: the value before.
        text: the new one.
        key: its name, for errors.
        hints: arguments of its type: the choices of a word, the kind of a tuple's members.
    """
    try:
        if isinstance(old, bool):
            wanted = "true or false"
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        if isinstance(old, int | float):
            wanted = "a whole number" if isinstance(old, int) else "a number"
            return _number(old, text)
        if isinstance(old, tuple) and hints[:1] in ((int,), (float,)):
            kind = hints[0]
            like = old or (kind(12), kind(96), kind(96))
            wanted = f"numbers with commas between them, like {','.join(map(str, like))}"
            return tuple(_number(kind(0), item) for item in text.split(","))
        if isinstance(old, str) and hints:
            wanted = f"one of {', '.join(hints)}"
            return {choice: choice for choice in hints}[text]
    except (ValueError, KeyError):
        raise FacewarpError(
            f"{text!r} is no value for {key!r}", "--set", f"Give {wanted}."
        ) from None
    raise FacewarpError(f"{key!r} can't be set from the command line", "--set")


def _number(old: float, text: str) -> float:
    number = type(old)(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
