"""The `facewarp` program: its commands, its global options and how it ends.

Exit codes: 0 done, 1 an error, 2 wrong usage, 130 interrupted.
"""

import inspect
import os
import sys
import traceback
from dataclasses import dataclass
from importlib import import_module
from tempfile import gettempdir
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command, get_group

from facewarp.cli.console import Output, output_of, show_logs
from facewarp.cli.option_groups import plain_words
from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import is_disk_full, write_error
from facewarp.system.interrupts import end_as_ctrl_c_does
from facewarp.system.start import (
    claim_process,
    ends_well,
    leave_threads_behind,
    let_go_at_exit,
    pause_collection,
    resume_collection,
)
from facewarp.version import __version__

FACES = "Faces"
HEARTS = "Hearts"
MODELS = "Models"
MACHINE = "This machine"


@dataclass(frozen=True)
class Command:
    """One line of the table of commands.

    Attributes:
        target: `module:name` below `facewarp.cli`: a function with Typer parameters, or a
            `typer.Typer` when the command has commands of its own.
        summary: the line shown by `facewarp --help`; the first line of the target's docstring.
        panel: the heading it is listed under.
        resumes: it calls `resume_collection` itself, once it is ready.
    """

    target: str
    summary: str
    panel: str
    resumes: bool = False


COMMANDS = {
    "demo": Command(
        "demo:demo",
        "Track the clip that comes with facewarp, and measure the error against its known motion.",
        FACES,
    ),
    "track": Command(
        "faces.track:track",
        "Render labels, a mesh, a texture or a style onto every face of videos and images.",
        FACES,
        resumes=True,
    ),
    "live": Command(
        "faces.live:live",
        "Render labels, a mesh or a texture onto every face of a camera's image, live.",
        FACES,
        resumes=True,
    ),
    "register": Command(
        "register:register",
        "Register the face of one image, or the heart of one volume, to that of another.",
        FACES,
    ),
    "template": Command(
        "faces.template:template",
        "Build, list and show templates: what faces are registered to.",
        FACES,
    ),
    "textures": Command(
        "faces.textures:textures",
        "List the textures and looks that come with facewarp, and render them on a face.",
        FACES,
    ),
    "gallery": Command(
        "faces.gallery:gallery",
        "Render a page of images and short clips of every effect, from free faces only.",
        FACES,
    ),
    "page": Command(
        "faces.page:page",
        "Write a folder of static files that runs the face tracker inside a browser.",
        FACES,
    ),
    "cine": Command(
        "cine:cine",
        "Track hearts through the cardiac cycle: labels, volumes, ejection fraction, motion.",
        HEARTS,
        resumes=True,
    ),
    "phantom": Command(
        "hearts.phantom:phantom",
        "Make cines of beating hearts whose motion, volumes and strain are known exactly.",
        HEARTS,
    ),
    "train": Command(
        "models.train:train", "Train a model on annotated photographs or scans.", MODELS
    ),
    "eval": Command(
        "models.evaluate:evaluate", "Measure a model on annotated photographs or scans.", MODELS
    ),
    "export": Command(
        "models.export:export",
        "Write a model for other programs, with its configuration and the weights' hash inside.",
        MODELS,
    ),
    "cameras": Command(
        "cameras:cameras",
        "List the cameras of this machine: index, name, backend, modes, and what each gave last.",
        MACHINE,
    ),
    "bench": Command(
        "models.bench:bench",
        "Time every engine and stage on this machine, next to other methods in the same run.",
        MACHINE,
    ),
    "doctor": Command(
        "doctor:doctor", "Check whether this machine has what facewarp needs.", MACHINE
    ),
}


