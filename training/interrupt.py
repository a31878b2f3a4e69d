"""Deferred Ctrl-C: interrupt only where the state can be saved."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from facewarp.system.interrupts import ENDING, raise_interrupt

_RAISING = (signal.default_int_handler, raise_interrupt)


class DeferredInterrupt:
    """Context in which Ctrl-C raises ``KeyboardInterrupt`` at `check` instead of anywhere.

    So do the other signals that end a program, see `facewarp.system.interrupts`. A second one
    doesn't wait. Signals reach the main thread alone: in others, and where somebody handles them
    already, nothing changes.
    """

    def __init__(self) -> None:
        self._asked = False
        self._waits = True
        self._before: dict[int, Callable[..., Any] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *ENDING):
                if signal.getsignal(number) in _RAISING:
                    self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

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
