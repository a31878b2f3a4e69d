"""Name the machine: processor, cores, threads."""

import os
import platform
from pathlib import Path


def processor() -> str:
    """Return the processor's name as its maker writes it, or its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


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
