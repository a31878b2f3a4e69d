#!/usr/bin/env bash
# The Hausdorff distance of two masks, by MISeval 1.3.0, "HD" and "AHD".
#
# One would guess: "HD" is the largest distance from one mask's outline to the other's, in pixels, and "AHD", the average
# Hausdorff distance, the mean of such distances.
# What happens: "HD" gives the label maps to py-hausdorff, which takes an array for a list of points: every ROW of the
# picture is a point of as many dimensions as the picture has columns. Of two disks, one 12 px to the right, it is 4.9;
# one 12 px lower 0.0, since the same rows occur, elsewhere. "AHD" is the maximum, 12.0 for both, which is the Hausdorff
# distance. Neither knows a spacing.
# What follows: HD of MISeval is a plausible number of no meaning (in 3D it is an error), and its AHD compares to others'
# HD. Tables of papers that used either have to be read so.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "miseval==1.3.0" "scipy==1.17.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import numpy as np
from miseval import evaluate
from scipy import ndimage

y, x = np.mgrid[:96, :96]


def disk(row, column):
    return (np.hypot(y - row, x - column) <= 16).astype(int)


def outlines(one, other):
    """Distances from each outline's pixels to the other outline."""
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (one > 0, other > 0)]
    away = [ndimage.distance_transform_edt(~edge) for edge in edges]
    return np.concatenate([away[0][edges[1]], away[1][edges[0]]])


print("miseval", version("miseval"))
here = disk(40, 40)
found = {}
for name, there in (("12 px to the right", disk(40, 52)), ("12 px lower", disk(52, 40))):
    truth = outlines(here, there)
    found[name] = tuple(round(float(evaluate(here, there, metric=m)), 1) for m in ("HD", "AHD"))
    print(f"{name:18}: largest {truth.max():.1f}, mean {truth.mean():.1f};", end=" ")
    print("MISeval HD {}, AHD {}".format(*found[name]))
    assert truth.max() == 12 and 6 < truth.mean() < 9
as_told = found == {"12 px to the right": (4.9, 12.0), "12 px lower": (0.0, 12.0)}
sys.exit(0 if as_told else 1)
PY
