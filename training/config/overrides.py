"""Override settings from the command line: ``--set key=value`` on frozen dataclasses."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from facewarp.core.config_checks import check_config
from facewarp.errors import FacewarpError

if TYPE_CHECKING:
    from facewarp.training.config.train_config import TrainConfig

BOUNDS = {
    "batch": (1, 65_536),
    "steps": (1, 10**9),
    "accumulate": (1, 65_536),
    "epochs": (0, 10**9),
    "lr": (0, 100),
    "warmup": (0, 10**9),
    "decay": (0, 1),
    "weight_decay": (0, 100),
    "clip": (0, 10**9),
    "augment": (0, 10),
    "view_shape": (1, 4096),
    "label_shape": (1, 4096),
    "seed": (0, 2**63 - 1),
}
"""Least and greatest value of settings that are numbers."""

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
    if settings:
        _check_bounds(config)
    return config


def _check_bounds(config: Any) -> None:
    """Refuse values that no machine could train with, before it tries."""
    for name, (least, most) in BOUNDS.items():
        value = getattr(config, name, least)
        values = value if isinstance(value, tuple) else (value,)
        if not all(least <= one <= most for one in values):
            what = f"{name} can't be {str(value)[:40]}"
            raise FacewarpError(what, "--set", f"Give {least:g} to {most:g}.")
    try:
        check_config(config.model)
    except ValueError as error:
        raise FacewarpError(f"the network can't be like that: {error}", "--set") from error


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