def load_command(name: str) -> TyperCommand | TyperGroup:
    """Import the file of a command and return the command."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    target = getattr(import_module(f"facewarp.cli.{module}"), attribute)
    if isinstance(target, typer.Typer):
        loaded: Any = get_group(target)
    else:
        single = typer.Typer(add_completion=False)
        single.command(name)(target)
        loaded = get_command(single)
    loaded.name = name
    _unfold(loaded)
    if not COMMANDS[name].resumes:
        resume_collection()
    return loaded


def _unfold(command: TyperCommand | TyperGroup) -> None:
    """Join the lines of each paragraph of a command's help, so that it fits any terminal.

    Lines that are indented, and what stands above them, keep their ends: examples and lists.
    """
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(
        text if "\n " in text else text.replace("\n", " ") for text in paragraphs
    )
    for one in getattr(command, "commands", {}).values():
        _unfold(one)


class CommandTable(TyperGroup):
    """A group of the commands in `COMMANDS`, each imported when run, with one way to end.

    `--json`, `--verbose` and `--quiet` are taken from anywhere on the line, so that
    `facewarp doctor --json` is as good as `facewarp --json doctor`.
    """

    GLOBAL_FLAGS = frozenset({"--json", "-v", "--verbose", "-q", "--quiet"})

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        for name, command in COMMANDS.items():
            self.add_command(
                TyperCommand(name, help=command.summary, rich_help_panel=command.panel)
            )

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        """Move the global flags to the front; what follows `--` is never a flag."""
        end = args.index("--") if "--" in args else len(args)
        flags = [word for word in args[:end] if word in self.GLOBAL_FLAGS]
        words = [word for word in args[:end] if word not in self.GLOBAL_FLAGS]
        return super().parse_args(ctx, [*flags, *words, *args[end:]])

    def resolve_command(self, ctx: typer.Context, args: list[str]) -> Any:  # type: ignore[override]
        """Find the command by name and import its file."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command if name is None else load_command(name), rest

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command; an error ends in one line and an exit code."""
        try:
            return super().invoke(ctx)
        except TyperException as error:
            error.message = plain_words(error)
            raise
        except (typer.Exit, typer.Abort, EOFError, BrokenPipeError):
            raise
        except KeyboardInterrupt as stop:
            notes = getattr(stop, "__notes__", [])
            kept = "; ".join(notes) or "finished files are kept, unfinished ones removed"
            output_of(ctx).line("interrupted", kept, "yellow")
            raise typer.Exit(130) from None
        except Exception as error:  # noqa: BLE001 - the one place where everything ends
            output = output_of(ctx)
            if output.verbose:
                output.stderr.print(
                    traceback.format_exc(), markup=False, highlight=False, soft_wrap=True
                )
            output.error(describe(error, output.verbose))
            raise typer.Exit(1) from None


def describe(error: Exception, verbose: bool = False) -> str:
    """Describe an error in one line: what the user can do about it, or that it is our bug."""
    if isinstance(error, FacewarpError):
        return str(error)
    if isinstance(error, (FileExistsError, NotADirectoryError)) and error.filename is not None:
        return str(write_error(error, error.filename))
    if isinstance(error, OSError) and is_disk_full(error):
        return str(write_error(error, error.filename or f"an output, or {gettempdir()}"))
    if isinstance(error, OSError) and error.filename is not None:
        return str(FacewarpError(error.strerror or type(error).__name__, error.filename))
    text = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    hint = "" if verbose else " (run with --verbose for the traceback)"
    return f"internal error: {text}{hint}"


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facewarp {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="facewarp",
    cls=CommandTable,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="--json, -v and -q may stand anywhere on the line.",
)


@app.callback()
def _options(
    ctx: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Results as JSON on standard output, the rest on error.")
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Debug messages, and tracebacks of errors.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Errors only.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Register faces and hearts by a semantically guided deformable network."""
    ctx.obj = Output(json=json, verbose=verbose, quiet=quiet)
    show_logs(ctx.obj)


def main() -> None:
    """Run the program on `sys.argv` and exit.

    What ends a program from outside (a batch system, a container, a closed terminal) ends it as
    Ctrl-C does: what can be kept is kept, and nothing unfinished stays.
    """
    claim_process()
    pause_collection()
    end_as_ctrl_c_does()
    code = 0
    try:
        app(prog_name="facewarp")
    except KeyboardInterrupt:  # before a command had begun, or once it was over
        code = 130
        raise SystemExit(code) from None
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
        if not end.code:
            ends_well()
        raise
    finally:
        let_go_at_exit()
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of ``facewarp ... | head`` has gone
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if code:
            leave_threads_behind(code)
