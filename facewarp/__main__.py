"""The ``facewarp`` command, also ``python -m facewarp``, from its first moment.

Ctrl-C while it still loads ends it quietly.
"""

import os
import signal


def main() -> None:
    """Load the program and run it on ``sys.argv``."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave)
    from facewarp.system.openmp import wait_passively

    wait_passively()
    from facewarp.cli import app

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
    app.main()


def _leave(number: int, frame: object) -> None:
    os._exit(130)  # nothing has begun: there is nothing to tidy up


if __name__ == "__main__":
    main()
