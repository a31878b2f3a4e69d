"""What every output has in common: nothing under its name until it is whole."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self


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
        """Drop the result; a file that was there before is left as it was."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
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
