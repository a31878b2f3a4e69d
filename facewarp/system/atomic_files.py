"""Atomic files: nothing appears under its name until it is whole."""

import contextlib
import csv
import errno
import hashlib
import json
import math
import os
import platform
import re
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from facewarp.errors import FacewarpError

_NAME_BYTES, _SPARE = 255, 16  # of a file's name, as nearly all systems have it; for a suffix more
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class OutputFile:
    """A temporary file beside its target, created at once to check that it can be written.

    Args:
        target: the file wanted. Missing folders are made; a link is followed.
        inputs: files that must not be overwritten.
        sweeps: whether a later run may remove the temporary file if this process is killed; not
            that of a recording, which plays.

    Attributes:
        temporary: what to write to.

    Raises:
        FacewarpError: the target is an input or a folder, or can't be written.
    """

    def __init__(self, target: Path, inputs: Iterable[Path] = (), *, sweeps: bool = True) -> None:
        check_target(target, inputs)
        self._target = target
        self._final = target.resolve()
        mark = f".{process_mark() if sweeps else 'kept'}-{secrets.token_hex(4)}.partial"
        suffix = self._final.suffix
        stem = _cut(self._final.stem, _NAME_BYTES - len(os.fsencode(f".{mark}{suffix}")) - _SPARE)
        name = f".{stem}{mark}"
        self.temporary = self._final.with_name(name + suffix)
        try:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                self._final.lstat()  # a name that is too long is told before the work
            sweep(self._final.parent, f".{stem}.", f".partial{suffix}")
            self.temporary.touch(exist_ok=False)
            self._mode = stat.S_IMODE(self.temporary.stat().st_mode)
        except OSError as error:
            raise write_error(error, target) from error

    def commit(self) -> None:
        """Rename the temporary file to its target, in one step, once its content is on disk."""
        try:
            _flush(self.temporary)
            if stat.S_IMODE(self.temporary.stat().st_mode) != self._mode:
                self.temporary.chmod(self._mode)  # a library made the file anew, its user's alone
            self.temporary.replace(self._final)
        except OSError as error:
            self.discard()
            raise write_error(error, self._target) from error

    def discard(self) -> None:
        """Remove the temporary file, if it still exists."""
        self.temporary.unlink(missing_ok=True)


def _cut(name: str, most: int) -> str:
    """Return as much of a name's beginning as fits into so many bytes."""
    while len(os.fsencode(name)) > most:
        name = name[:-1]
    return name


def process_mark() -> str:
    """Return what names of temporary files carry, so that they are known as this process's."""
    return f"{_machine_mark()}-{os.getpid()}"


def sweep(folder: Path, before: str, after: str) -> None:
    """Remove what processes of this machine that are no more have left half-written.

    Args:
        folder: where to look.
        before: how the names begin that such a process gave, up to its `process_mark`.
        after: how they end.
    """
    if os.name != "posix":  # no harmless way to ask whether a process is there
        return
    pattern = re.compile(rf"{_machine_mark()}-(\d+)-[0-9a-f]{{8}}")  # the same for all files
    for entry in folder.iterdir():
        if not (entry.name.startswith(before) and entry.name.endswith(after)):
            continue
        found = pattern.fullmatch(entry.name[len(before) : len(entry.name) - len(after)])
        if found is None or _is_running(int(found[1])):
            continue
        with contextlib.suppress(OSError):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()


@cache
def _machine_mark() -> str:
    """Return a few letters that are the same for processes that see one another's numbers."""
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's
        return True
    return True


def _flush(path: Path) -> None:
    """Have the system write a file's content before its new name, in case the power fails."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def written(target: Path, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Yield a temporary file that becomes `target` at the end, whole or not at all.

    Args:
        target: see `OutputFile`.
        inputs: see `OutputFile`.

    Raises:
        FacewarpError: as `OutputFile`, or the file could not be written.
    """
    output = OutputFile(target, inputs)
    try:
        yield output.temporary
    except OSError as error:
        output.discard()
        raise write_error(error, target) from error
    except BaseException:
        output.discard()
        raise
    output.commit()


