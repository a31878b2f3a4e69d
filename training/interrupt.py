"""Ctrl-C that waits until what is being done can be kept."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self


class DeferredInterrupt:
    """Context in which Ctrl-C raises ``KeyboardInterrupt`` at `check` instead of anywhere.

    A second Ctrl-C doesn't wait. Signals reach the main thread alone: in others, and where
    somebody handles SIGINT already, nothing changes.
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
        """Raise the ``KeyboardInterrupt`` that was asked for, if one was.

        Args:
            anywhere: from whether it was asked for here, whether it was of any process of a team.
        """
        if anywhere(self._asked):
            raise KeyboardInterrupt

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Context in which Ctrl-C need not wait, because there is nothing to lose."""
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
