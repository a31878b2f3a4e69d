#!/usr/bin/env bash
# A stationary velocity field integrated by MONAI 1.6.1 (DVF2DDF), as it is: 5 voxels along rows, everywhere.
#
# One would guess: a displacement of 5 voxels everywhere; near the edges at most less exact. Warp, which it is made of, goes on
# beyond the edge with the edge's own value (padding_mode="border").
# What happens: DVF2DDF gives Warp padding_mode="zeros": beyond the edge nothing moves. In the rows from which 5 voxels lead
# outside the displacement falls, to 0.99 in the last one: of a velocity that is the same everywhere and compresses nothing
# the field presses the last seven voxels into three, the last into a hundredth. padding_mode="border" gives 5 everywhere.
# MONAI's VoxelMorph network has zeros written into it.
# What follows: registrations with DVF2DDF press what lies near the edge of the crop together, a heart cut closely, or the
# outline of a face, and the Jacobian there tells of tissue that is compressed. The loss can't mend it: no velocity inside
# gives the right field. Say padding_mode="border", or leave a margin of the largest displacement.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "torch==2.13.0" "monai==1.6.1" "numpy==2.4.6"
"$work/venv/bin/python" -W ignore - <<'PY'
import contextlib
import io
import sys

import monai
import numpy as np
import torch
from monai.networks.blocks import DVF2DDF

velocity = torch.zeros(1, 2, 32, 32)
velocity[:, 0] = 5.0
with contextlib.redirect_stdout(io.StringIO()):
    plain, border = DVF2DDF(), DVF2DDF(padding_mode="border")
moved, kept = (integrate(velocity)[0, 0, :, 16].numpy() for integrate in (plain, border))
heights = np.diff(np.arange(32) + moved)  # of each row, where it was 1
print("MONAI", monai.__version__, "torch", torch.__version__)
print("rows 24 to 31 move by", moved[24:].round(2), "with border by", kept[24:].round(2))
print("heights of what lies between them:", heights[24:].round(2))
ok = np.abs(moved[:24] - 5).max() < 1e-3 and abs(moved[-1] - 0.99) < 0.02 and heights.min() < 0.05
sys.exit(0 if ok and np.abs(kept - 5).max() < 1e-4 else 1)
PY
