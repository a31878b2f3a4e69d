"""What every output has in common: nothing under its name until it is whole."""

import errno
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from facewarp.errors import FacewarpError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Output(ABC):
    """Something that is written piece by piece and then closed.

    As a context manager it closes itself: whole after a clean end, with what there is after
    Ctrl-C (KeyboardInterrupt), and not at all after any other exception.

    Attributes:
        target: Where the result appears.
        kept: How many pieces have been written; after `close`, how many the result holds.
    """

    def __init__(self, target: Path) -> None:
        self.target = target
        self.kept = 0

    @abstractmethod
    def close(self, *, keep_partial: bool = False) -> None:
        """Completes the result and puts it under its name.

        Args:
            keep_partial: The work was interrupted: keep what there is, and nothing if there is
                nothing.

        Raises:
            FacewarpError: It could not be written; then nothing of it is left.
        """

    @abstractmethod
    def abort(self) -> None:
        """Drops the result; a file that was there before is left as it was."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, KeyboardInterrupt):
            self.abort()
            return
        try:
            try:
                self.close(keep_partial=error is not None)
            except KeyboardInterrupt:  # it takes a second one to lose the work
                self.close(keep_partial=True)
                raise
        except BaseException:
            self.abort()
            raise


class OutputFile:
    """A temporary file beside its target, made at once to see that it can be.

    Args:
        target: The file wanted. Missing folders are made; a link is followed.
        inputs: Files that must not be overwritten.

    Attributes:
        temporary: What to write to.

    Raises:
        FacewarpError: The target is an input or a folder, or can't be written.
    """

    def __init__(self, target: Path, inputs: Iterable[Path] = ()) -> None:
        check_target(target, inputs)
        self._target = target
        self._final = target.resolve()
        name = f".{self._final.stem}.{secrets.token_hex(4)}.partial{self._final.suffix}"
        self.temporary = self._final.with_name(name)
        try:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self.temporary.touch(exist_ok=False)
        except OSError as error:
            raise write_error(error, target) from error

    def commit(self) -> None:
        """Gives the temporary file its name, in one step."""
        try:
            self.temporary.replace(self._final)
        except OSError as error:
            self.discard()
            raise write_error(error, self._target) from error

    def discard(self) -> None:
        """Removes the temporary file, if it is still there."""
        self.temporary.unlink(missing_ok=True)


@contextmanager
def written(target: Path, inputs: Iterable[Path] = ()) -> Iterator[Path]:
    """Gives a temporary file that becomes ``target`` at the end, whole or not at all.

    Args:
        target: See `OutputFile`, as the other.
        inputs: See there.

    Raises:
        FacewarpError: See there; or the file could not be written.
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
    """Sees that a path is free to become an output file; touches nothing.

    Raises:
        FacewarpError: It is one of the inputs, by whatever spelling or link, or is there and no
            file.
    """
    try:
        if not target.exists():
            return
        if any(source.exists() and target.samefile(source) for source in inputs):
            what = "output and input are the same file"
            raise FacewarpError(what, target, "Give the output another name.")
        if target.is_dir():
            raise FacewarpError("the output is a folder", target, "Add a file name to it.")
        if not target.is_file():
            raise FacewarpError("the output is not a file", target, "Give the path of a file.")
    except OSError as error:
        raise write_error(error, target) from error


def write_error(error: Exception, target: str | os.PathLike[str]) -> FacewarpError:
    """What to tell the user about an error met in writing."""
    if isinstance(error, FacewarpError):
        return error
    number = getattr(error, "errno", None)
    if number in _FULL:
        return FacewarpError("no space is left to write", target, "Free some, or write elsewhere.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return FacewarpError("writing is not allowed there", target, "Choose another folder.")
    if number in (errno.ENOTDIR, errno.EEXIST):
        return FacewarpError(
            "part of the path is a file, not a folder", target, "Choose another folder."
        )
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return FacewarpError(f"could not write: {reason}", target, "Choose another place or format.")
