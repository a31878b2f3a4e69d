"""The start of a command, what is put off until it is ready, and its end."""

import atexit
import gc
import inspect
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any, Final

_COMPLAINING: Final = "OpenImageIO"
"""A module that writes a line for each of its objects that the interpreter's end finds alive."""
_TRACED_WITH: Final = "torch._meta_registrations"
"""What `import torch` brings to tell shapes without computing: for traces, a third of its time."""
_claimed = False
_ends_well = False


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


def claim_process() -> None:
    """Say that no other program's code runs in this process: imports may be put off in it."""
    global _claimed
    _claimed = True


@contextmanager
def quick_imports(*without: str) -> Iterator[None]:
    """Import in this context what stays, without the collector and without some packages.

    In a process that was claimed, what torch traces networks with is put off until something of it
    is asked for or `import_put_off` is called. Torch imports it before all that needs it, and what
    needs it fails if it comes first: another program's code might do that. And the module of a
    frame is told by the frame: torch asks for it, and `inspect` would look for the real path of
    every module that is loaded.

    Args:
        without: packages that are not found meanwhile, such as the pydicom that nibabel reads one
            extension with, which takes a tenth of a second: what is imported does without them
            where they are not installed. They are there as ever if they were imported before, or
            where they are imported later.
    """
    absent = [name for name in without if name not in sys.modules]
    put_off = _PutOff(_TRACED_WITH) if _claimed and "torch" not in sys.modules else None
    ran = gc.isenabled()
    gc.disable()
    for name in absent:
        sys.modules[name] = None  # type: ignore[assignment]  # Python's own way to say so
    module_of = inspect.getmodule
    if put_off:
        sys.modules[_TRACED_WITH] = put_off
        inspect.getmodule = _told_by_frames(module_of)
    try:
        yield
    finally:
        inspect.getmodule = module_of
        for name in absent:
            del sys.modules[name]
        if put_off:
            put_off.make_way()
        if ran:
            gc.enable()
            if gc.get_freeze_count():  # as at this program's start
                gc.freeze()


def _told_by_frames(module_of: Callable[..., Any]) -> Callable[..., Any]:
    """Return `inspect.getmodule` for imports: the module of a frame is what its code says."""

    def getmodule(thing: Any, *given: Any) -> Any:
        if inspect.isframe(thing):
            return sys.modules.get(thing.f_globals.get("__name__", ""))
        return module_of(thing, *given)

    return getmodule


def import_put_off() -> None:
    """Import what `quick_imports` has put off, before a network is traced."""
    with suppress(ModuleNotFoundError):  # of another release
        import_module(_TRACED_WITH)


class _PutOff(ModuleType):
    """Stands for a module until something of it is asked for."""

    def make_way(self) -> None:
        """Let the module be found when it is next imported."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # the import itself asks for some of these
            raise AttributeError(name)
        self.make_way()
        return getattr(import_module(self.__name__), name)


def let_go_at_exit() -> None:
    """Let the interpreter's end collect what was left alone, where a module complains of the rest.

    Else it stays: going through a program's objects takes time, and its memory is freed anyway.
    """
    if _COMPLAINING in sys.modules:
        gc.unfreeze()


def end_quickly() -> None:
    """Let the program end without taking apart what lives: its objects, its libraries' own.

    Where torch is loaded that takes 0.15 s, for memory that the system frees anyway. Threads are
    waited for and what other modules do at the end is done, if they asked for it after this call:
    it comes before imports. It holds for an end without an error, see `ends_well`.
    """
    atexit.register(_end)  # the first that is registered is called last


def ends_well() -> None:
    """Say that the program ends without an error."""
    global _ends_well
    _ends_well = True


def _end() -> None:
    if _ends_well:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):  # closed, or there is none
                stream.flush()
        os._exit(0)


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