def check_target(target: Path, inputs: Iterable[Path] = ()) -> None:
    """Check that a path can become an output file; touch nothing.

    Raises:
        FacewarpError: it is one of the inputs, by whatever spelling or link, or is there and no
            file.
    """
    try:
        if not target.exists():
            above = next((one for one in target.parents if one.exists()), None)
            if above is not None and not above.is_dir():
                raise write_error(NotADirectoryError(errno.ENOTDIR, "", target), target)
            return
        check_apart([target], inputs)
        if target.is_dir():
            raise FacewarpError("the output is a folder", target, "Add a file name to it.")
        if not target.is_file():
            raise FacewarpError("the output is not a file", target, "Give the path of a file.")
    except OSError as error:
        raise write_error(error, target) from error


def check_apart(outputs: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
    """Check that a command's outputs are files of their own, and none of them an input.

    Args:
        outputs: files to write, there already or not.
        inputs: whatever the command reads: clips, textures, weights, lists.

    Raises:
        FacewarpError: two are one file, by whatever spelling or link.
    """
    read = {_place(path) for path in inputs}
    written_to: set[object] = set()
    for output in outputs:
        place = _place(output)
        if place in read:
            what = "output and input are the same file"
            raise FacewarpError(what, output, "Give the output another name.")
        if place in written_to:
            what = "two outputs are the same file"
            raise FacewarpError(what, output, "Give each a name of its own.")
        written_to.add(place)


def _place(path: Path) -> object:
    """Return what is the same for all names of a file."""
    try:
        about = path.stat()
        return about.st_dev, about.st_ino
    except (OSError, ValueError):  # nothing is there yet, or no file can be called so
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            return path.resolve()
        return path


def write_error(error: Exception, target: str | os.PathLike[str]) -> FacewarpError:
    """Return the error to raise for an exception met in writing."""
    if isinstance(error, FacewarpError):
        return error
    number = getattr(error, "errno", None) or _number_told(error)
    if is_disk_full(error):
        return FacewarpError("no space is left to write", target, "Free some, or write elsewhere.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FacewarpError("writing is not allowed there", target, "Choose another folder.")
    if number in (errno.ENOTDIR, errno.EEXIST):
        return FacewarpError(
            "part of the path is a file, not a folder", target, "Choose another folder."
        )
    if number == errno.ENAMETOOLONG:
        return FacewarpError("the name is too long", target, "Give a shorter one.")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return FacewarpError(f"could not write: {reason}", target, "Choose another place or format.")


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an exception says that a disk, a quota or a file can take no more."""
    return (
        isinstance(error, Exception)
        and (getattr(error, "errno", None) or _number_told(error)) in _FULL
    )


def _number_told(error: Exception) -> int | None:
    """Return the system's error number that a library's message holds, as a number or in words."""
    text = str(error)
    if found := re.search(r"(?:os error |\bcode: )(\d+)", text):
        return int(found[1])
    return next((number for number in _FULL if os.strerror(number) in text), None)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8), whole or not at all."""
    with written(path) as temporary:
        temporary.write_text(text, "utf-8", errors="backslashreplace")  # names may be no UTF-8


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file, whole or not at all."""
    write_text(path, json.dumps(value, indent=1) + "\n")


def write_csv(path: Path, rows: Sequence[Mapping[str, str | float]]) -> None:
    """Write a table, whole or not at all; a cell is empty where there is no number (NaN)."""
    with written(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})


def plain_cell(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    is_formula = text[:1] in ("=", "+", "@", "\t", "\r") or (text[:1] == "-" and len(text) > 1)
    return f"'{text}" if is_formula else text


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return plain_cell(value)
    return "" if math.isnan(value) else f"{value:.6g}"
