#!/usr/bin/env bash
# Parts of a cine by indexing: image[...] of ANTsPy (antspyx 0.6.3), beside the same array's by NumPy.
#
# One would guess: it does what NumPy does, or refuses, as it does for an index from the end.
# What happens: only start and stop of slices and Python's own integers are looked at. A step is passed over: [::2]
# and [::-1] give the whole image, unturned. cine[..., 3] is not phase 3 but row 3, of all phases, since "..." counts
# as one axis. A NumPy integer, as argmin gives it, and a list of phases are passed over: all phases come back.
# Two of the answers have another number of axes or another length, which a test on a cube doesn't show; spacing
# and time step fit what came.
# What follows: every second phase is all phases, and the phase of end-systole is the whole cine, or a cut through
# space and time. Cut by int() and by whole slices, or cut the array (image.numpy()) and copy the header.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "antspyx==0.6.3"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys

import ants
import numpy as np

array = np.random.default_rng(1).random((8, 7, 6, 12), dtype=np.float32)  # columns, rows, slices, phases
cine = ants.from_numpy(array, spacing=(1.5, 1.5, 8.0, 0.04))
systole = np.argmin(array.sum(axis=(0, 1, 2)))
all_of_it = np.s_[:, :, :, :]
ways = {  # what is asked, what ANTsPy gives
    "[:, :, :, 2:8]": (np.s_[:, :, :, 2:8], np.s_[:, :, :, 2:8]),
    "[:, :, :, 3]": (np.s_[:, :, :, 3], np.s_[:, :, :, 3]),
    "[:, :, :, ::2]": (np.s_[:, :, :, ::2], all_of_it),
    "[:, :, :, 2:8:2]": (np.s_[:, :, :, 2:8:2], np.s_[:, :, :, 2:8]),
    "[:, :, ::-1]": (np.s_[:, :, ::-1], all_of_it),
    "[..., 3]": (np.s_[..., 3], np.s_[:, 3]),
    "[:, :, :, np.argmin(...)]": (np.s_[:, :, :, systole], all_of_it),
    "[:, :, :, [0, 5]]": (np.s_[:, :, :, [0, 5]], all_of_it),
}
print("antspyx", ants.__version__, "numpy", np.__version__, "- the phase of argmin is a", type(systole).__name__)
found = []
for name, (asked, given) in ways.items():
    part = cine[asked]
    found.append(bool(np.array_equal(part.numpy(), array[given])))
    print(f"cine{name}: {part.shape}, spacing {part.spacing}; NumPy: {array[asked].shape},"
          f" the same: {np.array_equal(part.numpy(), array[asked])}")
try:
    cine[:, :, :, -1]
    found.append(False)
except TypeError:
    print("cine[:, :, :, -1]: refused")
sys.exit(0 if all(found) and ants.__version__ == "0.6.3" else 1)
PY
