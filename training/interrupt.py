"""Deferred Ctrl-C: interrupt only where the state can be saved."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


class DeferredInterrupt:
    """Context in which Ctrl-C raises ``KeyboardInterrupt`` at `check` instead of anywhere.

    A second Ctrl-C raises at once. Signals reach the main thread alone: in others, and where a
    handler of SIGINT is installed, nothing changes.
    """

    def __init__(self) -> None:
        self._asked = False
        self._waits = True
        self._before: Callable[..., Any] | int | None = None

    def __enter__(self) -> Self:
        before = signal.getsignal(signal.SIGINT)
        main = threading.current_thread() is threading.main_thread()
        if main and before is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self, anywhere: Callable[[bool], bool] = bool) -> None:
        """Raise ``KeyboardInterrupt`` if Ctrl-C was pressed.

        Args:
            anywhere: tells from the flag of this process whether any process of a group has it.
        """
        if anywhere(self._asked):
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Context in which Ctrl-C raises at once, because there is nothing to save."""
        self.check()
        self._waits = False
        try:
            yield
        finally:
            self._waits = True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._asked or not self._waits:
            raise KeyboardInterrupt
        self._asked = True
