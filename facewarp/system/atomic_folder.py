"""Atomic output folder: it appears under its name when all of it is written, and not before."""

import secrets
import shutil
from pathlib import Path

from facewarp.errors import FacewarpError
from facewarp.system.atomic_files import write_error


class OutputFolder:
    """A folder written under a temporary name beside its target, and renamed when it is whole.

    As a context manager it gives the folder to write to; a clean end puts it in its place, an
    exception or Ctrl-C removes it and leaves what was there before.

    Args:
        target: the folder wanted; missing ones above it are made. One that is there already is
            replaced if it holds the mark, i.e. was written by an earlier run.
        mark: name of a file that such a folder holds.

    Raises:
        FacewarpError: something else is there under that name, or it can't be written.
    """

    def __init__(self, target: Path, mark: str) -> None:
        self._target = target
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise FacewarpError("the output is no folder", target, "Choose another --out.")
        if target.is_dir() and any(target.iterdir()) and not (target / mark).is_file():
            what = "the folder is there and holds other things"
            raise FacewarpError(what, target, "Choose another --out, or move it away.")
        self._temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.partial")
        self._made: list[Path] = []

    def __enter__(self) -> Path:
        try:
            missing = [p for p in self._temporary.parents if not p.exists()]
            self._made = missing
            self._temporary.mkdir(parents=True)
        except OSError as error:
            self._remove()
            raise write_error(error, self._target) from error
        return self._temporary

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._remove()
            return
        old = self._temporary.with_suffix(".old")
        try:
            if self._target.is_dir():
                self._target.rename(old)
            self._temporary.rename(self._target)
        except OSError as failure:
            if old.is_dir() and not self._target.exists():
                old.rename(self._target)
            self._remove()
            raise write_error(failure, self._target) from failure
        shutil.rmtree(old, ignore_errors=True)

    def _remove(self) -> None:
        """Remove what was written, and the parent folders that were made for it."""
        shutil.rmtree(self._temporary, ignore_errors=True)
        for folder in self._made:
            try:
                folder.rmdir()
            except OSError:
                return
