#!/usr/bin/env bash
# One would guess that a library which computes leaves a process's signal handling alone, and that
# several openvino.Core objects in one process, made and dropped as one likes, are independent.
# What happens: on Linux each core's CPU plugin replaces the alternate signal stack of the thread
# that first compiles with it, and puts back the one it met when it goes. Two cores that go in the
# order in which they came leave the thread with a stack that is no longer mapped. Handlers
# installed with SA_ONSTACK, as all of Python's are, can't run on it: the process ends by a
# segmentation fault instead, at some later Ctrl-C. With one core, or the last one dropped first,
# the stack stays whole.
# What follows: one core for a whole process, kept as long as it lives. The script only looks where
# the stack is, and raises no signal. Needs Linux.
set -euo pipefail
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/python" -m pip install --quiet openvino==2026.4.1 numpy==2.4.6
cat > "$place/look.py" << 'PYTHON'
import ctypes, gc, sys

import openvino as ov
from openvino import opset13 as ops


class Stack(ctypes.Structure):
    _fields_ = [("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]


def stack():
    """State of this thread's alternate signal stack: none, mapped, or not mapped."""
    now = Stack()
    assert ctypes.CDLL(None).sigaltstack(None, ctypes.byref(now)) == 0
    if now.flags & 2:  # SS_DISABLE
        return "none"
    with open("/proc/self/maps") as file:
        areas = [[int(end, 16) for end in line.split()[0].split("-")] for line in file]
    inside = any(first <= now.start < last for first, last in areas)
    return "mapped" if inside else "not mapped"


def compiled(core):
    x = ops.parameter([1, 4], name="x")
    return core.compile_model(ov.Model([ops.relu(x)], [x], "one"), "CPU")


order = sys.argv[1]
said = [stack()]
if order == "one-core":
    core = ov.Core()
    models = [compiled(core), compiled(core)]
else:
    models = [compiled(ov.Core()), compiled(ov.Core())]
said.append(stack())
models.pop(-1 if order == "last-first" else 0)
models.pop()
gc.collect()
said.append(stack())
print(f"{order}: before {said[0]}, with models {said[1]}, after {said[2]}")
PYTHON
"$place/venv/bin/python" -c 'import openvino; print("openvino", openvino.__version__)'
for order in first-first last-first one-core; do
    "$place/venv/bin/python" "$place/look.py" "$order" | tee "$place/$order"
done
grep -q 'after not mapped' "$place/first-first" || { echo "changed: the stack is left whole"; exit 1; }
for order in last-first one-core; do
    ! grep -q 'not mapped' "$place/$order" || { echo "changed: $order leaves it unmapped"; exit 1; }
done
