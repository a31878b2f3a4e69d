"""Name the machine: processor, cores, threads; limit what of it this process takes."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_AVX2 = 11  # OpenCV's CPU_AVX2, which its Python module does not name

_limit: int | None = None


def cores() -> int:
    """Return how many cores this process may keep busy: all, unless `limit_cores` was called."""
    return _limit or _all_cores()


@cache
def _all_cores() -> int:
    """Count the cores once: that reads a file, and takes 0.03 ms."""
    return os.cpu_count() or 1


def limited_cores() -> int | None:
    """Return the limit that `limit_cores` has set; None without one."""
    return _limit


def limit_cores(count: int) -> None:
    """Limit the threads of what this process starts from now on: engines, decoders, encoders.

    Processes that work side by side would otherwise start a thread a core each, and wait for one
    another.

    Args:
        count: cores, at least 1.
    """
    global _limit
    _limit = max(count, 1)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(_limit)  # read when the libraries are loaded


@contextmanager
def keep_scheduling() -> Iterator[None]:
    """Give this process's threads back the scheduling class that a library takes from them.

    Where the user is root, as in most containers, SVT-AV1 puts its threads and the one that opens
    it into SCHED_FIFO with priority 99. All that is started later inherits that, and as many such
    threads as there are cores leave nothing to any other program. Linux alone has these classes.
    """
    if not hasattr(os, "sched_setscheduler"):
        yield
        return
    own = _scheduling(0)
    before = {thread: _scheduling(thread) for thread in _threads()}
    try:
        yield
    finally:
        for thread in _threads():
            wanted = before.get(thread) or own
            with suppress(OSError):  # it has ended
                if wanted is not None and _scheduling(thread) != wanted:
                    os.sched_setscheduler(thread, wanted[0], os.sched_param(wanted[1]))


def _threads() -> list[int]:
    return [int(name) for name in os.listdir("/proc/self/task")]


def _scheduling(thread: int) -> tuple[int, int] | None:
    """Return class and priority of a thread, 0 for this one; None where it has ended."""
    try:
        return os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority
    except OSError:
        return None


def limit_blas() -> None:
    """Keep OpenBLAS, NumPy's library of linear algebra, to one thread; before NumPy is imported.

    It starts a thread a core at once, which spins for a while: a tenth of what a start costs,
    where all that is solved is small. What the user has set is left alone.
    """
    if not any(name in os.environ for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")):
        os.environ["OPENBLAS_NUM_THREADS"] = "1"


def processor() -> str:
    """Return the processor's name as its maker writes it, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def has_bfloat16() -> bool:
    """Return whether the processor itself multiplies bfloat16; False where that is not known."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return False
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def has_avx2() -> bool:
    """Return whether this is an x86-64 processor with AVX2 (Intel since 2013, AMD since 2015)."""
    import cv2

    return bool(cv2.checkHardwareSupport(_AVX2))


def is_busy() -> bool:
    """Return whether other programs hold the processor: what is timed now is slower than it is.

    The system's mean over a minute of processes that run or wait, for more than half of the cores;
    False where there is no such number (Windows).
    """
    if not hasattr(os, "getloadavg"):
        return False
    return os.getloadavg()[0] > 0.5 * (os.cpu_count() or 1)


def machine() -> str:
    """Return processor, cores, threads used and torch version: what a time was measured on."""
    import torch

    return (
        f"{processor()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}"
    )
