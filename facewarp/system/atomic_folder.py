"""Atomic output folder: it appears under its name when all of it is written, and not before."""

import errno
import logging
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import is_disk_full, process_mark, sweep, write_error

_log = logging.getLogger(__name__)


def check_folder(target: Path) -> None:
    """Check that a path is or can become an output folder; touch nothing.

    Raises:
        FacewarpError: it is a file, or lies under one.
    """
    try:
        nearest = next((one for one in (target, *target.parents) if one.exists()), None)
    except OSError as error:
        raise write_error(error, target) from error
    if nearest is not None and not nearest.is_dir():
        raise write_error(NotADirectoryError(errno.ENOTDIR, "", target), target)


def restore_folder(target: Path) -> None:
    """Put back a finished folder that a killed run had just moved aside for a new one."""
    if target.exists() or not target.parent.is_dir():
        return
    pattern = re.compile(re.escape(f".{target.name}.") + r"[0-9a-f]{8}-\d+-[0-9a-f]{8}\.old")
    aside = [entry for entry in target.parent.iterdir() if pattern.fullmatch(entry.name)]
    for entry in sorted(aside, key=lambda entry: entry.stat().st_mtime)[-1:]:
        entry.rename(target)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder for this process alone while it writes there, where the system can.

    Raises:
        FacewarpError: another process holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / ".lock"
    with place.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            what = "another process is writing into this folder"
            raise FacewarpError(what, folder, "Wait for it, or choose another --out.") from error
        except OSError as error:  # a file system without locks
            _log.debug("%s is not locked: %s", folder, error)
        try:
            yield
        finally:
            place.unlink(missing_ok=True)
            for one in made:  # nothing is left where nothing was written
                with suppress(OSError):
                    one.rmdir()


class OutputFolder:
    """A folder written under a temporary name beside its target, and renamed when it is whole.

    As a context manager it gives the folder to write to; a clean end puts it in its place, an
    exception or Ctrl-C removes it and leaves what was there before. What somebody has put into the
    folder since, or has changed in it, is carried over.

    Args:
        target: the folder wanted; missing ones above it are made. One that is there already is
            replaced if it holds the mark, i.e. was written by an earlier run.
        mark: name of a file that such a folder holds.
        written_before: from the folder that is there to the names of the files that the earlier
            run wrote, with their bytes; other files are somebody's own. Without it those are
            that the new folder has no file for.

    Raises:
        FacewarpError: something else is there under that name, or it can't be written.
    """

    def __init__(
        self,
        target: Path,
        mark: str,
        written_before: Callable[[Path], Mapping[str, int]] = lambda folder: {},
    ) -> None:
        self._target, self._mark, self._written_before = target, mark, written_before
        restore_folder(target)
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise FacewarpError("the output is no folder", target, "Choose another --out.")
        if target.is_dir() and any(target.iterdir()) and not (target / mark).is_file():
            what = "the folder is there and holds other things"
            raise FacewarpError(what, target, "Choose another --out, or move it away.")
        name = f".{target.name}.{process_mark()}-{secrets.token_hex(4)}.partial"
        self._temporary = target.with_name(name)
        self._made: list[Path] = []

    def __enter__(self) -> Path:
        try:
            missing = [p for p in self._temporary.parents if not p.exists()]
            self._made = missing
            self._temporary.mkdir(parents=True)
            sweep(self._target.parent, f".{self._target.name}.", ".partial")
            sweep(self._target.parent, f".{self._target.name}.", ".old")
        except OSError as error:
            self._remove()
            raise write_error(error, self._target) from error
        return self._temporary

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._remove()
            hidden = str(self._temporary)
            if isinstance(error, FacewarpError) and (error.where or "").startswith(hidden):
                raise FacewarpError(error.what, self._target, error.fix) from error
            if isinstance(error, OSError) and is_disk_full(error):
                raise write_error(error, self._target) from error
            return
        old = self._temporary.with_suffix(".old")
        try:
            if self._target.is_dir():
                self._carry_over()
                self._target.rename(old)
            self._temporary.rename(self._target)
        except OSError as failure:
            if old.is_dir() and not self._target.exists():
                old.rename(self._target)
            self._remove()
            raise write_error(failure, self._target) from failure
        shutil.rmtree(old, ignore_errors=True)

    def _carry_over(self) -> None:
        """Copy what is somebody's own from the folder that is there into the new one."""
        before = self._written_before(self._target)
        for entry in sorted(self._target.iterdir()):
            name, new = entry.name, self._temporary / entry.name
            if name == self._mark:
                continue
            if name in before:
                if entry.is_dir() or entry.stat().st_size == before[name]:
                    continue
                stem, dot, suffix = name.partition(".")
                new = self._temporary / f"{stem}-kept{dot}{suffix}"  # changed by somebody
            elif new.exists():
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.copytree(entry, new, symlinks=True)
            else:
                shutil.copy2(entry, new, follow_symlinks=False)
            _log.warning("%s is not of this program and was kept as %s", entry, new.name)

    def _remove(self) -> None:
        """Remove what was written, and the parent folders that were made for it."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                return
