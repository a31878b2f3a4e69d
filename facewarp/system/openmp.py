"""How the threads of OpenMP, with which torch shares out its work, wait for one another."""

import os
from typing import Final

_SAID: Final = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


def wait_passively() -> None:
    """Let threads that wait sleep instead of spin; to be called before torch is imported.

    A thread that spins keeps the core that the one it waits for could use: with another busy
    process on two cores torch became 10 to 50 times slower (decision 88). What the user has set is
    left alone. Processes that are started later inherit it.
    """
    if not any(name in os.environ for name in _SAID):
        os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
