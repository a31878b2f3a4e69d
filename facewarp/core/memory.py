"""How the process treats memory it has freed."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc
_PAD_BYTES = 64 << 20


def keep_freed_memory() -> bool:
    """Let the process keep freed memory for itself instead of handing it back to the kernel.

    glibc maps every large block anew and unmaps it when it is freed, so that each step of a
    training pays a page fault for every 4 KB of every tensor. Kept, the memory is reused.

    Returns:
        Whether it took effect: on Linux with glibc. Elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, _PAD_BYTES))
    done = [mallopt(name, value) == 1 for name, value in settings]
    return all(done)
