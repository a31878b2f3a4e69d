#!/usr/bin/env bash
# Whether `import torch` takes longer where other modules are loaded already.
#
# One would guess: no, it imports its own.
# What happens: near its end PyTorch defines an operator in Python (debug_mode_ops::annotate) and
# asks inspect.getframeinfo where it was called from. inspect looks the frame's module up by its
# file, and to that end resolves the real path of every module that is loaded, one lstat for each
# folder on its way: some ten thousand calls, more with each module that the program had before.
# What follows: who counts the milliseconds of a start can let inspect.getmodule answer for frames
# by their own globals meanwhile: the same answer, without the calls. Where site-packages lie on a
# network's file system each call asks a server.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" numpy
cat > "$work/count.py" <<'PY'
import importlib
import inspect
import os
import sys
import time
from pathlib import Path

others, by_frames = int(sys.argv[1]), sys.argv[2] == "by frames"
place = Path(sys.argv[3])
place.mkdir(exist_ok=True)
sys.path.insert(0, str(place))
for number in range(others):
    (place / f"other{number}.py").touch()
    importlib.import_module(f"other{number}")
asked, lstat, module_of = [0], os.lstat, inspect.getmodule


def counted(*given, **more):
    asked[0] += 1
    return lstat(*given, **more)


def by_globals(thing, *given):
    if inspect.isframe(thing):
        return sys.modules.get(thing.f_globals["__name__"])
    return module_of(thing, *given)


os.lstat = counted
if by_frames:
    inspect.getmodule = by_globals
began = time.process_time()
import torch  # noqa: E402

took = time.process_time() - began
print(asked[0], f"{took:.2f}", float(torch.ones(2).sum()), torch.__version__)
PY
for case in "0 as it comes" "0 as it comes" "300 as it comes" "0 by frames"; do
  read -r others way <<<"$case"
  read -r calls took sum version < <("$work/venv/bin/python" "$work/count.py" "$others" "$way" "$work/more")
  echo "torch $version, $others other modules, $way: $calls calls of lstat, $took s, sum $sum"
  echo "$others $way $calls" >> "$work/found"
done
"$work/venv/bin/python" - "$work/found" <<'PY'
import sys

_, (*_, few), (*_, more), (*_, none) = (line.split() for line in open(sys.argv[1]))
few, more, none = int(few), int(more), int(none)
sys.exit(0 if few > 3000 and more > few + 300 and none < few / 20 else 1)
PY
