#!/usr/bin/env bash
# Thick slices made thin by DIPY's reslice: 8 slices of 8 mm as 16 of 4 mm, labels by order=0.
#
# One would guess: volumes stay; each slice becomes two.
# What happens: voxel centers stay where the first one is, and nothing moves, but the stack now reaches from the middle
# of the first thick slice to beyond the middle of the last one, and what lies there is filled with 0 (mode="constant").
# The first slice becomes one thin one, half its volume; the last thin one is empty. At 2 mm the last three are, a
# tenth of the stack is missing, and a picture ends in black slices. Made thicker, or within the stack, all is sound.
# What follows: of a left ventricle that reaches the first slice, as in two of five stacks, half of that slice is gone
# from the volume. mode="nearest" keeps the end, not the first half slice's place. Pad the stack by a slice on both sides
# first, or measure on the scan's own slices, as facewarp does.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "dipy==1.12.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from dipy.align.reslice import reslice

affine, thick = np.diag([1.5, 1.5, 8.0, 1.0]), (1.5, 1.5, 8.0)
stack = np.ones((24, 22, 8), np.uint8)
z = np.indices(stack.shape)[2]


def ml(labels, step):
    return float(labels.sum()) * 1.5 * 1.5 * step / 1000


for step, share, dark in ((4.0, 0.9375, [15]), (2.0, 0.90625, [29, 30, 31]), (16.0, 1.0, [])):
    made, place = reslice(stack, affine, thick, (1.5, 1.5, step), order=0)
    empty = [k for k in range(made.shape[2]) if not made[..., k].any()]
    print(f"{step:g} mm: {ml(made, step):.1f} ml of {ml(stack, 8):.1f}, empty slices {empty}, first at {place[2, 3]:g} mm")
    assert abs(ml(made, step) / ml(stack, 8) - share) < 1e-6
    assert empty == dark
    assert place[2, 3] == 0
for one, share in ((0, 0.5), (3, 1.0)):
    made, _ = reslice((z == one).astype(np.uint8), affine, thick, (1.5, 1.5, 4.0), order=0)
    print(f"slice {one} alone: {ml(made, 4.0) / ml(z == one, 8):.0%} of its volume")
    assert abs(ml(made, 4.0) / ml(z == one, 8) - share) < 1e-6
PY
