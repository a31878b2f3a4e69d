"""Groups of options: dataclasses whose fields become options of a command.

    @dataclass(frozen=True)
    class EngineOptions:
        engine: Annotated[str, typer.Option(help="...")] = "auto"
        device: Annotated[str, typer.Option(help="...")] = "cpu"

    @option_groups
    def track(ctx: typer.Context, out: Path, run: EngineOptions) -> None: ...

The options of a group stand in the help where the group stands among the parameters. A group or an
option of type `Annotated[..., Panel("Heading")]` is listed under that heading.
"""

import inspect
import math
import re
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer
import typer.exceptions
from typer.models import OptionInfo

from facewarp.errors import nothing_there

_OWN_REASON = "Value error, "
"""What Pydantic, which Typer checks values with, puts before a reason of ours."""


@dataclass(frozen=True)
class Panel:
    """The heading under which the help lists a group or an option."""

    name: str


def number_within(least: float, most: float) -> Callable[[str | float], float]:
    """Return a parser of numbers within a range, which takes no room in the help."""

    def parse(text: str | float) -> float:
        try:
            value = float(text)
        except ValueError:
            raise typer.BadParameter(f"{text!r} is no number") from None
        if not (least <= value <= most and math.isfinite(value)):
            limits = f"x>={least:g}" if math.isinf(most) else f"{least:g}<=x<={most:g}"
            raise typer.BadParameter(f"{text} is not in the range {limits}")
        return value

    return parse


parse_share = number_within(0, 1)
"""Parses a number within 0..1."""


def existing(given: Any) -> Any:
    """Refuse paths at which nothing lies, as the callback of an option or argument.

    So a slip of the pen is told before anything large is imported.

    Args:
        given: a path, several, or None.

    Raises:
        FacewarpError: there is no such file or folder.
    """
    for path in given if isinstance(given, list | tuple) else [given]:
        if isinstance(path, Path) and not _is_there(path):
            raise nothing_there(path)
    return given


def any_existing(paths: Sequence[Path]) -> None:
    """Refuse inputs none of which is there; of several, each that is missing is told in its turn.

    Raises:
        FacewarpError: there is no such file or folder.
    """
    if not any(map(_is_there, paths)):
        existing(paths)


def named_files(*groups: Any) -> list[Path]:
    """Return the files that options name: textures, styles, templates, weights, plugins.

    Args:
        groups: dataclasses of options, or values such as the names of a command's arguments.
    """
    found: list[Path] = []
    for group in groups:
        values = vars(group).values() if is_dataclass(group) else [group]
        for value in values:
            for one in value if isinstance(value, list | tuple) else [value]:
                if isinstance(one, str | Path):
                    text = str(one)  # texture:own.png,labels and mediapipe:own.png name a file
                    found += map(Path, dict.fromkeys([text, *re.split("[,:]", text)]))
    return [path for path in found if _is_there(path) and path.is_file()]


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a NUL in the name, or one that is too long
        return False


def option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter that is a dataclass by its fields, in the signature Typer reads.

    Args:
        command: a function with Typer parameters and groups; it is called with the groups made.

    Returns:
        The command for Typer; it takes the options by name.
    """
    groups: dict[str, type] = {}
    flat: list[inspect.Parameter] = []
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        hint, panel = _without_panel(parameter.annotation)
        if isinstance(hint, type) and is_dataclass(hint):
            groups[parameter.name] = hint
            flat.extend(_options_of(hint, panel))
        else:
            hint = _under(panel, hint)
            flat.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hint))

    @wraps(command)
    def call(**values: Any) -> None:
        made = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**values, **made)

    del call.__wrapped__  # or Typer reads the signature of the command itself
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    call.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    return call


def _options_of(group: type, panel: Panel | None) -> Iterator[inspect.Parameter]:
    """Yield a keyword parameter for each field of a group."""
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=default,
            annotation=_under(panel, hints[field.name]),
        )


def _without_panel(hint: Any) -> tuple[Any, Panel | None]:
    """Return a type without its panel, and the panel."""
    if get_origin(hint) is not Annotated:
        return hint, None
    value, *extra = get_args(hint)
    panel = next((one for one in extra if isinstance(one, Panel)), None)
    rest = tuple(one for one in extra if not isinstance(one, Panel))
    return (Annotated[(value, *rest)] if rest else value), panel


def _under(panel: Panel | None, hint: Any) -> Any:
    """Return the type of an option, described as one of a panel."""
    if panel is None or get_origin(hint) is not Annotated:
        return hint
    value, *extra = get_args(hint)
    described = [copy(one) for one in extra]
    for one in described:
        if isinstance(one, OptionInfo):
            one.rich_help_panel = panel.name
    return Annotated[(value, *described)]


def plain_words(error: typer.exceptions.TyperException) -> str:
    """Say why an option's value was refused, with its range, where Pydantic says it for Typer.

    Args:
        error: of wrong usage; its message is returned where it is in plain words already.
    """
    message = str(error.message).removeprefix(_OWN_REASON)
    if not message.startswith("Input should be"):
        return message
    told: list[Any] = getattr(error.__context__, "errors", list)()
    given = repr(str(told[0]["input"])) if told else "this"
    option = getattr(error, "param", None)
    kind = getattr(getattr(option, "type_descriptor", None), "annotation", None)
    least, most = getattr(option, "min", None), getattr(option, "max", None)
    wanted = "a whole number" if kind is int else "a number"
    if kind not in (int, float):
        return f"{given}: {message[0].lower()}{message[1:]}"
    if least is not None and most is not None:
        wanted += f" from {least:g} to {most:g}"
    elif least is not None:
        wanted += f" of at least {least:g}"
    elif most is not None:
        wanted += f" of at most {most:g}"
    return f"{given} is not {wanted}."
