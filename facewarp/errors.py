"""The errors facewarp raises for reasons its user can do something about."""

import os
import re
import shlex
from os import PathLike


class FacewarpError(Exception):
    """Something the user can put right: what was wrong, where, and what to do next.

    Anything else that escapes the library is a bug of ours and keeps its own type.

    Args:
        what: What was wrong, in plain words, without a full stop.
        where: The file, option or place it was found in.
        fix: The next step, as a sentence.

    Attributes:
        what: As given.
        where: As given, as text; None if there is no such place.
        fix: As given; None if there is nothing to suggest.

    Example:
        >>> try:
        ...     facewarp.analyse_cine("nowhere.nii.gz")
        ... except facewarp.FacewarpError as error:
        ...     print(error.where)
        nowhere.nii.gz
    """

    def __init__(
        self,
        what: str,
        where: str | PathLike[str] | None = None,
        fix: str | None = None,
    ) -> None:
        """See the class."""
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix
        super().__init__(what, self.where, fix)

    def __str__(self) -> str:
        """One line: ``what (where). fix``."""
        line = _one_line(self.what)
        if self.where is not None:
            line = f"{line} ({_one_line(self.where)})"
        if self.fix is not None:
            line = f"{line}. {_one_line(self.fix)}"
        return line


def nothing_there(path: str | PathLike[str]) -> FacewarpError:
    """Return the error of a path at which nothing lies; an address is told as what it is."""
    text = str(path)
    if text == "-":
        return FacewarpError("standard input is not read", text, "Save it, and give the file.")
    if address := re.fullmatch(r"(?i)([a-z][a-z0-9+.-]+):/+(.+)", text):  # paths hold one slash
        where = "://".join(address.groups())
        fix = "Download it first; a video can be played: facewarp live --source ADDRESS."
        return FacewarpError("this is an address, not a file", where, fix)
    return FacewarpError("there is no such file or folder", text, "Check the path.")


def shell_word(word: str | PathLike[str]) -> str:
    """Return a name as one word of a command that is printed to be copied.

    Names of people and scans hold spaces, brackets and quotes, which shells read in ways of their
    own: `ffmpeg -i my clip.mov` opens `my`.
    """
    text = os.fspath(word)
    if os.name == "nt":
        return f'"{text}"' if re.search(r"[^\w.:\\/-]", text) else text
    return shlex.quote(text)


def _one_line(text: str) -> str:
    """Return the lines of a text as one; spaces within them are left, as names have them."""
    return " ".join(line for part in text.splitlines() if (line := part.strip()))
