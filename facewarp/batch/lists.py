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
        FacewarpError: it can't be read, names nothing, or nothing that is there: a text file that
            is no list.
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
    if not any(_is_there(one) for one in found):
        told = f"a {path.suffix} file is read as a list of {what}s, but nothing it names is there"
        fix = (
            f"It was looked for first as {found[0]}. A list has one path a line, relative to the "
            f"list or whole, and # before a comment: scans/{what}001."
        )
        raise FacewarpError(told, path, fix)
    return found


def _is_there(path: Path) -> bool:
    """Whether there is such a file or folder, or it is a pattern of numbered pictures."""
    try:
        return "%" in path.name or path.exists()
    except OSError:  # a line of prose can be longer than a name may be
        return False
