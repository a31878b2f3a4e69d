"""The start of a command: what is put off until it is ready."""

import gc


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
