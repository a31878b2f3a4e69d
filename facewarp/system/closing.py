"""Context managers that close what they hold at the end."""

from abc import abstractmethod
from collections.abc import Callable
from threading import Thread
from typing import Generic, Self, TypeVar

_Made = TypeVar("_Made", bound="Closing")


class Closing:
    """A context manager: `with` gives the object itself, and calls `close` at the end."""

    @abstractmethod
    def close(self) -> None:
        """Free what the object holds."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MadeAhead(Closing, Generic[_Made]):
    """Something that is made in a thread while its user prepares the rest; closed at the end.

    Args:
        make: makes it.

    Example:
        >>> with MadeAhead(lambda: FaceTracker()) as ahead:  # doctest: +SKIP
        ...     source = open_source(path)
        ...     tracker = ahead.get()
    """

    def __init__(self, make: Callable[[], _Made]) -> None:
        self._make = make
        self._made: _Made | None = None
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="facewarp-ahead")
        self._thread.start()

    def get(self) -> _Made:
        """Wait until it is made, and return it.

        Raises:
            Exception: whatever making it raised.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

    def close(self) -> None:
        """Wait until it is made, and close it. Twice is harmless where it is there."""
        self._thread.join()
        if self._made is not None:
            self._made.close()

    def _run(self) -> None:
        try:
            self._made = self._make()
        except BaseException as error:  # noqa: BLE001 - raised where it is wanted
            self._error = error
