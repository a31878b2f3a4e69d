import platform
import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from facewarp.system.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
np.ones(4 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    np.ones(4 << 20)  # 32 MB
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only glibc's malloc hands memory back this way"
)
def test_large_arrays_reuse_the_memory_of_those_before():
    faults = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", COUNT_FAULTS, how], capture_output=True, check=True
            ).stdout
        )
        for how in ("keep", "plain")
    }
    assert faults["keep"] < 0.2 * faults["plain"]


COUNT_HEAPS = """
import sys, threading
import numpy as np
from facewarp.system.memory import resident_bytes, return_freed_memory, share_freed_memory
if sys.argv[1] == "share":
    assert share_freed_memory()
def work():
    kept = [np.ones(12_000) for _ in range(400)]  # 38 MB in blocks that are not mapped
    del kept[:-1]
    held.append(kept)
    done.wait()
held, done = [], threading.Event()
threads = [threading.Thread(target=work) for _ in range(6)]
for thread in threads:
    thread.start()
    while len(held) <= threads.index(thread):
        pass
print(resident_bytes() // 1_000_000)
done.set()
for thread in threads:
    thread.join()
if sys.argv[1] == "share":
    held.clear()
    before = resident_bytes()
    assert return_freed_memory()
    assert resident_bytes() < before - 5_000_000
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
def test_threads_that_share_heaps_hold_less_of_what_they_freed():
    held_mb = {
        how: int(
            subprocess.run(
                [sys.executable, "-c", COUNT_HEAPS, how], capture_output=True, check=True
            ).stdout
        )
        for how in ("share", "plain")
    }
    assert held_mb["share"] < held_mb["plain"] - 40
