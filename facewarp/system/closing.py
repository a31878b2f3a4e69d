"""Context managers that close what they hold at the end."""

from abc import abstractmethod
from collections.abc import Callable
from threading import Event, Lock, Thread
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

    Neither Ctrl-C nor an error waits for what is still being made: it is closed once it is there.

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
        self._lock, self._is_done, self._is_wanted = Lock(), Event(), True
        # Waited for by an event: before Python 3.13 an interrupted `join` forgets its thread.
        Thread(target=self._run, name="facewarp-ahead", daemon=True).start()

    def get(self) -> _Made:
        """Wait until it is made, and return it.

        Raises:
            Exception: whatever making it raised.
        """
        self._is_done.wait()
        if self._error is not None:
            raise self._error
        assert self._made is not None
        return self._made

    def close(self) -> None:
        """Wait until it is made, and close it. Twice is harmless where it is there."""
        self._is_done.wait()
        if self._made is not None:
            self._made.close()

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._is_wanted = self._is_done.is_set() or error[0] is None
        if self._is_wanted:
            self.close()

    def _run(self) -> None:
        try:
            self._made = self._make()
        except BaseException as error:  # noqa: BLE001 - raised where it is wanted
            self._error = error
        with self._lock:
            self._is_done.set()
        if self._made is not None and not self._is_wanted:
            self._made.close()
