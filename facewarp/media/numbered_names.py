"""Names of numbered files: `f_%04d.png` as in C and FFmpeg, `f_####.exr` as in Nuke and Fusion."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from facewarp.errors import FacewarpError

_NUMBER = re.compile(r"%0?\d*d|#+")


@dataclass(frozen=True)
class NumberedName:
    """The names of a sequence of files.

    Attributes:
        folder: where the files are.
        before: what stands before the number in a name.
        digits: how many digits a number has at least.
        after: what stands after it.
    """

    folder: Path
    before: str
    digits: int
    after: str

    @classmethod
    def of(cls, path: Path) -> "Self | None":
        """Parse a path; None where its name holds no number, `%04d` or `####`."""
        found = list(_NUMBER.finditer(path.name))
        if not found:
            return None
        last = found[-1]
        mark = last[0]
        digits = len(mark) if mark[0] == "#" else int(mark[1:-1].lstrip("0") or 1)
        return cls(path.parent, path.name[: last.start()], digits, path.name[last.end() :])

    @classmethod
    def needed(cls, path: Path, what: str) -> Self:
        """Parse a path that has to hold a number.

        Args:
            path: the pattern.
            what: what it is for, as the subject of a sentence: "a file for each frame".

        Raises:
            FacewarpError: it holds none.
        """
        name = cls.of(path)
        if name is None:
            stem, suffix = path.stem, path.suffix
            fix = f"Call it {stem}.####{suffix} or {stem}.%04d{suffix}."
            raise FacewarpError(f"{what} needs a number in its name", path, fix)
        return name

    @classmethod
    def plain(cls, path: Path) -> Path:
        """Return a path in one of its spellings: `f_%04d.png` as `f_####.png`, others as is."""
        name = cls.of(path)
        return (
            path if name is None else name.folder / f"{name.before}{'#' * name.digits}{name.after}"
        )

    @property
    def suffix(self) -> str:
        """The files' suffix, in lower case."""
        return Path(f"x{self.after}").suffix.lower()

    @property
    def pattern(self) -> re.Pattern[str]:
        """What fits the names; the number is the first group."""
        below = max(self.digits - 1, 1)  # C counts the sign as a digit, other programs do not
        number = rf"(\d{{{self.digits},}}|-\d{{{below},}})"
        return re.compile(re.escape(self.before) + number + re.escape(self.after) + r"\Z")

    def path(self, number: int) -> Path:
        """Return the file of a number, spelled as by C: -5 of four digits is -005."""
        return self.folder / f"{self.before}{number:0{self.digits}d}{self.after}"
