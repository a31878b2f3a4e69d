#!/usr/bin/env bash
# One would guess that opening a video encoder leaves the caller's threads as they were scheduled.
# What happens: where the user is root, as in most containers, SVT-AV1 in PyAV's wheels puts its own
# threads and the one that opens it into SCHED_FIFO with priority 99, and leaves them there after
# the encoder has gone. Threads and programs that are started later inherit it. libx264, libx265
# and libvpx do not.
# What follows: a program that wrote one AV1 file as root keeps cores from all others from then on,
# a browser or server that it starts too. Set the class back once the encoder is open, for all
# threads in /proc/self/task. Needs Linux and root.
set -euo pipefail
[[ "$(id -u)" == 0 ]] || { echo "needs root: nobody else may take that priority"; exit 0; }
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet av==18.1.0 numpy
cat > "$place/open.py" << 'PY'
import gc
import os
import subprocess
import sys
from fractions import Fraction

import av

NAMES = {os.SCHED_OTHER: "SCHED_OTHER", os.SCHED_FIFO: "SCHED_FIFO"}


def scheduled(thread=0):
    return f"{NAMES[os.sched_getscheduler(thread)]} {os.sched_getparam(thread).sched_priority}"


before = scheduled()
codec = av.CodecContext.create(sys.argv[1], "w")
codec.width = codec.height = 128
codec.pix_fmt, codec.time_base, codec.framerate = "yuv420p", Fraction(1, 25), Fraction(25)
codec.open()
taken = sum(scheduled(int(name)) == "SCHED_FIFO 99" for name in os.listdir("/proc/self/task"))
after_open = scheduled()
del codec
gc.collect()
child = "import os; print(os.sched_getscheduler(0) == os.SCHED_FIFO)"
inherits = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True).stdout
print(f"{sys.argv[1]}: {before} -> {after_open}, closed {scheduled()}, "
      f"threads taken: {'some' if taken > 1 else taken}, a child inherits: {inherits.strip()}")
PY
"$place/venv/bin/python" -c 'import av; print("PyAV", av.__version__)'
same() {  # ENCODER, what is expected of it
    told=$("$place/venv/bin/python" "$place/open.py" "$1" 2> /dev/null)
    echo "$told"
    [[ "$told" == "$1: $2" ]] || { echo "changed: $1"; exit 1; }
}
plain="SCHED_OTHER 0 -> SCHED_OTHER 0, closed SCHED_OTHER 0, threads taken: 0, a child inherits: False"
taken="SCHED_OTHER 0 -> SCHED_FIFO 99, closed SCHED_FIFO 99, threads taken: some, a child inherits: True"
for name in libx264 libx265 libvpx-vp9; do same $name "$plain"; done
same libsvtav1 "$taken"
