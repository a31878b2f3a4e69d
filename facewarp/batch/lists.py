"""Lists of inputs: text files with one path a line."""

from pathlib import Path
from typing import Final

from facewarp.errors import FacewarpError

LISTS: Final = (".txt", ".lst", ".csv")
"""Suffixes of lists."""


def is_list(path: Path) -> bool:
    """Whether a path is a list of inputs, by its suffix."""
    return path.suffix.lower() in LISTS


def listed(path: Path, what: str) -> list[Path]:
    """Read a list: one path a line (its first column), relative to itself, ``#`` for comments.

    Args:
        path: the list.
        what: it names, in the singular, for messages.

    Raises:
        FacewarpError: it can't be read, or names nothing.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        told = f"the list of {what}s cannot be read"
        raise FacewarpError(told, path, "Give a text file with one path a line.") from error
    named = [line.partition("#")[0].split(",")[0].strip().strip('"') for line in lines]
    found = [path.parent / name for name in named if name and name not in ("path", "source")]
    if not found:
        raise FacewarpError(f"the list names no {what}", path, "Write one path a line.")
    return found
