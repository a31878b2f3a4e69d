"""The start of a command: what is put off until it is ready, and what runs beside it."""

import gc
from threading import Event
from typing import Final

OVER: Final = Event()
"""Set once nothing more is to be prepared: the command is over, or leaves its work to others."""


def pause_collection() -> None:
    """Keep Python's garbage collector from running while a program starts.

    Imports make a hundred thousand objects that stay; the collector would go through them again
    and again. `resume_collection` is for when the program is ready.
    """
    gc.disable()


def resume_collection() -> None:
    """Let the garbage collector run again, if it was paused, and leave alone what is there.

    What was made until now is not looked through again (`gc.freeze`), so later collections are
    quicker too.
    """
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
