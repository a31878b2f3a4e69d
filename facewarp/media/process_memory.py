"""How much memory the process has, and whether it grows while it runs."""

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from facewarp.media.frames import Frame
from facewarp.media.roles import Made
from facewarp.media.timing import LiveStats

_MB = 1e6


def resident_bytes() -> int | None:
    """Memory of this process that lies in RAM (RSS), in bytes; None where that can't be told."""
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


class MemoryWatch:
    """A presenter that notes the memory now and then, from its construction to its closing.

    Models, decoders and encoders take theirs in the first seconds; what comes after that should
    stay.

    Args:
        every_s: Seconds between two notes.
        settled_s: Seconds after which the first seconds are over.

    Attributes:
        notes: (seconds since the beginning, MB), in order.
    """

    def __init__(self, every_s: float = 60.0, settled_s: float = 10.0) -> None:
        self.notes: list[tuple[float, float]] = []
        self._every_s, self._settled_s = every_s, settled_s
        self._began = time.perf_counter()
        self._next_s = 0.0
        self.idle()

    def present(self, frame: Frame, made: Made, stats: LiveStats) -> None:
        """See `roles.Presenter`."""
        self.idle()

    def idle(self, stats: LiveStats | None = None) -> None:
        """See `roles.Presenter`."""
        gone_s = time.perf_counter() - self._began
        if gone_s >= self._next_s:
            self._next_s = gone_s + (self._every_s if self.notes else self._settled_s)
            self._note(gone_s)

    def close(self) -> None:
        """See `roles.Presenter`."""
        self._note(time.perf_counter() - self._began)

    def summary(self) -> dict[str, float | None]:
        """MB at the ``start``, once ``settled`` (None if it was over before) and at the ``end``."""
        sizes = [round(size, 1) for _, size in self.notes]
        return {
            "start": sizes[0] if sizes else None,
            "settled": sizes[1] if len(sizes) > 2 else None,
            "end": sizes[-1] if sizes else None,
        }

    def _note(self, gone_s: float) -> None:
        size = resident_bytes()
        if size is not None:
            self.notes.append((gone_s, size / _MB))


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
