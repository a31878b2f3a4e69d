"""Signals that end a program, as Ctrl-C does: what can be kept is kept."""

import signal
from types import FrameType
from typing import Final

ENDING: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Of batch systems and containers, and of a terminal that is closed."""


def raise_interrupt(number: int, frame: FrameType | None) -> None:
    """Handle a signal by raising `KeyboardInterrupt`."""
    raise KeyboardInterrupt


def end_as_ctrl_c_does() -> None:
    """Have `ENDING` raise `KeyboardInterrupt`, where nobody handles or ignores them already."""
    for number in ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, raise_interrupt)
