"""Memory of the process: resident size, and reuse of freed memory."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8  # malloc.h of glibc
_PAD_BYTES = 64 << 20


def keep_freed_memory() -> bool:
    """Let the process keep freed memory instead of returning it to the kernel.

    glibc maps every large block anew and unmaps it when it is freed, so that each step of a
    training pays a page fault for every 4 KB of every tensor. Kept, the memory is reused.

    Returns:
        Whether it took effect: on Linux with glibc. Elsewhere nothing happens.
    """
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, _PAD_BYTES))
    return _set_malloc(settings)


def share_freed_memory(arenas: int = 2) -> bool:
    """Let threads allocate from the same few heaps; to be called before they are started.

    glibc gives every thread a heap of its own, up to eight a core, and what one thread has freed
    no other can use: a program of a dozen threads that pass frames on holds each frame's memory
    many times.

    Returns:
        Whether it took effect, as `keep_freed_memory`.
    """
    return _set_malloc([(_M_ARENA_MAX, arenas)])


def return_freed_memory() -> bool:
    """Hand freed memory back to the kernel, once: what a start needed and running does not.

    Returns:
        Whether anything was handed back; on Linux with glibc.
    """
    glibc = _glibc()
    return glibc is not None and bool(glibc.malloc_trim(0))


def _set_malloc(settings: Iterable[tuple[int, int]]) -> bool:
    """Whether glibc's malloc took some settings."""
    glibc = _glibc()
    if glibc is None:
        return False
    done = [glibc.mallopt(name, value) == 1 for name, value in settings]
    return all(done)


def _glibc() -> ctypes.CDLL | None:
    """Return the C library where it is glibc."""
    if sys.platform != "linux":
        return None
    try:
        library = ctypes.CDLL(None)
        _ = library.mallopt, library.malloc_trim
    except (OSError, AttributeError):  # another C library
        return None
    return library


def resident_bytes() -> int | None:
    """Return the resident memory (RSS) of this process, bytes; None where unknown."""
    try:
        if sys.platform == "win32":
            return _windows()
        if sys.platform == "linux":
            pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE")
        told = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, check=True
        )
        return int(told.stdout) * 1024
    except (OSError, ValueError, IndexError, subprocess.SubprocessError):
        return None


def _windows() -> int | None:
    class Counters(ctypes.Structure):  # PROCESS_MEMORY_COUNTERS of psapi.h
        _fields_ = (
            ("cb", ctypes.c_uint32),
            ("PageFaultCount", ctypes.c_uint32),
            ("PeakWorkingSetSize", ctypes.c_size_t),
            ("WorkingSetSize", ctypes.c_size_t),
            ("others", ctypes.c_size_t * 6),
        )

    counters = Counters(cb=ctypes.sizeof(Counters))
    kernel = ctypes.CDLL("kernel32")
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    if not kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb):
        return None
    return int(counters.WorkingSetSize)


def peak_mb() -> float | None:
    """Return the highest resident memory of this process so far, MB; None where unknown."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
