"""Output of the command line: results, messages, progress and JSON.

Every command gets one `Output` and sends everything through it. With `--json` standard output
carries one JSON value and nothing else; whatever is meant for people goes to standard error.
"""

import json
import logging
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console, RenderableType
from rich.markup import escape

if TYPE_CHECKING:
    from rich.progress import Task


@dataclass(frozen=True)
class Output:
    """Output options of a command, and its two streams.

    Attributes:
        json: standard output is for a program; people read standard error.
        verbose: show debug messages, and tracebacks of errors.
        quiet: show errors only (and the JSON, if asked for).
        stdout: the console on standard output.
        stderr: the console on standard error.
    """

    json: bool = False
    verbose: bool = False
    quiet: bool = False
    stdout: Console = field(default_factory=Console)
    stderr: Console = field(default_factory=lambda: Console(stderr=True))

    def say(self, *what: RenderableType) -> None:
        """Print text (with Rich markup), tables or panels for people; nothing when quiet."""
        if not self.quiet:
            shown = [printable(part, "\n") if isinstance(part, str) else part for part in what]
            (self.stderr if self.json else self.stdout).print(*shown, soft_wrap=_is_text(what))

    def line(self, kind: str, text: str, style: str) -> None:
        """Print one line `kind: text` on standard error, never wrapped, markup left alone."""
        self.stderr.print(f"{kind}: ", style=style, end="", highlight=False)
        self.stderr.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def error(self, text: str) -> None:
        """Print what went wrong in one red line."""
        self.line("error", text, "bold red")

    def warn(self, text: str) -> None:
        """Print what the user should know in one yellow line; nothing when quiet."""
        if not self.quiet:
            self.line("warning", text, "yellow")

    def emit_json(self, value: Any) -> None:
        """Write one JSON value to standard output; does nothing without `--json`.

        Dataclasses, enums, paths and numpy arrays and scalars are written as plain values. Numbers
        that JSON cannot hold (NaN and the infinities) become null.
        """
        if self.json:
            indent = 2 if self.stdout.is_terminal else None
            plain = _plain(value)
            text = json.dumps(plain, indent=indent, ensure_ascii=False, allow_nan=False)
            if any("\ud800" <= letter <= "\udfff" for letter in text):  # a name that is no UTF-8
                text = json.dumps(plain, indent=indent, allow_nan=False)
            sys.stdout.write(text + "\n")

    @contextmanager
    def progress(
        self, description: str, total: float | None = None, unit: str = "frames"
    ) -> Iterator[Callable[..., None]]:
        """Show a progress bar on standard error with units a second and time left.

        Nothing is drawn when quiet or when standard error is not a terminal.

        Args:
            description: what is being done, e.g. `"tracking clip.mp4"`.
            total: how many steps there are; None if that cannot be known beforehand.
            unit: what a step is, in the plural; shown as `frames/s`.

        Yields:
            `advance(steps=1, description=None)`: call it after each step.
        """
        from rich.markup import escape
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            ProgressColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.text import Text

        class Speed(ProgressColumn):
            def render(self, task: "Task") -> Text:
                speed = task.finished_speed or task.speed
                return Text("" if speed is None else f"{speed:.1f} {unit}/s", style="cyan")

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Speed(),
            TimeElapsedColumn() if total is None else TimeRemainingColumn(),
        )
        hidden = self.quiet or not self.stderr.is_terminal
        with Progress(*columns, console=self.stderr, disable=hidden) as bar:
            task = bar.add_task(escape(description), total=total)

            def advance(steps: float = 1, description: str | None = None) -> None:
                text = None if description is None else escape(description)
                bar.update(task, advance=steps, description=text)

            yield advance


class LogHandler(logging.Handler):
    """Show log messages of the library as single lines on standard error."""

    def __init__(self, output: Output) -> None:
        super().__init__()
        self.output = output

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record; a message that cannot be formatted is reported, not raised."""
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            self.handleError(record)
            return
        style = "bold red" if record.levelno >= logging.ERROR else "yellow"
        style = style if record.levelno >= logging.WARNING else "dim"
        kind = "note" if record.levelno == logging.INFO else record.levelname.lower()
        self.output.line(kind, text, style)


def output_of(ctx: typer.Context) -> Output:
    """Return the `Output` that the global options asked for.

    Args:
        ctx: the context Typer hands to a command that has a `ctx: typer.Context` parameter.
    """
    output = ctx.find_object(Output)
    return Output() if output is None else output


def show_logs(output: Output) -> None:
    """Send log messages of the `facewarp` loggers to standard error, as the options say."""
    logger = logging.getLogger("facewarp")
    logger.handlers = [LogHandler(output)]
    logger.propagate = False
    level = logging.DEBUG if output.verbose else logging.INFO
    logger.setLevel(logging.ERROR if output.quiet else level)


def printable(text: str, kept: str = "") -> str:
    """Make a text safe for the terminal: what can't be printed is shown by its code.

    Names of files and titles in medical images hold whatever somebody has put there.

    Args:
        text: what to show.
        kept: further letters that are left as they are.
    """
    if text.isprintable():
        return text
    return "".join(
        letter
        if letter.isprintable() or letter in kept
        else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )


def cell(value: object) -> str:
    """Any value as the text of a table's cell: no markup, nothing that steers the terminal."""
    return escape(printable(str(value)))


def _is_text(what: tuple[RenderableType, ...]) -> bool:
    return all(isinstance(part, str) for part in what)


def _plain(value: Any) -> Any:
    """Return the same value in types that JSON has."""
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, int | float):
        return value if math.isfinite(value) else None
    if isinstance(value, PathLike):
        return fspath(value)
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
