"""The start of a command, what is put off until it is ready, and its end."""

import gc
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_COMPLAINING: Final = "OpenImageIO"
"""A module that writes a line for each of its objects that the interpreter's end finds alive."""


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


@contextmanager
def quick_imports(*without: str) -> Iterator[None]:
    """Import in this context what stays, without the collector and without some packages.

    Args:
        without: packages that are not found meanwhile, such as the pydicom that nibabel reads one
            extension with, which takes a tenth of a second: what is imported does without them
            where they are not installed. They are there as ever if they were imported before, or
            where they are imported later.
    """
    absent = [name for name in without if name not in sys.modules]
    ran = gc.isenabled()
    gc.disable()
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say so
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]
        if ran:
            gc.enable()
            if gc.get_freeze_count():  # as at this program's start
                gc.freeze()


def let_go_at_exit() -> None:
    """Let the interpreter's end collect what was left alone, where a module complains of the rest.

    Else it stays: going through a program's objects takes time, and its memory is freed anyway.
    """
    if _COMPLAINING in sys.modules:
        gc.unfreeze()


def leave_threads_behind(code: int) -> None:
    """End the program at once if a thread that nobody waits for still runs; else return.

    Python ends such a thread when it next comes back from C++, which aborts the whole program.
    Besides daemons those are threads that Ctrl-C has made Python forget: before 3.13 one whose
    `join` is interrupted counts as ended.

    Args:
        code: the exit code.
    """
    waited_for = {
        thread.ident for thread in threading.enumerate() if thread.is_alive() and not thread.daemon
    } | {threading.get_ident()}
    if any(number not in waited_for for number in sys._current_frames()):
        sys.stderr.flush()
        os._exit(code)
